"""Equality, order and arithmetic of JSON values.

Types never mix by themselves: ``1 == "1"`` and ``1 == true`` are false, ``1 < "2"`` cannot be
judged. Whole and decimal numbers are one kind of number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from choria.errors import FilterError

from .budget import Budget
from .limits import MAX_INTEGER, MAX_STRING_CHARS

_MAX_DEPTH: Final = 16


def name_of(value: object) -> str:
    """The type of a value, for people."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list() | tuple():
            return "a list"
        case _:
            return "a map"


def is_number(value: object) -> bool:
    """Whether it is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Any, right: Any, budget: Budget, depth: int = 0) -> bool:
    """Whether two values are the same.

    Raises:
        FilterError: the budget is used up, or they are nested too deep.
    """
    budget.charge(1)
    if depth > _MAX_DEPTH:
        raise FilterError("values nested that deep cannot be compared")
    if isinstance(left, str) and isinstance(right, str):
        budget.charge_text(min(len(left), len(right)))
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            equal(a, b, budget, depth + 1) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            equal(left[key], right[key], budget, depth + 1) for key in left
        )
    if is_number(left) and is_number(right):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def ordered(op: str, left: Any, right: Any, budget: Budget) -> bool:
    """``<`` and its relatives, on two numbers or two texts.

    Raises:
        FilterError: they have no order.
    """
    if isinstance(left, str) and isinstance(right, str):
        budget.charge_text(min(len(left), len(right)))
    elif not (is_number(left) and is_number(right)):
        raise FilterError(f"{name_of(left)} and {name_of(right)} have no order, so no {op}")
    return _ORDER[op](left, right)


def arithmetic(op: str, left: Any, right: Any, budget: Budget) -> int | float | str:
    """``+ - * / %`` on numbers, and ``+`` on texts.

    Raises:
        FilterError: it cannot be computed: other types, division by 0, a result that is too large.
    """
    if op == "+" and isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > MAX_STRING_CHARS:
            raise FilterError(f"a text grows beyond {MAX_STRING_CHARS} characters")
        budget.charge_text(len(left) + len(right))
        return left + right
    if not (is_number(left) and is_number(right)):
        raise FilterError(f"{name_of(left)} {op} {name_of(right)} cannot be computed")
    if op in "/%" and right == 0:
        raise FilterError("division by 0")
    return in_range(_COMPUTE[op](left, right))


def in_range(number: float) -> int | float:
    """``number``, if it is finite and a whole one has 64 bits.

    Raises:
        FilterError: it is not.
    """
    if isinstance(number, int):
        if abs(number) > MAX_INTEGER:
            raise FilterError("a whole number grows beyond 64 bits")
    elif number - number != 0:
        raise FilterError("a number grows beyond what numbers can be")
    return number


def _remainder(left: float, right: float) -> int:
    """As in Go: the sign is the left one's. Facts may hold 8.0 for 8."""
    if left != int(left) or right != int(right):
        raise FilterError("% needs whole numbers")
    size = abs(int(left)) % abs(int(right))
    return -size if left < 0 else size


_COMPUTE: Final[Mapping[str, Callable[[Any, Any], int | float]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": _remainder,
}  # fmt: skip
