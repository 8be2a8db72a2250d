"""From a CDDL file to hypothesis strategies for instances of its rules.

Made from cddlparser's syntax tree, while the tests validate with cddl-verifier: two independent
readers of the same file, so that their agreement says something about each of them, too. It covers
the constructs that our two files use, and fails loudly on any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cddlparser
from cddlparser import ast
from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]
Pairs = list[tuple[Any, Any]]

_PRELUDE: dict[str, Strategy] = {
    "uint": st.integers(0, 2**64 - 1),
    "bstr": st.binary(max_size=40),
    "tstr": st.text(max_size=20),
    "bool": st.booleans(),
    "null": st.none(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
}
_PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60)
_MORE = 3  # how many beyond the least an open-ended occurrence is given


class Instances:
    """Strategies for the rules of one CDDL text."""

    def __init__(self, text: str) -> None:
        self._rules = {rule.name.name: rule.type for rule in cddlparser.parse(text).rules}
        self._made: dict[str, Strategy] = {}

    def of(self, name: str) -> Strategy:
        """Instances of the rule ``name``, as Python values."""
        if name not in self._rules:
            return _PRELUDE[name]
        if name not in self._made:
            self._made[name] = st.deferred(lambda: self._type(self._rules[name]))
        return self._made[name]

    def _type(self, node: Any) -> Strategy:
        makers: dict[type, Callable[[Any], Strategy]] = {
            ast.Type: lambda n: st.one_of([self._type(one) for one in n.types]),
            ast.Typename: lambda n: self.of(n.name),
            ast.Value: lambda n: st.just(_value(n)),
            ast.Range: lambda n: _between(_value(n.min), _value(n.max)),
            ast.Operator: self._controlled,
            ast.Array: lambda n: self._entries(n).map(lambda pairs: [item for _, item in pairs]),
            ast.Map: lambda n: self._entries(n).map(lambda pairs: dict(reversed(pairs))),
            ast.Group: lambda n: self._type(n.groupChoices[0].groupEntries[0].type),
            ast.GroupEntry: lambda n: self._type(n.type),
        }
        return makers[type(node)](node)

    def _controlled(self, node: Any) -> Strategy:
        control = node.name.literal.lstrip(".")
        if control == "size":
            return _sized(node.type.serialize().strip(), *_bounds(node.controller))
        if control == "regexp":
            pattern = _value(node.controller)
            return _PRINTABLE if "P{Cc}" in pattern else st.from_regex(pattern, fullmatch=True)
        if control == "and":  # the base is a size here: made from the other operand, then measured
            low, high = _bounds(_inner(node.type).controller)
            return self._type(node.controller).filter(
                lambda text: low <= len(text.encode()) <= high
            )
        raise NotImplementedError(control)

    def _entries(self, node: Any) -> st.SearchStrategy[Pairs]:
        (choice,) = node.groupChoices
        parts = [self._entry(entry) for entry in choice.groupEntries]
        return st.tuples(*parts).map(lambda found: [pair for part in found for pair in part])

    def _entry(self, entry: Any) -> st.SearchStrategy[Pairs]:
        keys = st.none() if entry.key is None else self._key(entry.key)
        one = st.tuples(keys, self._type(entry.type))
        if entry.occurrence is None:
            return one.map(lambda pair: [pair])
        least, most = _occurrence(entry.occurrence)
        unique = (lambda pair: repr(pair[0])) if entry.key is not None else None
        if entry.key is None or entry.key.hasColon:
            unique = None
        return st.lists(one, min_size=least, max_size=most, unique_by=unique)

    def _key(self, key: Any) -> Strategy:
        named = isinstance(_inner(key.type), ast.Typename) and key.hasColon
        return st.none() if named else self._type(key.type)


def _inner(node: Any) -> Any:
    """The node inside parentheses and types of one alternative."""
    while True:
        if isinstance(node, ast.Type) and len(node.types) == 1:
            node = node.types[0]
        elif isinstance(node, ast.Group):
            node = node.groupChoices[0].groupEntries[0]
        elif isinstance(node, ast.GroupEntry):
            node = node.type
        else:
            return node


def _value(node: Any) -> Any:
    value = _inner(node)
    if value.type == "number":
        return int(value.value)
    return value.value.replace("\\\\", "\\")


def _bounds(node: Any) -> tuple[int, int]:
    inner = _inner(node)
    if isinstance(inner, ast.Range):
        return _value(inner.min), _value(inner.max)
    return _value(inner), _value(inner)


def _between(low: int, high: int) -> Strategy:
    return st.integers(low, high) | st.sampled_from([low, high])


def _sized(base: str, low: int, high: int) -> Strategy:
    if base == "uint":
        return st.integers(0, 256**high - 1) | st.sampled_from([0, 23, 24, 256**high - 1])
    if base == "bstr":
        return st.binary(min_size=low, max_size=min(high, 100))
    return st.text(min_size=low, max_size=min(high, 100) // 4)


def _occurrence(node: Any) -> tuple[int, int]:
    if any(token.type.name == "QUEST" for token in node.tokens):
        return 0, 1  # the parser gives no upper bound here
    return node.n, node.n + _MORE if node.m == float("inf") else min(node.m, node.n + _MORE)
