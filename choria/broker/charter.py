"""The rules of one role and set of grants, compiled so that a link's own values suffice to check.

Nothing here is per link: 50,000 nodes share one charter, and what differs between them (name, inbox,
session) stays a placeholder until a subject is checked. Publishing is the hot path, so its rules are
a count of slashes, a beginning and an end to compare; a reply, ``c/reply/*/*/*/*/<network>/<name>``,
costs well under a microsecond (the budget of a message through the broker is about ten).
"""

from __future__ import annotations

from typing import Final, NamedTuple

NAME: Final = "{name}"
INBOX: Final = "{inbox}"
SESSION: Final = "{session}"
"""Placeholders that only a link can fill."""


class PublishRule(NamedTuple):
    """Subjects with ``slashes`` slashes that begin and end as told.

    Attributes:
        prefixes: The fixed tokens at the beginning, with the slash behind them, for each collective.
        stem: What stands before the link's own name at the end; None if the name is not the end.
        middle: Fixed tokens elsewhere, by position.
        receipt: Whether a receipt may be asked for.
    """

    slashes: int
    prefixes: tuple[str, ...]
    stem: str | None
    middle: tuple[tuple[int, str], ...]
    receipt: bool


class SubscribeRule(NamedTuple):
    """A granted pattern, with link values still open, and the group it is granted in."""

    tokens: tuple[str, ...]
    words: tuple[int, ...]  # positions where exactly one literal token is wanted
    group: str | None


class Charter:
    """What one role with one set of grants may do. Filled row by row.

    Attributes:
        publishes: Rules in the order of the table.
        fixed: Subjects that are granted as they stand, and whether with receipts.
        replies: Templates of reply prefixes.
        subscribes: Rules by the first two tokens of a pattern, which are literal in every row: the
            language of ``**`` or ``*/reply/x/**`` is inside none of them (A13).
    """

    __slots__ = ("fixed", "publishes", "replies", "subscribes")

    def __init__(self) -> None:
        self.publishes: tuple[PublishRule, ...] = ()
        self.fixed: dict[str, PublishRule] = {}
        self.replies: tuple[tuple[str, ...], ...] = ()
        self.subscribes: dict[tuple[str, str], list[SubscribeRule]] = {}

    def publish(self, tokens: tuple[str, ...], *, receipt: bool) -> None:
        """Grant publishing on a template."""
        if all(map(_is_fixed, tokens)):
            subject = "/".join(tokens)
            self.fixed[subject] = PublishRule(len(tokens) - 1, (subject,), None, (), receipt)
            return
        rule = _publish_rule(tokens, receipt=receipt)
        for at, other in enumerate(self.publishes):
            if other._replace(prefixes=()) == rule._replace(prefixes=()):
                merged = rule._replace(prefixes=tuple({*other.prefixes, *rule.prefixes}))
                self.publishes = (*self.publishes[:at], merged, *self.publishes[at + 1 :])
                return
        self.publishes += (rule,)

    def reply(self, tokens: tuple[str, ...]) -> None:
        """Grant asking for answers under a template."""
        self.replies += (tokens,)

    def subscribe(self, tokens: tuple[str, ...], group: str | None) -> None:
        """Grant a template of patterns, in ``group``."""
        if not (_is_fixed(tokens[0]) and _is_fixed(tokens[1])):
            raise ValueError(
                f"a granted pattern begins with two literal tokens: {'/'.join(tokens)}"
            )
        words = tuple(at for at, token in enumerate(tokens) if _is_word(token))
        rule = SubscribeRule(tokens, words, group)
        self.subscribes.setdefault((tokens[0], tokens[1]), []).append(rule)


def _publish_rule(tokens: tuple[str, ...], *, receipt: bool) -> PublishRule:
    """Compile a template: fixed tokens, words, and the link's name as the last token at most."""
    fixed = [_is_fixed(token) for token in tokens]
    lead = fixed.index(False)
    end = len(tokens)
    stem = None
    if tokens[-1] == NAME:
        end -= 1
        while fixed[end - 1] and end > lead:
            end -= 1
        stem = "/" + "".join(f"{token}/" for token in tokens[end:-1])
    if not lead or any(not fixed[at] and not _is_word(tokens[at]) for at in range(lead, end)):
        raise ValueError(f"cannot be granted for publishing: {'/'.join(tokens)}")
    middle = tuple((at, tokens[at]) for at in range(lead, end) if fixed[at])
    prefix = "".join(f"{token}/" for token in tokens[:lead])
    return PublishRule(len(tokens) - 1, (prefix,), stem, middle, receipt)


def _is_word(token: str) -> bool:
    return token.startswith("<")


def _is_fixed(token: str) -> bool:
    return not (_is_word(token) or token.startswith("{") or "*" in token)
