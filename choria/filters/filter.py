"""A whole filter: conditions of five kinds, how they travel, and the verdict.

Kinds are joined by AND. Within identities one is enough (OR); facts, classes, agents and compound
expressions must all hold (AND). The empty filter matches every machine.

On the wire a filter is a map ``{1: identities, 2: facts, 3: agents, 4: classes, 5: compound}`` with empty kinds
left out; a fact is ``[fact, operator, value]``. An unknown key is always refused, whatever its
number: a machine that ignored a condition would run what it was not meant to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from choria.errors import FilterError

from . import compound as language  # its names import at first use: few filters have expressions
from .facts import FactFilter, Operator, parse_fact
from .names import NameFilter, parse_name
from .paths import Facts
from .regex import is_regex
from .subject import Subject
from .words import parse_word

_T = TypeVar("_T")

MAX_CONDITIONS: Final = 256
"""Conditions of one kind. More names than this are directed requests, not filters."""

MAX_COMPOUNDS: Final = 16
"""Compound expressions of one filter: each may cost what ``choria.filters.compound`` allows."""

_IDENTITIES, _FACTS, _AGENTS, _CLASSES, _COMPOUNDS = 1, 2, 3, 4, 5


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which machines are meant. Make one with ``parse_filter`` or ``Filter.from_wire``."""

    identities: tuple[NameFilter, ...] = ()
    facts: tuple[FactFilter, ...] = ()
    agents: tuple[NameFilter, ...] = ()
    classes: tuple[NameFilter, ...] = ()
    compounds: tuple[language.Compound, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every machine matches."""
        return self == Filter()

    @property
    def plain_identities(self) -> tuple[str, ...] | None:
        """The names, when names without expressions are all that the filter holds.

        Such a filter is its own answer: discovery need not ask the fleet.
        """
        texts = tuple(name.text for name in self.identities)
        only_names = self == Filter(identities=self.identities) and not any(map(is_regex, texts))
        return texts if texts and only_names else None

    def to_wire(self) -> dict[int, list[Any]]:
        """The filter as it stands in a request."""
        kinds: dict[int, list[Any]] = {
            _IDENTITIES: [name.text for name in self.identities],
            _FACTS: [[f.fact, f.operator.value, f.value] for f in self.facts],
            _AGENTS: [name.text for name in self.agents],
            _CLASSES: [name.text for name in self.classes],
            _COMPOUNDS: [compound.text for compound in self.compounds],
        }
        return {key: conditions for key, conditions in kinds.items() if conditions}

    @classmethod
    def from_wire(cls, wire: Mapping[Any, Any], functions: Collection[str] | None = None) -> Filter:
        """Read what ``to_wire`` made; ``functions`` as in `parse_compound`.

        Raises:
            FilterError: the shape is wrong, a kind is unknown, or a condition cannot be read.
        """
        unknown = set(wire) - {_IDENTITIES, _FACTS, _AGENTS, _CLASSES, _COMPOUNDS}
        if unknown or any(type(key) is not int for key in wire):
            raise FilterError(
                f"the filter holds kinds of condition that are unknown here: {sorted(map(str, unknown))}"
            )
        rest = parse_filter(
            identities=_conditions(wire, _IDENTITIES, str),
            facts=[_fact(row) for row in _conditions(wire, _FACTS, list)],
            agents=_conditions(wire, _AGENTS, str),
            classes=_conditions(wire, _CLASSES, str),
        )
        texts = _few(_conditions(wire, _COMPOUNDS, str))
        compounds = tuple(language.parse_compound(text, functions) for text in texts)
        return msgspec.structs.replace(rest, compounds=compounds)

    @property
    def plugins(self) -> tuple[str, ...]:
        """The data plugins that its expressions call, each once."""
        return tuple(sorted({name for each in self.compounds for name in each.plugins}))


def parse_filter(  # noqa: PLR0913  # one for each flag
    *,
    identities: Iterable[str] = (),
    facts: Iterable[str | FactFilter] = (),
    agents: Iterable[str] = (),
    classes: Iterable[str] = (),
    combined: Iterable[str] = (),
    compounds: Iterable[str] = (),
    functions: Collection[str] | None = None,
) -> Filter:
    """Read a filter as typed: ``-I``, ``-F``, ``-A``, ``-C``, ``-W`` and ``-S``.

    ``combined`` texts are split at spaces; a part that reads as a fact filter is one, any other is
    a class, as Choria's ``-W "country=uk /apache/"``. ``compounds`` may call the data plugins that
    ``functions`` names; None: any that looks like none of the language's own functions mistyped.

    Raises:
        FilterError: a condition cannot be read, or there are too many.
    """
    words = [parse_word(part) for part in " ".join(combined).split()]
    fact_list = [parse_fact(f) if isinstance(f, str) else f for f in facts]
    fact_list += [word.fact for word in words if word.fact is not None]
    class_list = [*classes, *(word.text for word in words if word.fact is None)]
    return Filter(
        identities=_bounded(parse_name(name) for name in identities),
        facts=_bounded(fact_list),
        agents=_bounded(parse_name(name) for name in agents),
        classes=_bounded(parse_name(name, ignore_case=True) for name in class_list),
        compounds=tuple(language.parse_typed_compound(text, functions) for text in _few(compounds)),
    )


def _few(texts: Iterable[str]) -> list[str]:
    kept = list(texts)
    if len(kept) > MAX_COMPOUNDS:
        raise FilterError(f"a filter has at most {MAX_COMPOUNDS} compound expressions")
    return kept


def matches(wanted: Filter, subject: Subject) -> bool:
    """Whether a machine is meant. A condition that makes no sense for its facts is not met."""
    return judge_filter(wanted, subject).holds


def judge_filter(wanted: Filter, subject: Subject) -> language.Judgement:
    """Whether a machine is meant; if an expression cannot be judged there, why."""
    if not _simple_hold(wanted, subject):
        return language.Judgement(holds=False)
    budget = (
        language.Budget()
    )  # one for all: a filter must not cost sixteen times what an expression may
    for compound in wanted.compounds:
        judged = compound.judge(subject, budget)
        if not judged.holds:
            return judged
    return language.Judgement(holds=True)


def _simple_hold(wanted: Filter, subject: Subject) -> bool:
    if wanted.identities and not any(name.holds(subject.identity) for name in wanted.identities):
        return False
    if not all(name.holds_any(subject.agents) for name in wanted.agents):
        return False
    if not all(name.holds_any(subject.classes) for name in wanted.classes):
        return False
    return all(_holds(fact, subject.facts) for fact in wanted.facts)


def _holds(fact: FactFilter, facts: Facts) -> bool:
    try:
        return fact.holds(facts)
    except FilterError:
        return False


def _bounded(conditions: Iterable[_T]) -> tuple[_T, ...]:
    kept = tuple(conditions)
    if len(kept) > MAX_CONDITIONS:
        raise FilterError(f"a filter has at most {MAX_CONDITIONS} conditions of one kind")
    return kept


def _conditions(wire: Mapping[Any, Any], key: int, kind: type) -> list[Any]:
    found = wire.get(key, [])
    if not isinstance(found, list | tuple) or not all(isinstance(item, kind) for item in found):
        raise FilterError(f"kind {key} of the filter is not a list of conditions")
    return list(found)


def _fact(row: list[Any]) -> FactFilter:
    if len(row) != 3 or not all(isinstance(item, str) for item in row):
        raise FilterError("a condition on a fact is [fact, operator, value]")
    fact, operator, value = row
    if operator not in set(Operator):
        raise FilterError(f"{operator!r} is no operator")
    return FactFilter(fact, Operator(operator), value)
