"""A word that is a fact filter if it reads as one, else a name: ``-W`` and ``with()``."""

from __future__ import annotations

from typing import NamedTuple

from choria.errors import FilterError

from .facts import FactFilter, parse_fact
from .names import NameFilter, parse_name
from .regex import is_regex


class Word(NamedTuple):
    """One of the two: ``fact``, or ``text`` as the name of a class or an agent."""

    text: str
    fact: FactFilter | None

    @property
    def as_class(self) -> NameFilter:
        """The name as that of a class."""
        return parse_name(self.text, ignore_case=True)

    @property
    def as_agent(self) -> NameFilter:
        """The name as that of an agent."""
        return parse_name(self.text)


def parse_word(text: str) -> Word:
    """Read a word. ``/regex/`` is a name, whatever is in it.

    Raises:
        FilterError: it is neither; a fact filter with a mistake is not taken for a name.
    """
    if is_regex(text) or not _reads_as_fact(text):
        parse_name(text, ignore_case=True)
        return Word(text, None)
    return Word(text, parse_fact(text))


def _reads_as_fact(text: str) -> bool:
    try:
        parse_fact(text)
    except FilterError:
        return any(char in text for char in "=<>")  # a fact with a mistake is not a class
    return True
