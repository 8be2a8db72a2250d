"""The codec: the only place where wire bytes become values, and values become wire bytes.

The profile is RFC 8949 section 4.2.1 (core deterministic encoding), narrowed: definite lengths,
shortest heads, keys sorted as bytes and never repeated, keys that are integers or strings, no
simple values but true, false and null, only the tags that the caller names. CWP-5
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Final

import cbor2

from choria.errors import CodecError

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
    max_string_bytes: int = 1 << 20,
) -> Any:
    """Decode exactly one item. Arrays come as lists, maps as dicts, tags as `Tagged`.

    Args:
        data: the whole item and nothing else.
        floats: whether finite floats in their shortest form are legal.
        tags: the tags that are legal, out of `SUPPORTED_TAGS`.
        max_depth: how many arrays, maps and tags may enclose one another.
        max_items: how many items in all, containers and keys included.
        max_string_bytes: the longest text or byte string.

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
    out = bytearray()
    _Encoder(out, floats=floats).append(value, 0)
    return bytes(out)


def head(major: int, argument: int) -> bytes:
    """Return the shortest head of an item: its major type and its argument."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    if argument < 1 << 8:
        return bytes((major << 5 | 24, argument))
    if argument < 1 << 16:
        return bytes((major << 5 | 25,)) + argument.to_bytes(2, "big")
    if argument < 1 << 32:
        return bytes((major << 5 | 26,)) + argument.to_bytes(4, "big")
    return bytes((major << 5 | 27,)) + argument.to_bytes(8, "big")


class _Encoder:
    __slots__ = ("_floats", "_out")

    def __init__(self, out: bytearray, *, floats: bool) -> None:
        self._out = out
        self._floats = floats

    def append(self, value: object, depth: int) -> None:
        if isinstance(value, str):
            text = value.encode()  # UnicodeEncodeError, a ValueError, for lone surrogates
            self._out += head(3, len(text))
            self._out += text
        elif isinstance(value, bytes):
            self._out += head(2, len(value))
            self._out += value
        elif isinstance(value, bool) or value is None:
            self._out.append(0xF6 if value is None else 0xF5 if value else 0xF4)
        elif isinstance(value, int):
            self._integer(value)
        elif isinstance(value, float):
            self._float(value)
        else:
            self._container(value, depth)

    def _integer(self, value: int) -> None:
        if not _INT_MIN <= value < _INT_END:
            raise ValueError("integer beyond 64 bits")
        self._out += head(0, value) if value >= 0 else head(1, -1 - value)

    def _float(self, value: float) -> None:
        if not self._floats:
            raise ValueError("floats are not allowed here")
        if not math.isfinite(value):
            raise ValueError("a float must be finite")
        self._out += shortest_float(value)

    def _container(self, value: object, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if isinstance(value, (list, tuple)):
            self._out += head(4, len(value))
            for item in value:
                self.append(item, depth + 1)
        elif isinstance(value, Mapping):
            self._map(value, depth + 1)
        elif isinstance(value, Tagged):
            self._tag(value, depth + 1)
        else:
            raise TypeError(f"{type(value).__name__} has no place on the wire")

    def _map(self, value: Mapping[Any, Any], depth: int) -> None:
        pairs = sorted((self._key(key), key) for key in value)
        self._out += head(5, len(pairs))
        for encoded, key in pairs:
            self._out += encoded
            self.append(value[key], depth)

    def _key(self, key: object) -> bytes:
        if isinstance(key, bool) or not isinstance(key, (int, str, bytes)):
            raise TypeError(f"{type(key).__name__} cannot be a key")
        return encode_cbor(key)

    def _tag(self, value: Tagged, depth: int) -> None:
        if value.tag not in SUPPORTED_TAGS:
            raise ValueError(f"tag {value.tag} is not supported")
        self._out += head(6, value.tag)
        self.append(value.value, depth)
