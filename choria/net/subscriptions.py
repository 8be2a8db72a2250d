"""What a session has subscribed to: remembered, because every new link must be told again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from choria.wire import Subscribe, Unsubscribe, encode_frame, parse_pattern

from .outbox import Outgoing

_PATTERNS_A_FRAME: Final = 256
_NAMED: Final = 3


class Subscriptions:
    """Patterns with their groups, in the order in which they came."""

    def __init__(self) -> None:
        self._patterns: dict[tuple[str, str | None], None] = {}

    def add(self, patterns: Sequence[str], group: str | None) -> list[Subscribe]:
        """Remember ``patterns``; the frames that say them now. Raises InvalidName."""
        for pattern in [parse_pattern(pattern) for pattern in patterns]:
            self._patterns[pattern, group] = None
        return [Subscribe(patterns=part, group=group) for part in _chunks(patterns)]

    def add_new(self, patterns: Sequence[str]) -> list[Subscribe]:
        """As ``add``, without a group, for those that are not yet remembered."""
        return self.add([each for each in patterns if (each, None) not in self._patterns], None)

    def remove(self, patterns: Sequence[str], group: str | None) -> list[Unsubscribe]:
        """Forget ``patterns``; the frames that say so now."""
        for pattern in patterns:
            self._patterns.pop((pattern, group), None)
        return [Unsubscribe(patterns=part, group=group) for part in _chunks(patterns)]

    def frames(self) -> list[Subscribe]:
        """Everything, for a new link."""
        groups: dict[str | None, list[str]] = {}
        for pattern, group in self._patterns:
            groups.setdefault(group, []).append(pattern)
        return [
            Subscribe(patterns=part, group=group)
            for group, patterns in groups.items()
            for part in _chunks(patterns)
        ]


def for_link(frame: Subscribe | Unsubscribe, link: int) -> Outgoing:
    """The frame as link number ``link`` sends it."""
    verb = "subscribe to" if isinstance(frame, Subscribe) else "unsubscribe from"
    text = ", ".join(frame.patterns[:_NAMED]) + (", ..." if len(frame.patterns) > _NAMED else "")
    return Outgoing(encode_frame(frame), link=link, about=f"{verb} {text}")


def _chunks(patterns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(patterns), _PATTERNS_A_FRAME):
        yield tuple(patterns[start : start + _PATTERNS_A_FRAME])
