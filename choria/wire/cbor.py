"""The codec: the only place where wire bytes become values, and values become wire bytes.

The profile is RFC 8949 section 4.2.1 (core deterministic encoding), narrowed: definite lengths,
shortest heads, keys sorted as bytes and never repeated, keys that are integers or strings, no
simple values but true, false and null, only the tags that the caller names. CWP-5-1 to CWP-5-9
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import cbor2

from choria.errors import CodecError

from .limits import MAX_FRAME_BYTES
from .scan import Bounds, scan, shortest_float

SUPPORTED_TAGS: Final = frozenset({18})
"""Tags that may be permitted at all: COSE_Sign1. cbor2 gives others a meaning of its own."""

MAX_DEPTH: Final = 16
_INT_MIN: Final = -(1 << 63)
_INT_END: Final = 1 << 64


@dataclasses.dataclass(frozen=True, slots=True)
class Tagged:
    """A permitted tag and what it encloses."""

    tag: int
    value: Any


def decode_cbor(
    data: bytes,
    *,
    floats: bool = False,
    tags: frozenset[int] = frozenset(),
    max_depth: int = MAX_DEPTH,
    max_items: int = 4096,
    max_string_bytes: int = MAX_FRAME_BYTES,
) -> Any:
    """Decode exactly one item. Arrays come as lists, maps as dicts, tags as `Tagged`.

    Args:
        data: the whole item and nothing else.
        floats: whether finite floats in their shortest form are legal.
        tags: the tags that are legal, out of `SUPPORTED_TAGS`.
        max_depth: how many arrays, maps and tags may enclose one another.
        max_items: how many items in all, containers and keys included.
        max_string_bytes: the longest text or byte string; by default what fits a frame. CWP-5-14

    Raises:
        CodecError: bytes outside the profile; ``code`` is stable, ``offset`` says where.
        ValueError: ``tags`` asks for a tag that this codec does not support (a bug here).
    """
    if not tags <= SUPPORTED_TAGS:
        raise ValueError(f"tags not supported: {sorted(tags - SUPPORTED_TAGS)}")
    bounds = Bounds(
        floats=floats,
        tags=tags,
        max_depth=max_depth,
        max_items=max_items,
        max_string_bytes=max_string_bytes,
    )
    return decode_within(data, bounds)


def decode_within(data: bytes, bounds: Bounds) -> Any:
    """Decode as `decode_cbor`, with bounds that the caller made once."""
    scan(data, bounds)
    # The scanner has judged everything. The flags stay as a second line should it ever err.
    try:
        return cbor2.loads(  # noqa: TID251  # the one permitted call
            data,
            tag_hook=_tagged,
            max_depth=bounds.max_depth + 1,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except cbor2.CBORError as exc:  # pragma: no cover  # no input is known; fail closed
        raise CodecError("malformed", 0) from exc


def _tagged(tag: cbor2.CBORTag, _immutable: bool) -> Tagged:  # noqa: FBT001  # cbor2's signature
    return Tagged(tag.tag, _thaw(tag.value))


def _thaw(value: Any) -> Any:
    # Inside a tag cbor2 builds tuples and a frozendict that is no dict: callers would have to know.
    if isinstance(value, tuple):
        return [_thaw(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _thaw(item) for key, item in value.items()}
    return value


def encode_cbor(value: object, *, floats: bool = True) -> bytes:
    """Encode ``value`` deterministically; `decode_cbor` accepts every result.

    dict, list, tuple, str, bytes, int, bool, None, finite float and `Tagged` are encoded.
    cbor2's ``canonical`` is not used: it sorts keys by length first, not as bytes.

    Raises:
        TypeError: a type that the profile does not hold.
        ValueError: a value outside the profile: 64 bits, finite, valid Unicode, 16 levels.
    """
    parts: list[bytes] = []
    _put(parts, value, 0, _WITH_FLOATS if floats else _SCALARS)
    return b"".join(parts)


_SHORT: Final = tuple(bytes((initial,)) for initial in range(256))


def head(major: int, argument: int) -> bytes:
    """Return the shortest head of an item: its major type and its argument."""
    if argument < 24:
        return _SHORT[major << 5 | argument]
    if argument < 1 << 8:
        return bytes((major << 5 | 24, argument))
    if argument < 1 << 16:
        return bytes((major << 5 | 25, argument >> 8, argument & 255))
    if argument < 1 << 32:
        return _SHORT[major << 5 | 26] + argument.to_bytes(4, "big")
    return _SHORT[major << 5 | 27] + argument.to_bytes(8, "big")


def _put(parts: list[bytes], value: Any, depth: int, scalars: _Scalars) -> None:
    kind = type(value)
    if kind in scalars:
        parts.append(scalars[kind](value))
    elif depth >= MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}, or a {kind.__name__} down there")
    elif kind is list or kind is tuple:
        parts.append(head(4, len(value)))
        for item in value:
            _put(parts, item, depth + 1, scalars)
    elif isinstance(value, Mapping):
        parts.append(head(5, len(value)))
        # Different keys have different encodings: the sort never comes to compare the items.
        for key, item in sorted((_key(key), item) for key, item in value.items()):
            parts.append(key)
            _put(parts, item, depth + 1, scalars)
    elif kind is Tagged:
        parts.append(_tag(value.tag))
        _put(parts, value.value, depth + 1, scalars)
    else:
        _put(parts, _plain(value), depth, scalars)


def _key(key: Any) -> bytes:
    kind = type(key)
    if kind is int or kind is str or kind is bytes:
        return _SCALARS[kind](key)
    plain = _plain(key)
    if type(plain) not in (int, str, bytes):
        raise TypeError(f"{kind.__name__} cannot be a key")
    return _SCALARS[type(plain)](plain)


def _plain(value: Any) -> Any:
    """Return what an enumeration or another subclass stands for, as the type itself."""
    for base in _BASES:
        if isinstance(value, base) and type(value) not in (base, bool):
            return base(value)
    raise TypeError(f"{type(value).__name__} has no place on the wire")


def _integer(value: int) -> bytes:
    if not _INT_MIN <= value < _INT_END:
        raise ValueError("integer beyond 64 bits")
    return head(0, value) if value >= 0 else head(1, -1 - value)


def _text(value: str) -> bytes:
    encoded = value.encode()  # UnicodeEncodeError, a ValueError, for lone surrogates
    return head(3, len(encoded)) + encoded


def _binary(value: bytes) -> bytes:
    return head(2, len(value)) + value


def _float(value: float) -> bytes:
    if not math.isfinite(value):
        raise ValueError("a float must be finite")
    return shortest_float(value)


def _no_float(_: float) -> bytes:
    raise ValueError("floats are not allowed here")


def _tag(tag: int) -> bytes:
    if tag not in SUPPORTED_TAGS:
        raise ValueError(f"tag {tag} is not supported")
    return head(6, tag)


_BASES: Final[tuple[type[Any], ...]] = (int, str, bytes, float, list, tuple)
_Scalars: TypeAlias = Mapping[type[Any], Callable[[Any], bytes]]
_SCALARS: Final[_Scalars] = {
    int: _integer,
    str: _text,
    bytes: _binary,
    bool: lambda value: b"\xf5" if value else b"\xf4",
    type(None): lambda _: b"\xf6",
    float: _no_float,
}
_WITH_FLOATS: Final[_Scalars] = {**_SCALARS, float: _float}
