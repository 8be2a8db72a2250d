"""``override`` for Python 3.11, where ``typing`` has none; at run time it does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing_extensions import override as override  # noqa: PLC0414  # an explicit re-export
else:
    F = TypeVar("F")

    def override(function: F) -> F:
        """Mark a method that replaces one of a base class."""
        return function
