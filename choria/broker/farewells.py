"""Links that are to go: all of them in a drain, and the older one of a planned move."""

from __future__ import annotations

import random  # noqa: TID251  # only the type: the instance is passed in
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from choria.errors import Reason

from .admission import Refused
from .member import Member
from .settings import BrokerSettings

SLICE: Final = 256
"""Members that get their GOODBYE in one tick."""

STOPPING: Final = "this broker is stopping"
REPLACED: Final = "a newer link replaced this one"


class Farewells:
    """Whom to say goodbye to, and when.

    Args:
        settings: Windows and overlaps.
        rng: Spreads the return of drained members.
        retire: Takes a link out of the routing before it is closed.
    """

    def __init__(
        self, settings: BrokerSettings, rng: random.Random, retire: Callable[[Member], None]
    ) -> None:
        self._settings = settings
        self._retire = retire
        self._rng = rng
        self._moved: deque[tuple[float, Member]] = deque()  # one overlap for all: in order of time
        self._leaving: deque[Member] = deque()
        self._window_s: float | None = None  # over which drained members come back
        self._patient_until = 0.0

    @property
    def busy(self) -> bool:
        """Whether members still wait for the GOODBYE of a drain."""
        return bool(self._leaving)

    def drain(self, members: Iterable[Member], now: float) -> None:
        """Begin to say goodbye to all ``members``. A second call changes nothing."""
        if self._window_s is None:
            self._leaving.extend(members)
            self._patient_until = now + self._settings.drain_wait_s
            spread_s = len(self._leaving) * self._settings.drain_member_s
            self._window_s = max(self._settings.drain_window_s, spread_s)

    def refused(self) -> Refused | None:
        """How a newcomer is refused once a drain has begun, None before."""
        if self._window_s is None:
            return None
        return Refused(Reason.DRAINING, STOPPING, self._jitter_s())

    def replaced(self, member: Member, now: float) -> None:
        """A newer link of the same program is there: let ``member`` drain, then close it."""
        self._moved.append((now + self._settings.overlap_s, member))

    def close_some(self, now: float, *, fanning_out: bool) -> None:
        """Go on with a drain. Members that publish without end may not hold it up for ever."""
        if fanning_out and now < self._patient_until:
            return
        for _ in range(min(SLICE, len(self._leaving))):
            member = self._leaving.popleft()
            if member.live:
                member.peer.close(Reason.DRAINING, STOPPING, retry_after_s=self._jitter_s())

    def close_replaced(self, now: float) -> float | None:
        """Close replaced links whose overlap is over. Returns when to come back."""
        while self._moved and (self._moved[0][0] <= now or not self._moved[0][1].live):
            _, member = self._moved.popleft()
            if member.live:
                self._retire(member)  # or what comes while GOODBYE waits would count as handed
                member.peer.close(Reason.DUPLICATE_IDENTITY, REPLACED)
        return self._moved[0][0] if self._moved else None

    def _jitter_s(self) -> float:
        return self._rng.uniform(0.0, self._window_s or 0.0)
