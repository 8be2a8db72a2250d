"""Amounts of nodes as operators write them: ``10`` or ``10%``. Pure."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

import attrs

from choria.errors import UsageError

MAX_COUNT: Final = 10_000_000
_AMOUNT: Final = re.compile(r"(?P<number>[0-9]{1,8})(?P<part>\.[0-9]{1,4})?(?P<percent>%)?")


@attrs.frozen
class Amount:
    """A number of nodes, or a share of them. Make one with ``parse_amount``."""

    text: str
    count: int | None
    share: Fraction | None

    def floor_of(self, total: int) -> int:
        """How many of ``total`` nodes, rounded down and never more than there are."""
        wanted = self.count if self.share is None else int(self.share * total)
        return min(wanted or 0, total)

    def step_of(self, total: int) -> int:
        """The same as the size of a step: at least one, or a rollout would never go on."""
        return max(1, self.floor_of(total))

    def failures_of(self, total: int) -> int:
        """The number of failures that is at least this share of ``total``: rounded up."""
        if self.share is None:
            return self.count or 0
        return max(1, -int(-(self.share * total) // 1))


def parse_amount(text: str, flag: str) -> Amount:
    """Read ``10``, ``10%`` or ``2.5%``, more than nothing and at most everything.

    Raises:
        UsageError: it is none of these; the sentence names ``flag``.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or (match["part"] and not match["percent"]):
        raise UsageError(
            f"{flag} {text!r}: write a number of nodes such as 5, or a share such as 10%"
        )
    number = Fraction(match["number"] + (match["part"] or ""))
    if not match["percent"]:
        _check(0 < number <= MAX_COUNT, flag, text, f"from 1 to {MAX_COUNT}")
        return Amount(text.strip(), int(number), None)
    _check(0 < number <= 100, flag, text, "more than 0% and at most 100%")
    return Amount(text.strip(), None, number / 100)


def _check(good: bool, flag: str, text: str, bounds: str) -> None:  # noqa: FBT001  # a condition and its words
    if not good:
        raise UsageError(f"{flag} {text!r}: {bounds}")
