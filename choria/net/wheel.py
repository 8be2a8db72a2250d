"""Deadlines of many things, looked at lazily: nothing is moved when a deadline moves later.

Each frame that comes in moves its link's deadline; a heap entry a frame would cost more than the
frame. So a thing is entered once, and when its slot is due its owner looks whether the deadline has
moved, and enters it again. 50,000 links with 25 s between PINGs are 500 looks a slot.
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Wheel(Generic[T]):
    """Things by the slot of time in which they are due."""

    def __init__(self, *, slot_s: float) -> None:
        self._slot_s = slot_s
        self._slots: dict[int, list[T]] = {}
        self._order: list[int] = []

    def enter(self, thing: T, at: float) -> None:
        """Give ``thing`` out at ``at`` or up to one slot later, never earlier."""
        slot = int(at / self._slot_s) + 1
        things = self._slots.get(slot)
        if things is None:
            self._slots[slot] = [thing]
            heapq.heappush(self._order, slot)
        else:
            things.append(thing)

    def next_time(self) -> float | None:
        """When ``due`` has something to give; None when nothing was entered."""
        return self._order[0] * self._slot_s if self._order else None

    def due(self, now: float) -> list[T]:
        """What is due, removed."""
        things: list[T] = []
        while self._order and self._order[0] * self._slot_s <= now:
            things += self._slots.pop(heapq.heappop(self._order))
        return things
