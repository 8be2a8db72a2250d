"""Checks of single fields. Each returns the value with its type proved, or raises `FieldError`.

``type(x) is int`` throughout: to Python ``True`` is an integer, on the wire it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

from choria.errors import FRAME_REASONS, ChoriaError, InvalidName, Reason

from .cbor import encode_cbor
from .frames import is_control
from .limits import (
    MAX_HEADERS,
    MAX_HEADERS_BYTES,
    MAX_SUBJECTS,
    MAX_SUBJECTS_BYTES,
    MAX_TEXT_BYTES,
    TOKEN_BYTES,
    UINT32_MAX,
    UINT64_MAX,
)

T = TypeVar("T")


class FieldError(ChoriaError):
    """A field outside its shape. ``reason`` is what the peer will be told."""

    def __init__(self, what: str, reason: Reason = Reason.INVALID_FIELD) -> None:
        super().__init__(what)
        self.reason = reason


def uint(value: Any, name: str, *, most: int = UINT64_MAX, least: int = 0) -> int:
    """An unsigned integer within bounds."""
    if type(value) is not int or not least <= value <= most:
        raise FieldError(f"{name}: an integer of {least} to {most} is wanted")
    return value


def flag(value: Any, name: str) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise FieldError(f"{name}: true or false is wanted")
    return value


def binary(value: Any, name: str) -> bytes:
    """A byte string of any length."""
    if type(value) is not bytes:
        raise FieldError(f"{name}: a byte string is wanted")
    return value


def token128(value: Any, name: str) -> bytes:
    """A byte string of 16 bytes."""
    if type(value) is not bytes or len(value) != TOKEN_BYTES:
        raise FieldError(f"{name}: {TOKEN_BYTES} bytes are wanted")
    return value


def line(value: Any, name: str) -> str:
    """A short text without control characters."""
    if type(value) is not str or len(value.encode()) > MAX_TEXT_BYTES:
        raise FieldError(f"{name}: a text of at most {MAX_TEXT_BYTES} bytes is wanted")
    if any(map(is_control, value)):
        raise FieldError(f"{name}: control characters")
    return value


def named(value: Any, name: str, parse: Callable[[str], T]) -> T:
    """A text of one of the grammars of names and subjects."""
    if type(value) is not str:
        raise FieldError(f"{name}: a text is wanted")
    try:
        return parse(value)
    except InvalidName as exc:
        raise FieldError(f"{name}: {exc}") from None


def optional(value: Any, name: str, parse: Callable[[str], T]) -> T | None:
    """A text of a grammar, or null."""
    return None if value is None else named(value, name, parse)


def items(value: Any, name: str, *, least: int, most: int) -> list[Any]:
    """An array of so many items."""
    if type(value) is not list or not least <= len(value) <= most:
        raise FieldError(f"{name}: an array of {least} to {most} items is wanted")
    return value


def distinct(values: list[T], name: str) -> tuple[T, ...]:
    """The values as a tuple, provided that none comes twice."""
    if len(set(values)) != len(values):
        raise FieldError(f"{name}: an item comes twice")
    return tuple(values)


def names(
    value: Any, name: str, parse: Callable[[str], T], *, least: int = 0, most: int
) -> tuple[T, ...]:
    """An array of distinct texts of one grammar."""
    listed = items(value, name, least=least, most=most)
    return distinct([named(item, name, parse) for item in listed], name)


def numbers(value: Any, name: str, *, least: int = 0, most: int, to: int) -> tuple[int, ...]:
    """An array of distinct unsigned integers up to ``to``."""
    listed = items(value, name, least=least, most=most)
    return distinct([uint(item, name, most=to) for item in listed], name)


def subjects(value: Any, name: str, parse: Callable[[str], str]) -> tuple[str, ...]:
    """1 to 256 distinct subjects or patterns, 64 KiB together (CWP-6.9-1)."""
    found = names(value, name, parse, least=1, most=MAX_SUBJECTS)
    if sum(map(len, found)) > MAX_SUBJECTS_BYTES:  # all ASCII: characters are bytes
        raise FieldError(f"{name}: more than {MAX_SUBJECTS_BYTES} bytes together")
    return found


def indices(values: list[Any], name: str) -> tuple[int, ...]:
    """Positions in a list of subjects, ascending, so that one set has one encoding."""
    checked = tuple(uint(item, name, most=MAX_SUBJECTS - 1) for item in values)
    if any(late <= early for early, late in pairwise(checked)):
        raise FieldError(f"{name}: not ascending")
    return checked


def reason(value: Any, name: str, *, of_frame: bool = False) -> Reason:
    """A reason of the table; of one frame: one that leaves the link alive (CWP-12-2)."""
    number = uint(value, name, most=UINT32_MAX)
    try:
        found = Reason(number)
    except ValueError:
        raise FieldError(f"{name}: {number} is no reason") from None
    if of_frame and found not in FRAME_REASONS:
        raise FieldError(f"{name}: {found.name} ends the link and cannot refuse one frame")
    return found


def keyed(value: Any, name: str) -> dict[int, Any]:
    """A map with unsigned integers as keys."""
    if type(value) is not dict:
        raise FieldError(f"{name}: a map is wanted")
    for key in value:
        uint(key, f"{name} key")
    return value


def headers(value: Any) -> dict[int, int | bytes | str]:
    """The headers of a message (CWP-6-10)."""
    found = keyed(value, "headers")
    if not found:
        return found
    for item in found.values():
        if type(item) is int:
            uint(item, "headers value")
        elif type(item) not in (bytes, str):
            raise FieldError("headers value: an unsigned integer or a string is wanted")
    if len(found) > MAX_HEADERS or len(encode_cbor(found)) > MAX_HEADERS_BYTES:
        raise FieldError(f"headers: more than {MAX_HEADERS} or {MAX_HEADERS_BYTES} bytes")
    return found
