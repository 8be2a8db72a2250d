"""Interest: who wants which subjects.

Three stores (CWP-6.7), by what a pattern needs: exact subjects in a dictionary; patterns whose only wildcard
is the ``**`` at the end in a dictionary by prefix, asked once for each depth in use (every inbox is
such a pattern, and a trie of 50,000 of them would cost a kilobyte each); all others in a trie.

A match that needs merging is cached, one that finds a single member is not: reply subjects never
come twice, and would only push the fan-outs out of the cache.

Several patterns of one member that match one subject give one delivery: there is no subscription id
on the wire that could tell two of them apart. A publisher that subscribed what it publishes gets
its own message: routing does not ask who published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Generic, TypeAlias, TypeVar, cast

from .heirs import Heirs
from .seats import SeatBook, Seats, Subscriber
from .trie import PatternTrie

M = TypeVar("M", bound=Subscriber)

Groups: TypeAlias = tuple[tuple[str, tuple[M, ...]], ...]
Match: TypeAlias = tuple[tuple[M, ...], Groups[M]]
"""The members that get the message, and the groups of which one member each gets it."""

NOBODY: Match[Subscriber] = ((), ())

CACHED_SUBJECTS = 4096
CACHED_RECEIVERS = 2_000_000  # references, 8 bytes each: forty fan-outs to 50,000


class Interest(Generic[M]):
    """Who subscribed what. Members are compared by identity.

    Args:
        cached_subjects: How many merged matches are kept at most.
        cached_receivers: How many receivers these may name together.
    """

    __slots__ = (
        "_cache",
        "_cached",
        "_depths",
        "_exact",
        "_heirs",
        "_max_receivers",
        "_max_subjects",
        "_prefixes",
        "_trie",
        "_used_depths",
        "size",
    )

    def __init__(
        self, *, cached_subjects: int = CACHED_SUBJECTS, cached_receivers: int = CACHED_RECEIVERS
    ) -> None:
        self.size = 0
        self._exact = SeatBook()
        self._prefixes = SeatBook()
        self._trie = PatternTrie()
        self._heirs = Heirs()
        self._depths: Counter[int] = Counter()
        self._used_depths: tuple[int, ...] = ()
        self._cache: dict[str, Match[M]] = {}
        self._cached = 0
        self._max_subjects = cached_subjects
        self._max_receivers = cached_receivers

    def add(self, member: M, patterns: Iterable[str], group: str | None = None) -> int:
        """Subscribe ``member``. Returns how many of the patterns are new to it (CWP-6.7-3)."""
        keys = [key for pattern in patterns if (key := self._seat(member, pattern, group))]
        if group is None:
            member.subscriptions += tuple(keys)
        else:
            member.subscriptions += tuple((key, group) for key in keys)
        self.size += len(keys)
        older = self._heirs.older_of(member)
        if older is not None:
            self.remove(cast("M", older), patterns, group)
        return len(keys)

    def follow(self, older: M, newer: M) -> None:
        """``newer`` takes over from ``older``, which gets what the newer one does not (CWP-10.3-9).

        One that ``older`` itself still follows loses what it has left.
        """
        self._drop_older(older)
        if older.subscriptions:
            self._heirs.follow(older, newer)

    def remove(self, member: M, patterns: Iterable[str], group: str | None = None) -> int:
        """Take subscriptions of the same patterns and group back. Returns how many there were."""
        gone = {p for p in patterns if self._unseat(member, p, group)}
        if gone:
            dropped = gone if group is None else {(pattern, group) for pattern in gone}
            kept = tuple(held for held in member.subscriptions if held not in dropped)
            member.subscriptions = kept
            self.size -= len(gone)
            if not kept:
                self._heirs.emptied(member)
        return len(gone)

    def remove_all(self, member: M) -> None:
        """Forget a member, and what the older link of one that was moving has left."""
        self._drop_older(member)
        self._heirs.emptied(member)
        for held in member.subscriptions:
            pattern, group = (held, None) if isinstance(held, str) else held
            self._unseat(member, pattern, group)
        self.size -= len(member.subscriptions)
        member.subscriptions = ()

    def _drop_older(self, newer: M) -> None:
        older = self._heirs.released(newer)
        if older is not None:
            self.remove_all(cast("M", older))

    def match(self, subject: str) -> Match[M]:
        """Return who gets a message on ``subject``."""
        cached = self._cache.get(subject)
        if cached is not None:
            return cached
        found = self._find(subject)
        if not found:
            return cast("Match[M]", NOBODY)
        if len(found) == 1 and not isinstance(found[0], Seats):
            return (cast("M", found[0]),), ()
        return self._keep(subject, self._merge(found))

    def _find(self, subject: str) -> list[Subscriber | Seats]:
        found = []
        held = self._exact.get(subject)
        if held is not None:
            found.append(held)
        for depth in self._used_depths:
            tokens = subject.split("/", depth)
            if len(tokens) <= depth:  # ascending, and ``**`` stands for one token or more
                break
            held = self._prefixes.get(subject[: -1 - len(tokens[-1])])
            if held is not None:
                found.append(held)
        if self._trie.size:
            found += self._trie.find(subject.split("/"))
        return found

    def _keep(self, subject: str, match: Match[M]) -> Match[M]:
        weight = len(match[0]) + sum(len(members) for _, members in match[1])
        if weight > self._max_receivers:
            return match
        if self._cached + weight > self._max_receivers or len(self._cache) >= self._max_subjects:
            self._forget()
        self._cache[subject] = match
        self._cached += weight
        return match

    def _merge(self, found: list[Subscriber | Seats]) -> Match[M]:
        plain: dict[Subscriber, None] = {}
        groups: dict[str, dict[Subscriber, None]] = {}
        for held in found:
            if not isinstance(held, Seats):
                plain[held] = None
                continue
            plain.update(held.plain)
            for group, members in held.groups.items():
                groups.setdefault(group, {}).update(members)
        self._heirs.sift(plain, groups)
        shares = tuple((group, tuple(members)) for group, members in groups.items() if members)
        return cast("Match[M]", (tuple(plain), shares))

    def _forget(self, subject: str | None = None) -> None:
        if subject is None:
            self._cache.clear()
            self._cached = 0
        elif (match := self._cache.pop(subject, None)) is not None:
            self._cached -= len(match[0]) + sum(len(members) for _, members in match[1])

    def _seat(self, member: M, pattern: str, group: str | None) -> str | None:
        if "*" not in pattern:
            self._forget(pattern)
            return self._exact.seat(pattern, member, group)
        prefix = pattern.removesuffix("/**")
        if "*" in prefix:
            key = self._trie.seat(pattern, member, group)
        elif (key := self._prefixes.seat(prefix, member, group)) is not None:
            key = pattern
            self._count_depth(prefix, 1)
        if key is not None:
            self._forget()
        return key

    def _unseat(self, member: M, pattern: str, group: str | None) -> bool:
        if "*" not in pattern:
            self._forget(pattern)
            return self._exact.unseat(pattern, member, group)
        prefix = pattern.removesuffix("/**")
        if "*" in prefix:
            gone = self._trie.unseat(pattern, member, group)
        elif gone := self._prefixes.unseat(prefix, member, group):
            self._count_depth(prefix, -1)
        if gone:
            self._forget()
        return gone

    def _count_depth(self, prefix: str, by: int) -> None:
        depth = prefix.count("/") + 1
        self._depths[depth] += by
        if not self._depths[depth]:
            del self._depths[depth]
        if len(self._depths) != len(self._used_depths):
            self._used_depths = tuple(sorted(self._depths))
