"""Makes what YAML, JSON and the operating system give into facts that can be sent.

Answers hold text keys, 64-bit integers, finite floats, text, booleans, null, lists and maps. YAML
gives more: dates, sets, integers as keys, and aliases that unfold without end; all of it is turned
into the nearest plain value, within bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

MAX_DEPTH: Final = 12
MAX_VALUES: Final = 50_000
_INT64: Final = range(-(1 << 63), 1 << 63)


class _Budget:
    """How many values may still be made: an alias bomb is small in the file and huge unfolded."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"more than {MAX_VALUES} values")


def plain_facts(facts: Mapping[Any, Any]) -> dict[str, Any]:
    """``facts`` as plain values.

    Raises:
        ValueError: more than ``MAX_VALUES`` values or nested deeper than ``MAX_DEPTH``.
    """
    return _mapping(facts, _Budget(), MAX_DEPTH)


def _plain(value: Any, budget: _Budget, depth: int) -> Any:
    budget.take()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value) if value in _INT64 else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if depth == 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return _container(value, budget, depth - 1)


def _container(value: Any, budget: _Budget, depth: int) -> Any:
    if isinstance(value, Mapping):
        return _mapping(value, budget, depth)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Iterable):
        return [_plain(item, budget, depth) for item in value]
    return str(value)  # dates and whatever else a YAML tag makes


def _mapping(value: Mapping[Any, Any], budget: _Budget, depth: int) -> dict[str, Any]:
    return {str(key): _plain(item, budget, depth) for key, item in value.items()}
