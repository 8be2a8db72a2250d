"""What one evaluation may still spend, and the expressions that it has compiled."""

from __future__ import annotations

from typing import Final

from choria.errors import FilterError
from choria.filters.regex import Regex, compile_regex

from .limits import CHARS_PER_STEP, LOOKUP_STEPS, MAX_STEPS, REGEX_STEPS, SEARCH_STEPS

_SEARCHES: Final = frozenset("*?|@(")
_SPENT: Final = f"the expression takes more than {MAX_STEPS} steps on this machine"


class Budget:
    """Steps of one evaluation."""

    __slots__ = ("_left", "_regexes")

    def __init__(self) -> None:
        self._left = MAX_STEPS
        self._regexes: dict[str, Regex] = {}

    def charge(self, steps: int) -> None:
        """Take steps.

        Raises:
            FilterError: there are none left.
        """
        self._left -= steps
        if self._left < 0:
            raise FilterError(_SPENT)

    def charge_text(self, chars: int) -> None:
        """Take the price of looking through some text."""
        self.charge(chars // CHARS_PER_STEP)

    def charge_lookup(self, path: str) -> None:
        """Take the price of looking up a fact."""
        self.charge(SEARCH_STEPS if _SEARCHES & set(path) else LOOKUP_STEPS)

    def regex(self, text: str) -> Regex:
        """A regular expression, compiled once.

        Raises:
            FilterError: it is none.
        """
        if text not in self._regexes:
            self.charge(REGEX_STEPS)
            self._regexes[text] = compile_regex(text, ignore_case=False)
        return self._regexes[text]
