"""From the bytes of one frame to a value: everything a frame may hold is checked here, once.

Two kinds of fault. Bytes outside the CBOR profile are MALFORMED; a well-formed array that is no
frame is UNKNOWN_FRAME or INVALID_FIELD. Trailing unknown items are ignored, by the same strict
rules as everything else: nothing a broker vouches for may ever be put there (A15).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from choria.errors import CodecError, Reason, RemoteProtocolError

from . import fields
from .cbor import decode_within
from .frames import (
    CRITICAL_FROM,
    RESERVED_TYPES,
    SUPPORTED_VERSIONS,
    Deliver,
    Frame,
    Hello,
    Ignored,
    Publish,
    Routed,
    Welcome,
)
from .hotpath import parse_deliver, parse_publish
from .shapes import LATER, SHAPES
from .tail import FRAME_BOUNDS


class UnsupportedError(RemoteProtocolError):
    """A frame without a fault that asks for what we do not know; judged after its state (CWP-4-7)."""

    def __init__(self, message: str, reason: Reason, frame: Frame) -> None:
        super().__init__(message, reason=reason)
        self.frame = frame


def decode_frame(body: bytes) -> Frame | Ignored:
    """Return the frame that ``body``, the content of one byte string of the stream, holds.

    Raises:
        RemoteProtocolError: the bytes are no frame of this protocol; ``reason`` says why.
            UNSUPPORTED_CRITICAL in a message refuses the frame only, all else ends the link.
    """
    try:
        array = decode_within(body, FRAME_BOUNDS)
    except CodecError as exc:
        raise RemoteProtocolError(f"frame: {exc}", reason=Reason.MALFORMED) from exc
    if type(array) is not list or not array or type(array[0]) is not int:
        raise RemoteProtocolError("frame: not [type, ...]", reason=Reason.MALFORMED)
    try:
        frame = _frame(array)
    except fields.FieldError as exc:
        raise RemoteProtocolError(str(exc), reason=exc.reason) from None
    if type(frame) in _OPEN_ENDED:
        _check_supported(array, frame)
    return frame


def judge_frame(body: bytes) -> tuple[Frame | Ignored, UnsupportedError | None]:
    """Return the frame and, if it only asks for what we do not know, the error that says so.

    Raises:
        RemoteProtocolError: the bytes are no frame of this protocol.
    """
    plain = parse_publish(body) or parse_deliver(body)
    if plain is not None:
        return plain, None
    try:
        return decode_frame(body), None
    except UnsupportedError as exc:
        return exc.frame, exc


def _check_supported(array: list[Any], frame: Any) -> None:
    versions: tuple[int, ...] = ()
    if type(frame) is Hello:
        versions = frame.versions
    elif type(frame) is Welcome:
        versions = (frame.version,)
    if versions and SUPPORTED_VERSIONS.isdisjoint(versions):
        text = f"version: {', '.join(map(str, versions))} and not 1"
        raise UnsupportedError(text, Reason.UNSUPPORTED_VERSION, frame)
    for position in _OPEN_ENDED[type(frame)]:
        for key in array[position]:
            if key >= CRITICAL_FROM:
                text = f"{key} is critical and unknown"
                raise UnsupportedError(text, Reason.UNSUPPORTED_CRITICAL, frame)


def _frame(array: list[Any]) -> Frame | Ignored:
    code: int = array[0]
    if code in RESERVED_TYPES:
        return Ignored(type=code)
    if code not in SHAPES:
        raise fields.FieldError(f"frame type {code} is unknown", Reason.UNKNOWN_FRAME)
    length, decode = SHAPES[code]
    if len(array) <= length:
        raise fields.FieldError(f"frame type {code}: {length} fields are wanted")
    return decode(*array[1 : length + 1 + LATER.get(code, 0)])


_OPEN_ENDED: Final[Mapping[type[Any], tuple[int, ...]]] = {
    Hello: (3,),
    Welcome: (3,),
    Publish: (2, 4),
    Deliver: (3,),
    Routed: (8,),
}
"""Where in the array of a frame critical capabilities, options and headers may stand."""
