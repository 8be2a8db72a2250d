"""Who sits at one subject or pattern, and the dictionary of such seats.

Half a million subscriptions have to fit (50,000 nodes, ten each), so the common cases carry no
container: a key with one plain member maps to the member itself, and a key that many members share
is kept as one string, however many copies of it came off the wire.
"""

from __future__ import annotations

from typing import Protocol


class Subscriber(Protocol):
    """What routing needs of a member: a place for the list of what it subscribed.

    Attributes:
        subscriptions: Kept by `Interest`, nobody else writes it. A plain pattern is the text
            itself, one in a group is ``(pattern, group)``.
    """

    subscriptions: tuple[str | tuple[str, str], ...]


class Seats:
    """All members at one key: those that get every message, and the groups, which share them."""

    __slots__ = ("groups", "key", "plain")

    def __init__(self, key: str) -> None:
        self.key = key
        self.plain: dict[Subscriber, None] = {}
        self.groups: dict[str, dict[Subscriber, None]] = {}

    def add(self, member: Subscriber, group: str | None) -> bool:
        """Seat ``member``; False if it sits there already."""
        row = self.plain if group is None else self.groups.setdefault(group, {})
        if member in row:
            return False
        row[member] = None
        return True

    def remove(self, member: Subscriber, group: str | None) -> bool:
        """Unseat ``member``; False if it does not sit there."""
        row = self.plain if group is None else self.groups.get(group, {})
        if member not in row:
            return False
        del row[member]
        if group is not None and not row:
            del self.groups[group]
        return True


class SeatBook(dict[str, "Subscriber | Seats"]):
    """Keys and who sits there. A value is the member itself, or `Seats`."""

    __slots__ = ()

    def seat(self, key: str, member: Subscriber, group: str | None) -> str | None:
        """Seat ``member`` at ``key``. Returns the key to remember, None if it sat there already."""
        held = self.get(key)
        if held is None and group is None:
            self[key] = member
            return key
        if held is member and group is None:
            return None
        seats = held if isinstance(held, Seats) else self._unfold(key, held)
        return seats.key if seats.add(member, group) else None

    def unseat(self, key: str, member: Subscriber, group: str | None) -> bool:
        """Take ``member`` from ``key``; False if it does not sit there."""
        held = self.get(key)
        if isinstance(held, Seats):
            if not held.remove(member, group):
                return False
            self._fold(held)
            return True
        if held is not member or group is not None:
            return False
        del self[key]
        return True

    def _unfold(self, key: str, only: Subscriber | None) -> Seats:
        seats = Seats(key)
        if only is not None:
            seats.plain[only] = None
            del self[key]  # so that the dictionary's key becomes the very string that is shared
        self[key] = seats
        return seats

    def _fold(self, seats: Seats) -> None:
        if seats.groups:
            return
        if not seats.plain:
            del self[seats.key]
        elif len(seats.plain) == 1:
            self[seats.key] = next(iter(seats.plain))
