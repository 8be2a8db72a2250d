"""What the parser makes: a closed set of nodes. ``at`` is where in the text the node stands."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

Literal: TypeAlias = str | int | float | bool | None


@dataclasses.dataclass(frozen=True, slots=True)
class Constant:
    """``"text"``, ``1``, ``2.5``, ``true``, ``nil``."""

    at: int
    value: Literal


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """``classes``; one that is not known is nil."""

    at: int
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """``#``: the list item that a closure is asked about."""

    at: int


@dataclasses.dataclass(frozen=True, slots=True)
class ListOf:
    """``[1, 2]``."""

    at: int
    items: tuple[Node, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Unary:
    """``not x``, ``-x``, ``+x``; ``!`` is ``not``."""

    at: int
    operator: str
    operand: Node


@dataclasses.dataclass(frozen=True, slots=True)
class Logic:
    """``a and b and c``, or the same with ``or``."""

    at: int
    operator: str
    operands: tuple[Node, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``, in one spelling of each operator."""

    at: int
    operator: str
    left: Node
    right: Node


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """``condition ? yes : no``."""

    at: int
    condition: Node
    yes: Node
    no: Node


@dataclasses.dataclass(frozen=True, slots=True)
class Index:
    """``of[key]`` and ``of.key``."""

    at: int
    of: Node
    key: Node


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """``function(arguments)``."""

    at: int
    function: str
    arguments: tuple[Node, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Closure:
    """``any(items, {predicate})`` and its relatives."""

    at: int
    function: str
    items: Node
    predicate: Node


Node: TypeAlias = (
    Constant | Variable | Item | ListOf | Unary | Logic | Binary | Choice | Index | Call | Closure
)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below."""
    found: list[Node] = []
    for name in node.__slots__[1:]:  # all but ``at``
        value: object = getattr(node, name)
        found += value if isinstance(value, tuple) else [value] if isinstance(value, Node) else []
    return tuple(found)
