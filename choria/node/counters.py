"""What the node counts. Choria's names come first, because operators' scripts read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import attrs

NAMES: Final = (
    # Choria's (choria.md 1.2); events stay 0 until there are lifecycle events.
    "total", "validated", "unvalidated", "passed", "filtered", "replies", "ttlexpired", "events",
    # Ours: one for each way in which a request can end that Choria does not count.
    "malformed", "misaddressed", "misdirected", "duplicates", "conflicts", "denied", "busy",
    "invalid", "unknown", "failed", "timedout", "oversized", "succeeded", "unsent", "unaudited",
)  # fmt: skip


@attrs.define
class ActionCounts:
    """What the actions of one agent took."""

    count: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0

    def as_map(self) -> dict[str, float]:
        """For the status document."""
        return {"count": self.count, "seconds": self.seconds, "slowest_s": self.slowest_s}


class Counters:
    """Counts from zero at the start of the node; never goes back."""

    __slots__ = ("_actions", "_counts", "_outcomes")

    def __init__(self) -> None:
        self._counts = dict.fromkeys(NAMES, 0)
        self._outcomes: Counter[str] = Counter()
        self._actions: dict[str, ActionCounts] = {}

    def add(self, name: str) -> None:
        """Count one. Raises KeyError for a name that is not in ``NAMES``."""
        self._counts[name] += 1

    def snapshot(self) -> Mapping[str, int]:
        """All counts now, as a copy."""
        return dict(self._counts)

    def ended(self, outcome: str) -> None:
        """Count one request by the word that the audit log has for its end."""
        self._outcomes[outcome] += 1

    def outcomes(self) -> Mapping[str, int]:
        """How often each outcome was met, as a copy."""
        return dict(sorted(self._outcomes.items()))

    def ran(self, agent: str, seconds: float) -> None:
        """Count an action that was run, whatever came of it. ``agent`` is hosted: its name is bounded."""
        counts = self._actions.setdefault(agent, ActionCounts())
        counts.count += 1
        counts.seconds += seconds
        counts.slowest_s = max(counts.slowest_s, seconds)

    def actions(self) -> Mapping[str, ActionCounts]:
        """What each agent's actions took since the start of the node."""
        return dict(sorted(self._actions.items()))
