"""Two links of one node while it moves from the older to the newer (CWP-10.3-9).

The newer one is welcomed before it has subscribed anything. Were the older one's interest dropped at
once, each broadcast of that round trip would miss the node; were both served, it would get some
twice. So the older one is there for what the newer one does not take.
"""

from __future__ import annotations

from .seats import Subscriber


class Heirs:
    """Which link follows which. A link follows one, and is followed by one, at most."""

    __slots__ = ("_newer", "_older")

    def __init__(self) -> None:
        self._older: dict[Subscriber, Subscriber] = {}
        self._newer: dict[Subscriber, Subscriber] = {}

    def follow(self, older: Subscriber, newer: Subscriber) -> None:
        """``newer`` takes over from ``older``, pattern by pattern."""
        self.emptied(older)
        self._older[newer] = older
        self._newer[older] = newer

    def older_of(self, newer: Subscriber) -> Subscriber | None:
        """The link that ``newer`` follows, if that still has anything."""
        return self._older.get(newer) if self._older else None

    def emptied(self, older: Subscriber) -> None:
        """``older`` has nothing left: there is nothing more to follow."""
        newer = self._newer.pop(older, None) if self._newer else None
        if newer is not None:
            del self._older[newer]

    def released(self, newer: Subscriber) -> Subscriber | None:
        """``newer`` follows nobody any more. Returns the link that it followed."""
        older = self._older.pop(newer, None) if self._older else None
        if older is not None:
            del self._newer[older]
        return older

    def sift(
        self, plain: dict[Subscriber, None], groups: dict[str, dict[Subscriber, None]]
    ) -> None:
        """Take each older link out of a match that its newer one is in."""
        for newer, older in self._older.items():
            if newer in plain or any(newer in members for members in groups.values()):
                plain.pop(older, None)
                for members in groups.values():
                    members.pop(older, None)
