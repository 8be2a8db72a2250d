"""The facts and classes fields of a rule: ``*``, conditions that must all hold, or a statement.

A statement has ``and``, ``or``, ``not``, ``!`` or parentheses (see ``statements``); Choria's Go code
skips a rule that holds one, and a skipped ``deny`` lets in whom it was to keep out. A rule with a
condition that cannot be read denies the calls that it selects by caller and action, and says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from choria.errors import FilterError, PolicyError
from choria.filters import FactFilter, Facts, NameFilter, is_regex, parse_fact, parse_name

from .statements import Statement, is_statement, parse_statement


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """What one field asks for. ``trouble`` is why it cannot be judged, else empty."""

    facts: tuple[FactFilter, ...] = ()
    classes: tuple[NameFilter, ...] = ()
    statement: Statement | None = None
    trouble: str = ""

    def holds(self, facts: Facts | Mapping[str, Any], classes: Collection[str]) -> bool:
        """Whether this machine meets the condition.

        Raises:
            PolicyError, FilterError: it cannot be judged; the call is to be denied.
        """
        if self.trouble:
            raise PolicyError(self.trouble)
        if self.facts:
            known = Facts.of(facts)
            if not all(fact.holds(known) for fact in self.facts):
                return False
        if self.statement and not self.statement.holds(Facts.of(facts), classes):
            return False
        return all(name.holds_any(classes) for name in self.classes)


ALWAYS: Final = Condition()


def parse_facts(field: str) -> Condition:
    """Read the facts field: ``*`` or fact filters between spaces."""
    return _parse(field, lambda parts: Condition(facts=tuple(map(parse_fact, parts))))


def parse_classes(field: str) -> Condition:
    """Read the classes field: ``*`` or names and ``/regex/`` between spaces."""
    return _parse(field, lambda parts: Condition(classes=tuple(map(_class, parts))))


def _parse(field: str, read: Callable[[list[str]], Condition]) -> Condition:
    parts = field.split()
    if parts == ["*"]:
        return ALWAYS
    try:
        if is_statement(field):
            return Condition(statement=parse_statement(field))
        return read(parts)
    except FilterError as exc:
        return Condition(trouble=str(exc))


def _class(text: str) -> NameFilter:
    if text == "*":
        raise FilterError("* means all classes and stands alone")
    if not is_regex(text) and _reads_as_fact(text):
        raise FilterError(f"{text!r} is a fact and stands where classes are expected")
    return parse_name(text, ignore_case=True)


def _reads_as_fact(text: str) -> bool:
    try:
        parse_fact(text)
    except FilterError:
        return False
    return True
