"""What filters are judged against: one machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from .paths import Facts

DataFunction: TypeAlias = Callable[..., Any]
"""A data plugin as compound filters call it: values in, a JSON value out, quick and without IO."""

_NONE: Final[Mapping[str, DataFunction]] = {}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One machine. ``functions`` are its data plugins by name."""

    identity: str
    facts: Facts
    agents: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    functions: Mapping[str, DataFunction] = _NONE
