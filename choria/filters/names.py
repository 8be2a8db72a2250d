"""Conditions on names: a class, an agent or an identity, written exactly or as ``/regex/``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from choria.errors import FilterError

from .regex import is_regex, parse_regex

MAX_NAME_CHARS: Final = 514  # an expression of MAX_REGEX_CHARS and its slashes


class NameFilter(msgspec.Struct, frozen=True):
    r"""One name or one ``/regex/``. Make it with ``parse_name``, which checks it.

    ``ignore_case`` is for classes. Choria lower-cases only the filter's side, which makes ``\S`` in
    an expression mean ``\s`` and can never find a class with a capital; here both sides count the
    same in any case.
    """

    text: str
    ignore_case: bool = False

    def holds(self, name: str) -> bool:
        """Whether ``name`` is the one that is meant."""
        return self.holds_any((name,))

    def holds_any(self, names: Iterable[str]) -> bool:
        """Whether one of ``names`` is the one that is meant."""
        if is_regex(self.text):
            expression = parse_regex(self.text, ignore_case=self.ignore_case)
            return any(expression.found_in(name) for name in names)
        if self.ignore_case:
            return self.text.lower() in (name.lower() for name in names)
        return self.text in names


def parse_name(text: str, *, ignore_case: bool = False) -> NameFilter:
    """Read a name or an expression.

    Raises:
        FilterError: it is empty, too long, holds unprintable characters, or is a bad expression.
    """
    if not 0 < len(text) <= MAX_NAME_CHARS:
        raise FilterError(f"a name in a filter has 1 to {MAX_NAME_CHARS} characters")
    if not text.isprintable() or text != text.strip():
        raise FilterError(f"{text!r} holds characters that no name has")
    if is_regex(text):
        parse_regex(text, ignore_case=ignore_case)
    return NameFilter(text, ignore_case)
