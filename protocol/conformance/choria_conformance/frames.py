"""Frames as lists, in the order of section 6. Cases change what they want wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from secrets import choice, randbelow, randbits, token_bytes
from typing import Any

from .cbor import encode, framed

Frame = list[Any]


class Kind(IntEnum):
    """Types of frames."""

    HELLO = 1
    WELCOME = 2
    PING = 3
    PONG = 4
    GOODBYE = 5
    ERROR = 6
    SUBSCRIBE = 7
    UNSUBSCRIBE = 8
    PUBLISH = 9
    DELIVER = 10
    RECEIPT = 11
    ROUTED = 12


class Reason(IntEnum):
    """The table of section 12."""

    NORMAL = 0
    DRAINING = 1
    MALFORMED = 2
    FRAME_TOO_LARGE = 3
    UNKNOWN_FRAME = 4
    ILLEGAL_STATE = 5
    INVALID_FIELD = 6
    UNSUPPORTED_VERSION = 7
    UNSUPPORTED_CRITICAL = 8
    NOT_PERMITTED = 9
    LIMIT = 10
    PAYLOAD_TOO_LARGE = 11
    TIMEOUT = 12
    SLOW_CONSUMER = 13
    IDENTITY_REFUSED = 14
    DUPLICATE_IDENTITY = 15
    BUSY = 16
    WRONG_NETWORK = 17
    REVOKED = 18
    FLOOD = 19
    INTERNAL = 20


def wire(*frames: Any) -> bytes:
    """Frames as bytes on the wire; bytes among them are taken as they are."""
    return b"".join(
        bytes(frame) if isinstance(frame, bytes | bytearray) else framed(encode(frame))
        for frame in frames
    )


def hello(
    session: bytes,
    boot: bytes,
    *,
    versions: Sequence[int] = (1,),
    capabilities: Sequence[int] = (),
    software: str = "choria-conformance",
    collectives: Sequence[str] = ("choria",),
) -> Frame:
    """HELLO."""
    return [1, list(versions), session, list(capabilities), boot, software, list(collectives)]


def ping(token: int) -> Frame:
    """PING."""
    return [3, token]


def pong(token: int) -> Frame:
    """PONG."""
    return [4, token]


def goodbye(
    reason: int = 0, text: str = "", retry_after_ms: int = 0, brokers: Sequence[str] = ()
) -> Frame:
    """GOODBYE."""
    return [5, int(reason), text, retry_after_ms, list(brokers)]


def error(reason: int, frame: int = 0, index: int | None = None, text: str = "") -> Frame:
    """ERROR."""
    return [6, int(reason), frame, index, text]


def subscribe(*patterns: str, group: str | None = None) -> Frame:
    """SUBSCRIBE."""
    return [7, list(patterns), group]


def unsubscribe(*patterns: str, group: str | None = None) -> Frame:
    """UNSUBSCRIBE."""
    return [8, list(patterns), group]


def publish(  # the fields of the frame
    *subjects: str,
    payload: bytes = b"",
    reply: str | None = None,
    headers: Mapping[int, Any] | None = None,
    receipt: int | None = None,
    options: Mapping[int, Any] | None = None,
) -> Frame:
    """PUBLISH."""
    chosen = dict(options or {})
    if receipt is not None:
        chosen[1] = receipt
    return [9, list(subjects), chosen, reply, dict(headers or {}), payload]


def deliver(
    subject: str,
    payload: bytes = b"",
    reply: str | None = None,
    headers: Mapping[int, Any] | None = None,
) -> Frame:
    """DELIVER."""
    return [10, subject, reply, dict(headers or {}), payload]


def receipt(
    receipt_id: int, handed: int = 0, without: Sequence[int] = (), *, partial: bool = False
) -> Frame:
    """RECEIPT."""
    return [11, receipt_id, handed, partial, list(without)]


def reserved() -> Frame:
    """A frame of a reserved type with random content within section 5 (CWP-16.1-2)."""
    return [192 + randbelow(32), *(_anything(3) for _ in range(randbelow(5)))]


def _anything(depth: int) -> Any:
    """A random item that section 5 permits in frames."""
    inner = [_anything(depth - 1) for _ in range(randbelow(4))] if depth else []
    text = "\u00e9\x00" * randbelow(9)
    leaves = [None, True, False, randbits(64), -randbits(63) - 1, token_bytes(randbelow(40)), text]
    return choice([*leaves, inner, dict(enumerate(inner))])


def name_of(frame: Frame) -> str:
    """What a person calls this frame."""
    try:
        name = Kind(frame[0]).name
    except (ValueError, IndexError, TypeError):
        return f"frame of type {frame[:1]}"
    if name in {"GOODBYE", "ERROR"} and len(frame) > 1:
        try:
            return f"{name} {Reason(frame[1]).name}"
        except ValueError:
            return f"{name} {frame[1]}"
    return name
