"""How the value of one fact is compared with the text of a filter: one function a type.

What a row of types and operators means is Choria's (see ``facts`` for where we differ); the cases
stand as a table in the tests.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from choria.errors import FilterError

from .paths import Composite, Missing, Scalar
from .regex import parse_regex

_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    **_ORDER,
    "==": operator.eq,
    "!=": operator.ne,
}
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
# Python's own int() and float() would also take "1_000", " 7 ", "nan" and Arabic digits.
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,30}")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def judge(fact: Scalar | Missing | Composite, op: str, value: str) -> bool:
    """Compare a fact that exists with ``value``.

    Raises:
        FilterError: the two cannot be compared.
    """
    match fact:
        case str():
            return _text(fact, op, value)
        case bool():  # before int: True is an int in Python
            return _boolean(fact, op, value)
        case int() | float():
            return _number(fact, op, value)
        case _:
            return _nothing(op)


def _text(fact: str, op: str, value: str) -> bool:
    if op == "=~":
        return _found(value, fact)
    return _COMPARE[op](fact.lower(), value.lower())


def _boolean(fact: bool, op: str, value: str) -> bool:  # noqa: FBT001  # the fact itself
    if op in _ORDER:
        raise FilterError(f"a fact that is true or false has no order, so {op} cannot be asked")
    word = value.strip("/") if op == "=~" else value
    if op == "=~" and word not in _TRUE | _FALSE:
        return _found(value, "true" if fact else "false")
    same = word in (_TRUE if fact else _FALSE)
    return not same if op == "!=" else same


def _number(fact: float, op: str, value: str) -> bool:
    if not math.isfinite(fact):
        raise FilterError("a fact that is no finite number cannot be compared")
    if op == "=~":
        return _found(value, f"{fact:.4f}" if "." in value else str(int(fact)))
    if "." in value:
        return _COMPARE[op](fact, float(_wanted(_DECIMAL, value)))
    if op in _ORDER:
        return _ORDER[op](int(fact), int(_wanted(_WHOLE, value)))
    return _COMPARE[op](str(int(fact)), value)


def _nothing(op: str) -> bool:
    if op in _ORDER:
        raise FilterError(
            f"a fact that is null, a list or a map has no order, so {op} cannot be asked"
        )
    return False


def _wanted(shape: re.Pattern[str], value: str) -> str:
    if shape.fullmatch(value) is None:
        raise FilterError(f"the fact is a number and {value!r} is not")
    return value


def _found(expression: str, text: str) -> bool:
    return parse_regex(expression, ignore_case=True).found_in(text)
