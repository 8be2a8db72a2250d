"""What a relay has forwarded lately: kept by time, bounded in number, never forgotten early.

Theory of operation. Keys are kept in slots of ``SLOT_S``, and a slot is dropped as a whole when its
youngest key is older than ``KEEP_S``; so a key lives ``KEEP_S`` to ``KEEP_S + SLOT_S`` seconds at any
rate of messages. When there is no room a new key is refused, and what it stands for must not be
forwarded: a message that is not carried is a loss that delivery at most once allows, while one that
was forgotten is carried twice round a ring of networks (CWP-14.3-5). So that one asker's flood does
not silence a relay for the others, nobody may fill more than half (CWP-14.3-6).

Pure: the clock is passed in.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Hashable
from typing import Final

KEEP_S: Final = 300.0
"""CWP-14.3-3"""
SLOT_S: Final = 15.0
DEFAULT_CAPACITY: Final = 1_000_000
"""About 110 bytes each; 3,300 subjects a second can be remembered for 300 s."""

MIN_CAPACITY: Final = 1000
"""Of a configuration: two fan-outs to 256 subjects for each of two askers."""


class Seen(enum.Enum):
    """What the window says about a key."""

    NEW = "new"  # remembered from now on: forward it
    REPEATED = "repeated"  # forwarded already
    FULL = "full"  # no room to remember it: do not forward it


class _Slot:
    """Keys that came within ``SLOT_S``, and how many each owner has among them."""

    __slots__ = ("begin", "keys", "owners")

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self.keys: set[bytes] = set()
        self.owners: Counter[Hashable] = Counter()


class Window:
    """Remembers each key for ``KEEP_S`` seconds.

    Args:
        capacity: How many keys at most; one owner may have half of them.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._share = max(1, capacity // 2)
        self._slots: deque[_Slot] = deque()
        self._held: Counter[Hashable] = Counter()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def take(self, key: bytes, owner: Hashable, now: float) -> Seen:
        """Say what ``key`` is, and remember it when it is NEW.

        Args:
            key: A digest of what was forwarded.
            owner: Whose share of the room it takes.
            now: Monotonic seconds, never less than in the call before.
        """
        self.expire(now)
        if any(key in slot.keys for slot in self._slots):
            return Seen.REPEATED
        if self._size >= self._capacity or self._held[owner] >= self._share:
            return Seen.FULL
        self._remember(key, owner, now)
        return Seen.NEW

    def expire(self, now: float) -> None:
        """Drop the slots whose every key is older than ``KEEP_S``."""
        while self._slots and self._slots[0].begin + SLOT_S + KEEP_S <= now:
            slot = self._slots.popleft()
            self._size -= len(slot.keys)
            self._held -= slot.owners  # keeps positive counts only

    def _remember(self, key: bytes, owner: Hashable, now: float) -> None:
        if not self._slots or self._slots[-1].begin + SLOT_S <= now:
            self._slots.append(_Slot(now))
        slot = self._slots[-1]
        slot.keys.add(key)
        slot.owners[owner] += 1
        self._held[owner] += 1
        self._size += 1
