"""Patterns with ``*`` in them, by token.

Only these need a trie: an exact subject and a prefix (``c/event/**``) are dictionary look-ups. A
walk follows at most two ways at each token, the literal one and ``*``, so a hostile pattern makes
only those subjects slower that share its literal beginning, and its owner may subscribe only below
its own inbox.
"""

from __future__ import annotations

from typing import Final

from .seats import Seats, Subscriber

ANY: Final = "*"


class _Step:
    __slots__ = ("beyond", "here", "literal", "star")

    def __init__(self) -> None:
        self.literal: dict[str, _Step] = {}
        self.star: _Step | None = None
        self.here: Seats | None = None  # patterns that end at this token
        self.beyond: Seats | None = None  # patterns that go on with ``**``

    @property
    def empty(self) -> bool:
        return not (self.literal or self.star or self.here or self.beyond)


class PatternTrie:
    """Patterns that hold ``*``, and who sits at each.

    Attributes:
        size: How many subscriptions it holds; at 0 there is nothing to look for.
    """

    __slots__ = ("_root", "size")

    def __init__(self) -> None:
        self._root = _Step()
        self.size = 0

    def seat(self, pattern: str, member: Subscriber, group: str | None) -> str | None:
        """Seat ``member``. Returns the pattern to remember, None if it sat there already."""
        step = self._root
        tokens, open_ended = _read(pattern)
        for token in tokens:
            step = _enter(step, token)
        seats = step.beyond if open_ended else step.here
        if seats is None:
            seats = Seats(pattern)
            if open_ended:
                step.beyond = seats
            else:
                step.here = seats
        if not seats.add(member, group):
            return None
        self.size += 1
        return seats.key

    def unseat(self, pattern: str, member: Subscriber, group: str | None) -> bool:
        """Take ``member`` from ``pattern``; False if it does not sit there."""
        tokens, open_ended = _read(pattern)
        path = self._path(tokens)
        if path is None:
            return False
        step = path[-1]
        seats = step.beyond if open_ended else step.here
        if seats is None or not seats.remove(member, group):
            return False
        self.size -= 1
        if not seats.plain and not seats.groups:
            if open_ended:
                step.beyond = None
            else:
                step.here = None
            _prune(path, tokens)
        return True

    def find(self, tokens: list[str]) -> list[Seats]:
        """All seats whose pattern matches the subject that ``tokens`` make."""
        found: list[Seats] = []
        level = [self._root]
        for token in tokens:
            following: list[_Step] = []
            for step in level:
                if step.beyond is not None:
                    found.append(step.beyond)
                if (literal := step.literal.get(token)) is not None:
                    following.append(literal)
                if step.star is not None:
                    following.append(step.star)
            if not following:
                return found
            level = following
        found += [step.here for step in level if step.here is not None]
        return found

    def _path(self, tokens: list[str]) -> list[_Step] | None:
        path = [self._root]
        for token in tokens:
            step = path[-1].star if token == ANY else path[-1].literal.get(token)
            if step is None:
                return None
            path.append(step)
        return path


def _read(pattern: str) -> tuple[list[str], bool]:
    """Split ``pattern`` into its tokens before a final ``**``, and say whether there is one."""
    tokens = pattern.split("/")
    return (tokens[:-1], True) if tokens[-1] == "**" else (tokens, False)


def _enter(step: _Step, token: str) -> _Step:
    if token == ANY:
        if step.star is None:
            step.star = _Step()
        return step.star
    return step.literal.setdefault(token, _Step())


def _prune(path: list[_Step], tokens: list[str]) -> None:
    """Drop the steps that lead nowhere any more, from the leaf up."""
    for depth in range(len(path) - 1, 0, -1):
        if not path[depth].empty:
            return
        parent, token = path[depth - 1], tokens[depth - 1]
        if token == ANY:
            parent.star = None
        else:
            del parent.literal[token]
