"""How often a network may ask: a token bucket for each, and a bounded number of buckets. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

BURST: Final = 50.0
PER_S: Final = 5.0
MAX_SOURCES: Final = 4096


class Pace:
    """Buckets by source; the least recently seen is forgotten, and is full when it comes again."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait_ms(self, source: str, now_ms: int) -> int:
        """0 and one question less, or how long ``source`` should wait before the next."""
        tokens, since_ms = self._buckets.pop(source, (BURST, now_ms))
        tokens = min(BURST, tokens + max(0, now_ms - since_ms) * PER_S / 1000)
        allowed = tokens >= 1
        self._buckets[source] = (tokens - 1 if allowed else tokens, now_ms)
        if len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)
        return 0 if allowed else int((1 - tokens) * 1000 / PER_S) + 1
