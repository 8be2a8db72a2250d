"""Is a request still, or already, worth running? A clock that never runs backwards decides.

``high_water_ms`` is the latest wall clock ever seen. Freshness and eviction both use it, so that a
clock set back cannot make a request fresh again after the guard forgot its id (B4). The price: after
a clock was wrong into the future, requests are refused until true time has caught up; the refusal
says by how much, and removing the guard's file starts afresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

DEFAULT_MAX_TTL_MS: Final = 300_000
DEFAULT_SKEW_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Fresh:
    """It may run."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Too old by ``diff_ms``."""

    diff_ms: int


@dataclass(frozen=True, slots=True)
class BeforeBoot(Expired):
    """Signed before this machine's boot, or so soon after that the two clocks cannot tell.

    What ran just before a crash may be missing from the guard's log, so none of that time may run.
    A caller who signs again ``diff_ms`` later is served.
    """


@dataclass(frozen=True, slots=True)
class Future:
    """Signed ``diff_ms`` ahead of this clock and its allowance."""

    diff_ms: int


Freshness: TypeAlias = Fresh | Expired | Future


@dataclass(slots=True)
class Clock:
    """The high-water mark, and the floor below which nothing is fresh."""

    max_ttl_ms: int = DEFAULT_MAX_TTL_MS
    skew_ms: int = DEFAULT_SKEW_MS
    high_water_ms: int = 0
    floor_ms: int = 0  # whatever was signed earlier is refused

    def see(self, now_ms: int) -> int:
        """Note the wall clock; the high-water mark afterwards."""
        self.high_water_ms = max(self.high_water_ms, now_ms)
        return self.high_water_ms

    def expires_ms(self, created_ms: int, ttl_ms: int) -> int:
        """From when on a request is no longer fresh: its own time to live, within this node's cap."""
        return created_ms + min(max(ttl_ms, 0), self.max_ttl_ms)

    def judge(self, created_ms: int, ttl_ms: int, now_ms: int) -> Freshness:
        """Fresh iff ``created - skew <= high water < created + ttl`` and not signed before the floor."""
        high_water_ms = self.see(now_ms)
        ahead_ms = created_ms - self.skew_ms - high_water_ms
        if ahead_ms > 0:
            return Future(ahead_ms)
        late_ms = high_water_ms - self.expires_ms(created_ms, ttl_ms)
        if late_ms >= 0:
            return Expired(late_ms)
        if created_ms < self.floor_ms:
            return BeforeBoot(self.floor_ms - created_ms)
        return Fresh()
