"""CBOR as section 5 asks for it, and the means to break every one of its rules.

``encode`` gives the one right encoding. `Raw` puts bytes of one's own in any place of a value, which
is how cases say "this item, but with a longer head". ``decode`` is strict: what an implementation
under test sends must be deterministic too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

MAX_DEPTH: Final = 16
_SIMPLE: Final = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}


class DecodeError(ValueError):
    """Bytes that section 5 forbids; the text has the code of its table."""


@dataclass(frozen=True)
class Raw:
    """Bytes that stand for an item, right or wrong."""

    data: bytes


@dataclass(frozen=True)
class Tag:
    """A tagged item."""

    number: int
    value: Any


def head(major: int, argument: int, *, size: int | None = None) -> bytes:
    """A head; ``size`` 0, 1, 2, 4 or 8 forces a length of the argument, also a longer one."""
    if size is None:
        size = next(
            s for s, top in ((0, 24), (1, 1 << 8), (2, 1 << 16), (4, 1 << 32), (8, 1 << 64))
            if argument < top
        )  # fmt: skip
    if size == 0:
        return bytes([major << 5 | argument])
    return bytes([major << 5 | 23 + size.bit_length()]) + argument.to_bytes(size, "big")


def encode(value: Any) -> bytes:  # noqa: PLR0911  # one line a type
    """The deterministic encoding of ``value`` (RFC 8949 section 4.2.1)."""
    match value:
        case Raw():
            return value.data
        case Tag():
            return head(6, value.number) + encode(value.value)
        case bool() | None:
            return _SIMPLE[value]
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case float():
            return _float(value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            text = value.encode()
            return head(3, len(text)) + text
        case list() | tuple():
            return head(4, len(value)) + b"".join(encode(item) for item in value)
        case dict():
            pairs = sorted((encode(key), encode(item)) for key, item in value.items())
            return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
        case _:
            raise TypeError(f"no CBOR for {type(value).__name__}")


def _float(value: float) -> bytes:
    for form, first in ((">e", b"\xf9"), (">f", b"\xfa")):
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed)[0] == value:
            return first + packed
    return b"\xfb" + struct.pack(">d", value)


def framed(body: bytes) -> bytes:
    """A frame on the wire: its body in a byte string."""
    return head(2, len(body)) + body


def decode(data: bytes) -> Any:
    """The one item that ``data`` is. Raises DecodeError."""
    value, end = _item(data, 0, 0)
    if end != len(data):
        raise DecodeError(f"trailing: {len(data) - end} bytes after the item")
    return value


def read_head(data: bytes, at: int) -> tuple[int, int, int, int] | None:
    """Major type, additional information, argument, end; None if the head is not there whole."""
    if at >= len(data):
        return None
    major, info = data[at] >> 5, data[at] & 31
    if info < 24:
        return major, info, info, at + 1
    if info > 27:
        raise DecodeError(f"indefinite: byte {data[at]:#04x}")
    size = 1 << (info - 24)
    if at + 1 + size > len(data):
        return None
    return major, info, int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    found = read_head(data, at)
    if found is None:
        raise DecodeError("truncated")
    major, info, argument, at = found
    if major == 7:
        return _simple(data, info, argument, at)
    _check_shortest(major, info, argument)
    if major in {4, 5, 6} and depth >= MAX_DEPTH:
        raise DecodeError("too-deep")
    return _READERS[major](data, argument, at, depth)


def _check_shortest(major: int, info: int, argument: int) -> None:
    if head(major, argument)[0] & 31 != info:
        raise DecodeError("non-minimal")


def _simple(data: bytes, info: int, argument: int, at: int) -> tuple[Any, int]:
    if info < 24:
        value = {20: False, 21: True, 22: None}.get(info, DecodeError)
        if value is DecodeError:
            raise DecodeError("simple")
        return value, at
    if info == 24:
        raise DecodeError("simple")
    size, form = {25: (2, ">e"), 26: (4, ">f"), 27: (8, ">d")}[info]
    value = struct.unpack(form, argument.to_bytes(size, "big"))[0]
    if _float(value)[0] & 31 != info:
        raise DecodeError("non-minimal")
    return value, at


def _unsigned(data: bytes, argument: int, at: int, depth: int) -> tuple[Any, int]:
    return argument, at


def _negative(data: bytes, argument: int, at: int, depth: int) -> tuple[Any, int]:
    return -1 - argument, at


def _bytes(data: bytes, argument: int, at: int, depth: int) -> tuple[Any, int]:
    if at + argument > len(data):
        raise DecodeError("truncated")
    return data[at : at + argument], at + argument


def _text(data: bytes, argument: int, at: int, depth: int) -> tuple[Any, int]:
    text, end = _bytes(data, argument, at, depth)
    try:
        return text.decode(), end
    except UnicodeDecodeError as error:
        raise DecodeError("utf8") from error


def _array(data: bytes, argument: int, at: int, depth: int) -> tuple[Any, int]:
    items = []
    for _ in range(argument):
        value, at = _item(data, at, depth + 1)
        items.append(value)
    return items, at


def _map(data: bytes, argument: int, at: int, depth: int) -> tuple[Any, int]:
    pairs: dict[Any, Any] = {}
    before = b""
    for _ in range(argument):
        start = at
        key, at = _item(data, at, depth + 1)
        if data[start:at] <= before:
            raise DecodeError("duplicate-key" if data[start:at] == before else "key-order")
        before = data[start:at]
        pairs[key], at = _item(data, at, depth + 1)
    return pairs, at


def _tag(data: bytes, argument: int, at: int, depth: int) -> tuple[Any, int]:
    value, at = _item(data, at, depth + 1)
    return Tag(argument, value), at


_READERS: Final = {
    0: _unsigned, 1: _negative, 2: _bytes, 3: _text, 4: _array, 5: _map, 6: _tag,
}  # fmt: skip


def diagnostic(value: Any) -> str:
    """A value in about the diagnostic notation of RFC 8949 section 8, long strings cut."""
    for kind, show in _SHOWN.items():
        if isinstance(value, kind):
            return show(value)
    named = {False: "false", True: "true", None: "null"}
    return named[value] if value is None or isinstance(value, bool) else str(value)


def _show_bytes(value: bytes) -> str:
    return f"h'{value[:64].hex()}{'...' if len(value) > 64 else ''}'"


def _show_text(value: str) -> str:
    return f'"{value[:120]}"' + ("..." if len(value) > 120 else "")


def _show_array(value: list[Any]) -> str:
    shown = [diagnostic(item) for item in value[:40]]
    return "[" + ", ".join(shown + ["..."] * (len(value) > 40)) + "]"


def _show_map(value: dict[Any, Any]) -> str:
    pairs = (f"{diagnostic(k)}: {diagnostic(v)}" for k, v in value.items())
    return "{" + ", ".join(pairs) + "}"


def _show_tag(value: Tag) -> str:
    return f"{value.number}({diagnostic(value.value)})"


_SHOWN: Final[dict[type, Callable[[Any], str]]] = {
    bytes: _show_bytes, str: _show_text, list: _show_array, dict: _show_map, Tag: _show_tag,
}  # fmt: skip
