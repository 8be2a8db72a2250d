"""What the node counts. Choria's names come first, because operators' scripts read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAMES: Final = (
    # Choria's (choria.md 1.2); events stay 0 until there are lifecycle events.
    "total", "validated", "unvalidated", "passed", "filtered", "replies", "ttlexpired", "events",
    # Ours: one for each way in which a request can end that Choria does not count.
    "malformed", "misaddressed", "misdirected", "duplicates", "conflicts", "denied", "busy",
    "invalid", "unknown", "failed", "timedout", "oversized", "succeeded", "unsent", "unaudited",
)  # fmt: skip


class Counters:
    """Counts from zero at the start of the node; never goes back."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = dict.fromkeys(NAMES, 0)

    def add(self, name: str) -> None:
        """Count one. Raises KeyError for a name that is not in ``NAMES``."""
        self._counts[name] += 1

    def snapshot(self) -> Mapping[str, int]:
        """All counts now, as a copy."""
        return dict(self._counts)
