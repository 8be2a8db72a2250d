"""Turns the ``key=text`` of a command line into typed inputs, guided by the DDL."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from choria.errors import DDLError

from .inputs import check_inputs, usable_default
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
    if missing := _without(action, set(converted)):
        raise DDLError(_needs(action, missing))
    return check_inputs(action, converted)


def convert_input(action: ActionDDL, name: str, text: str) -> Any:
    """One input, typed and judged by itself. Raises DDLError as `convert_inputs` does."""
    item = action.inputs[name]
    alone = ActionDDL(name=action.name, inputs={name: item})
    return check_inputs(alone, {name: _convert(item, text)}).get(name)


def missing_inputs(action: ActionDDL, texts: Mapping[str, str]) -> list[InputItem]:
    """The inputs that are required, have no default, and were not given.

    Raises:
        DDLError: an input that was given is unknown.
    """
    return _without(action, {_find(action, given).name for given in texts})


def _without(action: ActionDDL, given: set[str]) -> list[InputItem]:
    needed = [item for item in action.inputs.values() if not item.optional]
    return [item for item in needed if item.name not in given and usable_default(item) is None]


def _needs(action: ActionDDL, missing: list[InputItem]) -> str:
    names = ", ".join(repr(item.name) for item in missing)
    example = " ".join(f"{item.name}=..." for item in missing)
    plural = "inputs" if len(missing) > 1 else "input"
    return f"{action.name} needs the {plural} {names}: write {example}"


def _find(action: ActionDDL, given: str) -> InputItem:
    if item := action.inputs.get(given):
        return item
    alike = [item for name, item in action.inputs.items() if name.lower() == given.lower()]
    if len(alike) != 1:
        raise DDLError(f"input {given!r}: {action.name} has no such input{_hint(action, given)}")
    return alike[0]


def _hint(action: ActionDDL, given: str) -> str:
    near = difflib.get_close_matches(given.lower(), action.inputs, n=1)
    known = ", ".join(sorted(action.inputs)) or "none"
    return f", did you mean {near[0]}? (it has: {known})" if near else f" (it has: {known})"


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
