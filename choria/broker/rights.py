"""What one link may do: a shared charter, and the link's own name, inbox and session."""

from __future__ import annotations

from choria.trust import Principal
from choria.wire import includes, matches

from .charter import NAME, SESSION, Charter, PublishRule


class Rights:
    """The permission table as one link sees it. Each check is pure and keeps nothing.

    Args:
        charter: The rules of the principal's role and grants.
        principal: Who the link has proved to be.
        session: The token of HELLO.session on subjects.
    """

    __slots__ = ("_charter", "_inbox", "_principal", "_session")

    def __init__(self, charter: Charter, principal: Principal, session: str) -> None:
        self._charter = charter
        self._principal = principal
        self._session = session
        self._inbox: str | None = None

    def publishing(self, subject: str) -> PublishRule | None:
        """Return the rule that lets the link publish on ``subject``, None if there is none."""
        count = subject.count("/")
        for rule in self._charter.publishes:
            slashes, prefixes, stem, middle, _ = rule
            if (
                slashes == count
                and subject.startswith(prefixes)
                and (stem is None or subject.endswith(stem + self._principal.name))
                and (not middle or _stand(middle, subject))
            ):
                return rule
        return self._charter.fixed.get(subject)

    def may_subscribe(self, pattern: str, group: str | None) -> bool:
        """Whether every subject that ``pattern`` could match is granted, in just this group."""
        tokens = pattern.split("/")
        if len(tokens) < 2:
            return False
        return any(
            rule.group == group
            and not any(tokens[at : at + 1] in _WILD for at in rule.words)
            and includes(self._fill(rule.tokens), pattern)
            for rule in self._charter.subscribes.get((tokens[0], tokens[1]), ())
        )

    def may_ask_reply(self, reply: str) -> bool:
        """Whether answers may be asked to ``reply``: the publisher's own inbox (A3)."""
        return any(matches(self._fill(tokens), reply) for tokens in self._charter.replies)

    def _fill(self, tokens: tuple[str, ...]) -> str:
        return "/".join([self._value(token) for token in tokens])

    def _value(self, token: str) -> str:
        if token[0] == "<":
            return "*"
        if token[0] != "{":
            return token
        if token == NAME:
            return self._principal.name
        if token == SESSION:
            return self._session
        if self._inbox is None:
            self._inbox = self._principal.inbox  # a hash: worth keeping for callers
        return self._inbox


_WILD = (["*"], ["**"])


def _stand(middle: tuple[tuple[int, str], ...], subject: str) -> bool:
    tokens = subject.split("/")
    return all(tokens[at] == token for at, token in middle)
