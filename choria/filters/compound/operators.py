"""What ``left operator right`` is. Both sides are known; ``and`` and ``or`` are elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from choria.errors import FilterError

from .budget import Budget
from .values import arithmetic, equal, name_of, ordered

_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_TEXT: Final = frozenset({"matches", "contains", "startsWith", "endsWith"})


def binary(operator: str, left: Any, right: Any, budget: Budget) -> Any:
    """The value of an operation.

    Raises:
        FilterError: the operator makes no sense for these values.
    """
    if operator in {"==", "!="}:
        return equal(left, right, budget) is (operator == "==")
    if operator in _ORDER:
        return ordered(operator, left, right, budget)
    if operator == "in":
        return is_in(left, right, budget)
    if operator in _TEXT:
        return _text(operator, left, right, budget)
    return arithmetic(operator, left, right, budget)


def is_in(what: Any, where: Any, budget: Budget) -> bool:
    """Whether a list has an item, or a map a key; nothing is in nil.

    Raises:
        FilterError: ``where`` is none of these.
    """
    if where is None:
        return False
    if isinstance(where, dict):
        return isinstance(what, str) and what in where
    if not isinstance(where, list):
        raise FilterError(f"nothing is in {name_of(where)}; for texts there is contains")
    return any(equal(item, what, budget) for item in where)


def _text(operator: str, left: Any, right: Any, budget: Budget) -> bool:
    if left is None or right is None:
        return False  # a machine without the fact: the answer is no, and "not" makes it yes
    if not (isinstance(left, str) and isinstance(right, str)):
        raise FilterError(f"{operator} needs two texts, not {name_of(left)} and {name_of(right)}")
    budget.charge_text(len(left) + len(right))
    if operator == "matches":
        return budget.regex(right).found_in(left)
    return _JUDGES[operator](left, right)


_JUDGES: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "contains": lambda left, right: right in left,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}


def field(of: Any, key: Any) -> Any:
    """``of[key]``: the field of a map, nil if it has none, or the item of a list.

    Raises:
        FilterError: there is nothing to be had.
    """
    if isinstance(of, dict) and isinstance(key, str):
        return of.get(key)
    if isinstance(of, list) and isinstance(key, int) and not isinstance(key, bool):
        if not -len(of) <= key < len(of):
            raise FilterError(f"the list has {len(of)} items, none at {key}")
        return of[key]
    raise FilterError(f"{name_of(of)} has nothing at {str(key)[:40]!r}")
