"""Steps of handshakes, a few at a time, so that messages pass between them.

A step costs 0.3 to 0.7 ms of CPU and runs in the loop. In worker threads it was slower on every
count (measured: a login 2.5 ms of CPU and 2.3 ms of wall time on two cores, 1.8 and 1.8 here): half
of a login is Python, which only one thread runs at a time, and every hop wakes somebody. What
matters is how many steps the pump must wait for. So a step holds one of few places until the next
pass of the loop; who finds none waits, first come, first served. Nobody holds a place while waiting
for the network: a slow stranger costs memory and never a place (E7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


class Ration:
    """At most ``places`` steps in one pass of Trio's loop."""

    def __init__(self, places: int) -> None:
        self._places = trio.Semaphore(places)

    async def run(self, step: Callable[[bytes], T], data: bytes) -> T:
        """Return ``step(data)`` when it had its turn. Cancel-safe: the step was done or was not."""
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            await self._places.acquire()
        try:
            return step(data)
        finally:
            # Also after a failure: refusing is work too. Shielded, because the step is done.
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._places.release()
