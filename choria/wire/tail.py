"""Tails: the reply, headers and payload of a message, encoded, as brokers pass them on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from . import fields
from .cbor import MAX_DEPTH, decode_within, encode_cbor, head
from .hotpath import parse_tail
from .limits import MAX_FRAME_BYTES
from .scan import Bounds
from .subjects import parse_subject

Headers: TypeAlias = Mapping[int, int | bytes | str]

FRAME_BOUNDS: Final = Bounds(
    floats=False,
    tags=frozenset(),
    max_depth=MAX_DEPTH,
    max_items=4096,
    max_string_bytes=MAX_FRAME_BYTES,
)
"""Of every frame. Lengths are bounded by the link, which knows the limits of its state (CWP-5-9)."""

_ARRAY_OF_3: Final = b"\x83"
_NULL: Final = 0xF6


class Message(NamedTuple):
    """What a tail says."""

    reply: str | None
    headers: dict[int, int | bytes | str]
    payload: bytes


def tail_of(payload: bytes, *, reply: str | None = None, headers: Headers | None = None) -> bytes:
    """Return the tail of a message. Nothing is checked here: the frame that carries it will be."""
    return encode_cbor(reply) + encode_cbor(headers or {}) + head(2, len(payload)) + payload


def split_tail(tail: bytes) -> Message:
    """Return what ``tail`` says.

    Raises:
        ChoriaError: the bytes are no tail. Never for one that came in a frame.
    """
    plain = parse_tail(tail)
    if plain is not None:
        return Message(plain[0], {}, tail[plain[1] :])
    return message_of(*decode_within(_ARRAY_OF_3 + tail, FRAME_BOUNDS))


def message_of(reply: Any, headers: Any, payload: Any) -> Message:
    """Return the three fields, checked (CWP-6.9)."""
    return Message(
        fields.optional(reply, "reply", parse_subject),
        fields.headers(headers),
        fields.binary(payload, "payload"),
    )


def reply_of(tail: bytes) -> str | None:
    """Return the reply of a tail that came in a frame, without looking at the rest of it."""
    first = tail[0]
    if first == _NULL:
        return None
    # A subject is 1 to 1024 bytes: its head is one, two or three bytes long.
    if first < 0x78:
        return tail[1 : first - 0x5F].decode()
    if first == 0x78:
        return tail[2 : 2 + tail[1]].decode()
    return tail[3 : 3 + int.from_bytes(tail[1:3], "big")].decode()


def payload_size(tail: bytes) -> int:
    """Return how many bytes of payload a tail that came in a frame carries."""
    return len(split_tail(tail).payload)
