"""Types and defaults of inputs and outputs, as Python writes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from choria.ddl.inputs import usable_default
from choria.ddl.model import InputItem, OutputItem

_INPUTS: Final[Mapping[str, str]] = {
    "string": "str",
    "integer": "int",
    "float": "float",
    "number": "float",
    "boolean": "bool",
    "hash": "Mapping[str, Any]",
    "array": "Sequence[Any]",
}
_MUTABLE: Final = frozenset({_INPUTS["hash"], _INPUTS["array"]})
_OUTPUTS: Final[Mapping[str, str]] = {
    **_INPUTS,
    "hash": "dict[str, Any]",
    "array": "list[Any]",
}
TYPE_NAMES: Final = frozenset(
    {"str", "int", "float", "bool", "dict", "list", "Any", "Mapping", "Sequence", "Literal"}
)
_QUOTES: Final[Mapping[str, str]] = {'"': '\\"', "'": "'"}


def input_type(item: InputItem) -> str:
    """The type that a caller sees."""
    if item.type == "list":
        return _literal(item.choices)
    return _INPUTS.get(item.type, "Any")


def output_type(item: OutputItem) -> str:
    """What the DDL says a node answers. What it answers is the node's affair."""
    return _OUTPUTS.get(item.type, "Any")


def parameter(name: str, item: InputItem) -> str:
    """``name: type = default``: what may be left out has a default."""
    kind, default = input_type(item), usable_default(item)
    if default is None and not item.optional:
        return f"{name}: {kind}"
    if kind == "Any":
        return f"{name}: Any = None"
    said = _spelt(default)
    if said is None or kind in _MUTABLE:
        return f"{name}: {kind} | None = None"
    return f"{name}: {kind} | None = {said}" if item.optional else f"{name}: {kind} = {said}"


def _literal(choices: Iterable[Any]) -> str:
    said = list(dict.fromkeys(_spelt(each) or "" for each in choices))
    wrong = not said or any(isinstance(each, float) for each in choices) or "" in said
    return "Any" if wrong else f"Literal[{', '.join(said)}]"


def _spelt(value: Any) -> str | None:
    """A text or number as Python writes it in ASCII; None for what has no such literal."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else None
    return repr(value) if isinstance(value, bool | int) else None


def quoted(text: str) -> str:
    """A text as a literal in double quotes and ASCII."""
    return '"' + "".join(_QUOTES.get(each) or ascii(each)[1:-1] for each in text) + '"'
