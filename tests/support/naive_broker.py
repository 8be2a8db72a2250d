"""A broker that is only right: the permission table read row by row, every subscription asked.

The oracle of the property test and of the fuzz target. It shares nothing with `choria.broker` but
the table itself, and nothing with the wire but the two functions that the specification defines.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator

from choria.broker import TABLE, Row, Verb
from choria.trust import Principal, Role
from choria.wire import includes, matches

WILD = ("*", "**")


def expanded(
    principal: Principal, session: str, collectives: tuple[str, ...], verb: Verb
) -> Iterator[tuple[Row, list[str], str | None]]:
    """The rows of a principal with everything filled in but the ``<words>``."""
    for row in TABLE:
        if principal.role not in row.roles or row.verb is not verb:
            continue
        kind, _, placeholder = (row.grant or "").partition(":")
        held = [
            {placeholder: value}
            for grant in sorted(principal.grants)
            for granted, _, value in [grant.partition(":")]
            if granted == kind
            and bool(placeholder) == bool(value)
            and (placeholder == "{service}" or value != principal.network)
            and value not in WILD
        ]
        for grant, collective in itertools.product(held if row.grant else [{}], collectives):
            values = {
                "{c}": collective,
                "{network}": principal.network,
                "{name}": principal.name,
                "{inbox}": principal.inbox,
                "{session}": session,
                **grant,
            }
            tokens = [values.get(token, token) for token in row.pattern.split("/")]
            group = row.group
            for name, value in values.items():
                group = group and group.replace(name, value)
            yield row, tokens, group


def as_pattern(tokens: list[str]) -> str:
    """A row as a pattern: a word is any one token."""
    return "/".join("*" if token.startswith("<") else token for token in tokens)


def includes_words(tokens: list[str], pattern: str) -> bool:
    """Whether a row includes a pattern, words only where it names one literal token."""
    asked = pattern.split("/")
    literal = all(
        asked[at] not in WILD
        for at, token in enumerate(tokens[: len(asked)])
        if token.startswith("<")
    )
    return literal and includes(as_pattern(tokens), pattern)


@functools.cache
def _rows_of(
    principal: Principal, session: str, collectives: tuple[str, ...], verb: Verb
) -> list[tuple[Row, list[str], str | None]]:
    return list(expanded(principal, session, collectives, verb))


@dataclasses.dataclass(eq=False)
class NaiveLink:
    """One member, and every subscription it holds."""

    principal: Principal
    session: str
    collectives: tuple[str, ...]
    subscriptions: set[tuple[str, str | None]] = dataclasses.field(default_factory=set)

    def _rows(self, verb: Verb) -> list[tuple[Row, list[str], str | None]]:
        return _rows_of(self.principal, self.session, self.collectives, verb)

    def may_publish(self, subject: str) -> bool:
        rows = self._rows(Verb.PUBLISH)
        return any(matches(as_pattern(tokens), subject) for _, tokens, _ in rows)

    def may_have_receipt(self, subject: str) -> bool:
        rows = self._rows(Verb.PUBLISH)
        return self.principal.role is not Role.NODE and any(
            row.receipt for row, tokens, _ in rows if matches(as_pattern(tokens), subject)
        )

    def may_ask_reply(self, reply: str | None) -> bool:
        rows = self._rows(Verb.REPLY)
        return reply is None or any(matches(as_pattern(tokens), reply) for _, tokens, _ in rows)

    def may_subscribe(self, pattern: str, group: str | None) -> bool:
        rows = self._rows(Verb.SUBSCRIBE)
        return any(group == held and includes_words(tokens, pattern) for _, tokens, held in rows)

    def may_read(self, subject: str) -> bool:
        """Whether the table lets this link get a message on ``subject`` at all."""
        rows = self._rows(Verb.SUBSCRIBE)
        return any(matches(as_pattern(tokens), subject) for _, tokens, _ in rows)


class NaiveBroker:
    """All links. Says for a message who must get it, and who may."""

    def __init__(self) -> None:
        self.links: list[NaiveLink] = []

    def receivers(self, subject: str) -> tuple[list[NaiveLink], dict[str, list[NaiveLink]]]:
        """Who gets it, and for each group the members of which one gets it."""
        plain: list[NaiveLink] = []
        groups: dict[str, list[NaiveLink]] = {}
        for link in self.links:
            hits = {group for pattern, group in link.subscriptions if matches(pattern, subject)}
            if None in hits:
                plain.append(link)
            for group in hits - {None}:
                groups.setdefault(str(group), []).append(link)
        return plain, groups
