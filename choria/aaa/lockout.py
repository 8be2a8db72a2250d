"""How often somebody may fail: counted before the password is judged, forgotten when it was right.

An attempt counts as failed from its beginning, so that a thousand guesses sent at the same moment are
not a thousand free ones. Tables are bounded; those of users who are there and of names that are not
are kept apart, so that a flood of names makes nobody's failures forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LockoutRules:
    """When to lock, and for how long.

    Attributes:
        free: failures in a row that lock nothing.
        first_ms: how long the next one locks; each further one twice as long.
        most_ms: and never longer.
        forget_ms: after so long without a failure all is forgotten.
    """

    free: int = 5
    first_ms: int = 30_000
    most_ms: int = 900_000
    forget_ms: int = 3_600_000


BY_USER = LockoutRules()
BY_SOURCE = LockoutRules(free=20)


class Lockouts:
    """Failures by key. Pure: time is passed in."""

    __slots__ = ("_capacity", "_failures", "_rules")

    def __init__(self, rules: LockoutRules, capacity: int) -> None:
        """Keep at most ``capacity`` keys; beyond, the one that failed longest ago is forgotten."""
        self._rules = rules
        self._capacity = capacity
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()  # count, last at

    def __len__(self) -> int:
        return len(self._failures)

    def wait_ms(self, key: str, now_ms: int) -> int:
        """0, or for how long this key is locked still."""
        count, last_ms = self._failures.get(key, (0, 0))
        beyond = count - self._rules.free
        if beyond <= 0:
            return 0
        lock_ms = min(self._rules.first_ms << min(beyond - 1, 16), self._rules.most_ms)
        return max(0, last_ms + lock_ms - now_ms)

    def begin(self, key: str, now_ms: int) -> None:
        """Count an attempt as failed, until `succeeded` says otherwise."""
        count, last_ms = self._failures.pop(key, (0, now_ms))
        if now_ms - last_ms >= self._rules.forget_ms:
            count = 0
        self._failures[key] = (count + 1, now_ms)
        if len(self._failures) > self._capacity:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of this key."""
        self._failures.pop(key, None)

    def undo(self, key: str) -> None:
        """Take one attempt back that did not fail after all; earlier failures stay."""
        count, last_ms = self._failures.get(key, (0, 0))
        if count > 1:
            self._failures[key] = (count - 1, last_ms)
        else:
            self._failures.pop(key, None)
