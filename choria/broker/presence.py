"""Who is here, and who left, when and why: the names behind a receipt's count (C1).

A node that was killed is gone from the interest at once, so a receipt alone would make it vanish.
Here it stays for a day with the reason. Both tables are this broker's own and begin empty: after a
restart nobody has left yet.

Times are of the wall clock, for people. A node in several collectives stands in each, and each is
asked for apart (C7).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from choria.errors import Reason
from choria.messages import (
    MAX_PAGE_ENTRIES,
    PresenceEntry,
    PresenceKind,
    PresencePage,
    PresenceQuery,
)

V = TypeVar("V")

PAGE_BYTES: Final = 240 << 10
PAGE_OVERHEAD: Final = 320
"""What a page has beside its entries: heads, request id, and the longest ``next``."""
ENTRY_OVERHEAD: Final = 16
"""Array head, text head, time and reason in CBOR."""


class Roster(Generic[V]):
    """Identities with a value, readable in order from any point, without sorting on the way.

    A sorted list beside the dictionary: an insertion into 50,000 moves 400 KB at the most, some
    microseconds; sorting them for every page would stop the broker for 15 ms each time.
    """

    __slots__ = ("_names", "_values")

    def __init__(self) -> None:
        self._names: list[str] = []
        self._values: dict[str, V] = {}

    def __len__(self) -> int:
        return len(self._names)

    def put(self, name: str, value: V) -> None:
        """Enter ``name`` as the newest, whether it was there or not."""
        if self._values.pop(name, None) is None:
            insort(self._names, name)
        self._values[name] = value

    def discard(self, name: str) -> None:
        """Forget ``name`` if it is there."""
        if self._values.pop(name, None) is not None:
            del self._names[bisect_right(self._names, name) - 1]

    def oldest(self) -> tuple[str, V] | None:
        """The entry that was put first, None if there is none."""
        return next(iter(self._values.items()), None)

    def after(self, name: str, count: int) -> list[tuple[str, V]]:
        """Up to ``count`` entries behind ``name``, in order of names."""
        start = bisect_right(self._names, name)
        return [(found, self._values[found]) for found in self._names[start : start + count]]


class Presence:
    """The tables of one broker, by collective.

    Args:
        collectives: Those that this broker serves.
        now_ms: The wall clock.
        departures: How many departures a collective keeps.
        kept_ms: How long.
        page_bytes: How much a page may take (CWP-13.8-10).
    """

    def __init__(
        self,
        collectives: Iterable[str],
        now_ms: Callable[[], int],
        *,
        departures: int,
        kept_ms: int,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        served = tuple(collectives)
        self._now_ms = now_ms
        self._most = departures
        self._kept_ms = kept_ms
        self._page_bytes = min(page_bytes - PAGE_OVERHEAD, PAGE_BYTES)
        self._present: dict[str, Roster[int]] = {c: Roster() for c in served}
        self._departed: dict[str, Roster[tuple[int, Reason | None]]] = {c: Roster() for c in served}

    def arrived(self, identity: str, collectives: Iterable[str]) -> None:
        """A node is here; its departure, if there was one, is history."""
        for collective in collectives:
            self._present[collective].put(identity, self._now_ms())
            self._departed[collective].discard(identity)

    def left(self, identity: str, collectives: Iterable[str], reason: Reason | None) -> None:
        """A node's last link is gone: NORMAL if it said goodbye, None if it was lost."""
        for collective in collectives:
            self._present[collective].discard(identity)
            self._departed[collective].put(identity, (self._now_ms(), reason))
            self._forget_old(self._departed[collective])

    def page(self, collective: str, query: PresenceQuery) -> PresencePage:
        """Answer ``query`` about ``collective``, which this broker serves."""
        if query.kind is PresenceKind.PRESENT:
            found = [
                PresenceEntry(identity=name, at_ms=since, reason=None)
                for name, since in self._present[collective].after(
                    query.after, MAX_PAGE_ENTRIES + 1
                )
            ]
        else:
            self._forget_old(self._departed[collective])
            found = [
                PresenceEntry(identity=name, at_ms=at_ms, reason=reason)
                for name, (at_ms, reason) in self._departed[collective].after(
                    query.after, MAX_PAGE_ENTRIES + 1
                )
            ]
        entries = _fitting(found, self._page_bytes)
        more = len(entries) < len(found)
        return PresencePage(
            request_id=query.request_id,
            kind=query.kind,
            entries=tuple(entries),
            next=entries[-1].identity if more else "",
        )

    def count(self, collective: str) -> tuple[int, int]:
        """How many are here, and how many departures are remembered."""
        return len(self._present[collective]), len(self._departed[collective])

    def _forget_old(self, departed: Roster[tuple[int, Reason | None]]) -> None:
        oldest_ms = self._now_ms() - self._kept_ms
        while (entry := departed.oldest()) is not None:
            name, (at_ms, _) = entry
            if len(departed) <= self._most and at_ms >= oldest_ms:
                return
            departed.discard(name)


def _fitting(entries: list[PresenceEntry], most: int) -> list[PresenceEntry]:
    """The first entries that ``most`` bytes hold; one at least, or nobody would ever get on."""
    size = 0
    for at, entry in enumerate(entries[:MAX_PAGE_ENTRIES]):
        size += len(entry.identity) + ENTRY_OVERHEAD
        if size > most:
            return entries[: max(at, 1)]
    return entries[:MAX_PAGE_ENTRIES]
