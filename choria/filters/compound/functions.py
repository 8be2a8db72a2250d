"""The functions of the language, and data plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from choria.errors import FilterError
from choria.filters.regex import is_regex
from choria.filters.subject import Subject
from choria.filters.words import parse_word

from .budget import Budget
from .limits import CALL_STEPS, REGEX_STEPS
from .operators import is_in
from .semver import satisfies
from .values import name_of

_Function: TypeAlias = Callable[[list[Any], Subject, Budget], Any]


def call(name: str, arguments: list[Any], subject: Subject, budget: Budget) -> Any:
    """The value of a function. The parser has seen to the number of arguments.

    Raises:
        FilterError: it cannot be had from these values on this machine.
    """
    own = _FUNCTIONS.get(name)
    if own is not None:
        return own(arguments, subject, budget)
    budget.charge(CALL_STEPS)
    plugin = subject.functions.get(name)
    if plugin is None:
        raise FilterError(f"this machine has no data plugin {name}()")
    try:
        return plugin(*arguments)
    except FilterError:
        raise
    except Exception as exc:  # a plugin's bug must not stop the node
        raise FilterError(f"the data plugin {name}() failed: {exc!r}") from exc


def _text_of(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise FilterError(f"{what}() needs a text, not {name_of(value)}")
    return value


def _with(arguments: list[Any], subject: Subject, budget: Budget) -> bool:
    """A fact filter; else a class, else an agent of that name. The order is Choria's."""
    word = parse_word(_text_of(arguments[0], "with"))
    if word.fact is not None:
        budget.charge_lookup(word.fact.fact)
        return word.fact.holds(subject.facts)
    names = len(subject.classes) + len(subject.agents)
    budget.charge(REGEX_STEPS + names if is_regex(word.text) else 1 + names // 8)
    return word.as_class.holds_any(subject.classes) or word.as_agent.holds_any(subject.agents)


def _fact(arguments: list[Any], subject: Subject, budget: Budget) -> Any:
    path = _text_of(arguments[0], "fact")
    budget.charge_lookup(path)
    return subject.facts.value(path, budget.charge)


def _include(arguments: list[Any], _subject: Subject, budget: Budget) -> bool:
    items, wanted = arguments
    if items is not None and not isinstance(items, list):
        raise FilterError(f"include() needs a list, not {name_of(items)}")
    return is_in(wanted, items, budget)


def _semver(arguments: list[Any], _subject: Subject, budget: Budget) -> bool:
    budget.charge(REGEX_STEPS)
    version, constraint = arguments
    return satisfies(_text_of(version, "semver"), _text_of(constraint, "semver"))


def _len(arguments: list[Any], _subject: Subject, _budget: Budget) -> int:
    if not isinstance(arguments[0], str | list | dict):
        raise FilterError(f"{name_of(arguments[0])} has no length")
    return len(arguments[0])


_FUNCTIONS: Final[Mapping[str, _Function]] = {
    "with": _with, "fact": _fact, "include": _include, "semver": _semver, "len": _len,
}  # fmt: skip
