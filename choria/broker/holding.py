"""Relays are held back first and cut last: whoever publishes to one that is slow is paused. CWP-10.2-4.

A relay stands for a whole network. When more waits for it than ``relay_hold_bytes``, the link whose
message came last is read no more until half of that is left; the others go on. Only a relay that
takes no byte for 10 s, or exceeds its cap all the same, is cut (D4). A publisher that waits for
longer than ``held_s`` is ended with BUSY (CWP-10.2-2): it may try another broker.
"""

from __future__ import annotations

from typing import Final

from choria.errors import Reason

from .counters import Counters
from .member import Member
from .settings import BrokerSettings

LOOK_EVERY_S: Final = 0.05
"""No shell says when a queue has become shorter, so it is looked at."""


class Holding:
    """Which publishers wait for which relays.

    Args:
        settings: From how many bytes on, and for how long.
        counters: The hub's.
    """

    def __init__(self, settings: BrokerSettings, counters: Counters) -> None:
        self._settings = settings
        self._counters = counters
        self._held: dict[Member, dict[Member, float]] = {}  # relay -> publisher -> since when

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def hold(self, publisher: Member, relay: Member, now: float) -> None:
        """Pause ``publisher`` if what it just published made too much wait for ``relay``."""
        if relay.peer.pending_bytes <= self._settings.relay_hold_bytes:
            return
        held = self._held.setdefault(relay, {})
        if publisher not in held:
            held[publisher] = now
            publisher.pause()
            self._counters.held_back += 1

    def tick(self, now: float) -> float | None:
        """Let go on whose relay has caught up or gone. Returns when to look again."""
        for relay, held in list(self._held.items()):
            enough = relay.peer.pending_bytes * 2 <= self._settings.relay_hold_bytes
            if enough or relay.peer.closing or not relay.live:
                self._release(relay)
            else:
                self._end_overdue(held, now)
        return now + LOOK_EVERY_S if self._held else None

    def _release(self, relay: Member) -> None:
        for publisher in self._held.pop(relay):
            publisher.resume()

    def _end_overdue(self, held: dict[Member, float], now: float) -> None:
        late = [one for one, since in held.items() if now >= since + self._settings.held_s]
        for publisher in late:
            del held[publisher]
            text = "the relay to another network takes too little"
            publisher.peer.close(Reason.BUSY, text, retry_after_s=self._settings.held_s)
