"""The progress line: how many of how many, how fast, how long still. Pure: a clock comes in."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ._terminal import cut

BAR = 24
RATE_OVER_S = 0.5
"""A rate over less than this says nothing."""


@attrs.define
class Progress:
    """What the line says. ``now`` is monotonic seconds."""

    now: Callable[[], float]
    _started: float = 0.0
    _answered: int = 0
    _expected: int | None = None

    def start(self, expected: int) -> None:
        """So many were asked, now."""
        self._started, self._expected = self.now(), expected

    def note(self, answered: int, expected: int) -> None:
        """So many have answered."""
        self._answered, self._expected = answered, expected

    def line(self, width: int) -> str:
        """The line, within ``width`` columns."""
        if self._expected is None:
            return cut("finding nodes ...", width)
        elapsed = self.now() - self._started
        share = self._answered / self._expected if self._expected else 1.0
        filled = round(BAR * share)
        bar = ("=" * filled + ">" * (filled < BAR)).ljust(BAR)
        parts = [f"[{bar}] {self._answered} / {self._expected}", *self._pace(elapsed)]
        return cut("  ".join(parts), width)

    def _pace(self, elapsed: float) -> list[str]:
        if elapsed < RATE_OVER_S or self._expected is None:
            return []
        rate = self._answered / elapsed
        left = self._expected - self._answered
        if not rate or not left:
            return [f"{elapsed:.0f} s"]
        return [f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s", f"{left / rate:.0f} s left"]
