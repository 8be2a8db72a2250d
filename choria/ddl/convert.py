"""Turns the ``key=text`` of a command line into typed inputs, guided by the DDL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from choria.errors import DDLError

from .inputs import check_inputs
from .model import ActionDDL, InputItem

# Go's strconv.ParseBool, which operators' scripts rely on.
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def convert_inputs(action: ActionDDL, texts: Mapping[str, str]) -> dict[str, Any]:
    """Typed, judged inputs with defaults, from text as typed.

    A name in the wrong case is forgiven when only one input can be meant, as Choria lower-cases it.

    Raises:
        DDLError: an input that is unknown, cannot be read as its type, or is refused by the DDL.
    """
    converted: dict[str, Any] = {}
    for given, text in texts.items():
        item = _find(action, given)
        if item.name in converted:
            raise DDLError(f"input {item.name!r}: given twice")
        converted[item.name] = _convert(item, text)
    return check_inputs(action, converted)


def _find(action: ActionDDL, given: str) -> InputItem:
    if item := action.inputs.get(given):
        return item
    alike = [item for name, item in action.inputs.items() if name.lower() == given.lower()]
    if len(alike) != 1:
        known = ", ".join(sorted(action.inputs)) or "none"
        raise DDLError(f"input {given!r}: {action.name} has no such input (it has: {known})")
    return alike[0]


def _convert(item: InputItem, text: str) -> Any:
    reader = _READERS.get(item.type)
    if reader is None:
        return text
    try:
        return reader(item, text)
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise DDLError(f"input {item.name!r}: {text!r} cannot be read as {item.type}") from None


def _boolean(_item: InputItem, text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(text)


def _integer(_item: InputItem, text: str) -> int:
    if "_" in text or len(text) > 32:  # int() would take 1_000, and very long text slowly
        raise ValueError(text)
    return int(text)


def _float(_item: InputItem, text: str) -> float:
    if "_" in text:
        raise ValueError(text)
    return float(text)


def _number(item: InputItem, text: str) -> int | float:
    try:
        return _integer(item, text)
    except ValueError:
        return _float(item, text)


def _json(_item: InputItem, text: str) -> Any:
    return msgspec.json.decode(text)


def _choice(item: InputItem, text: str) -> Any:
    """The choice that looks like the text: a DDL may list numbers."""
    return next((choice for choice in item.choices if str(choice) == text), text)


_READERS: Final[Mapping[str, Callable[[InputItem, str], Any]]] = {
    "boolean": _boolean,
    "integer": _integer,
    "float": _float,
    "number": _number,
    "hash": _json,
    "array": _json,
    "list": _choice,
}
"""Types whose text is not already the value."""
