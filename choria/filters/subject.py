"""What filters are judged against: one machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from .paths import Facts

DataFunction: TypeAlias = Callable[..., Any]
"""A data plugin as compound filters call it: values in, a JSON value out, quick and without IO."""

_NONE: Final[Mapping[str, DataFunction]] = {}
_NOTHING: Final[Mapping[str, Any]] = {}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One machine, or one reply of a machine.

    Attributes:
        functions: Data plugins by name.
        variables: What expressions may name beside ``agents``, ``classes`` and ``facts``.
    """

    identity: str
    facts: Facts
    agents: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    functions: Mapping[str, DataFunction] = _NONE
    variables: Mapping[str, Any] = _NOTHING
