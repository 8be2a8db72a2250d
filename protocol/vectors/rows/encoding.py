"""A second, independent encoder of the profile of SPEC.md section 5, and its diagnostic notation.

It shares nothing with the product, so that an error in one of them shows in the vectors.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]


class Raw(bytes):
    """Bytes that stand for an item as they are: for items that no good encoder makes."""


def enc(value: Any) -> bytes:  # noqa: PLR0911  # one return a type
    """Encode ``value`` deterministically."""
    if isinstance(value, Raw):
        return bytes(value)
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return head(3, len(data)) + data
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        pairs = sorted((enc(key), enc(item)) for key, item in value.items())
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    if isinstance(value, Sequence):
        return head(4, len(value)) + b"".join(map(enc, value))
    raise TypeError(type(value).__name__)


def head(major: int, argument: int) -> bytes:
    """Return the shortest head."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise ValueError(argument)


def framed(body: bytes) -> bytes:
    """Return ``body`` as it stands in the stream. CWP-4-1"""
    return head(2, len(body)) + body


def _float(value: float) -> bytes:
    for first, form in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            data = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, data)[0] == value:
            return first + data
    return b"\xfb" + struct.pack(">d", value)


def diag(value: Any) -> str:  # noqa: PLR0911  # one return a type
    """Return ``value`` in diagnostic notation (RFC 8949 section 8)."""
    if isinstance(value, Raw):
        return f"raw'{value.hex()}'"
    if value is None or isinstance(value, bool):
        return {False: "false", True: "true", None: "null"}[value]
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, Mapping):
        pairs = sorted(value.items(), key=lambda pair: enc(pair[0]))
        return "{" + ", ".join(f"{diag(key)}: {diag(item)}" for key, item in pairs) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(diag, value)) + "]"
    return repr(value)


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if " " <= char != "\x7f" and not "\x80" <= char <= "\x9f" else f"\\u{ord(char):04x}"


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it: bytes as hex, integers beyond 2^53 as decimal text."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1 << 53:
        return {"int": str(value)}
    if isinstance(value, Mapping):
        pairs = sorted(value.items(), key=lambda pair: enc(pair[0]))
        return [[plain(key), plain(item)] for key, item in pairs]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value
