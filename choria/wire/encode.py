"""From a frame to the bytes of the stream: one definite-length byte string with the shortest head."""

from __future__ import annotations

from typing import Final

import msgspec

from choria.errors import LocalProtocolError, RemoteProtocolError

from .cbor import encode_cbor, head
from .decode import judge_frame
from .frames import Deliver, Frame, Publish, Routed, Welcome
from .limits import MAX_GROUPS


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of ``frame``, outer head included.

    Raises:
        LocalProtocolError: the frame holds something that may not travel.
    """
    return framed(encode_body(frame))


def framed(body: bytes) -> bytes:
    """Return ``body`` as it stands in the stream (CWP-4-1)."""
    return head(2, len(body)) + body


def encode_body(frame: Frame) -> bytes:
    """Return the bytes of ``frame`` without the outer head.

    What was made is read back by our own decoder, so that nothing leaves that a peer would cut the
    link for. It costs microseconds; the hot path of a broker is `deliver_bytes`.

    Raises:
        LocalProtocolError: the frame holds something that may not travel.
    """
    try:
        body = _body(frame)
        _, unsupported = judge_frame(body)
    except (RemoteProtocolError, ValueError, TypeError) as exc:
        raise LocalProtocolError(f"{type(frame).__name__}: {exc}") from exc
    if unsupported is not None:
        raise LocalProtocolError(f"{type(frame).__name__}: {unsupported}")
    return body


def _body(frame: Frame) -> bytes:
    match frame:
        case Publish():
            options = {1: frame.receipt_id} if frame.receipt_id else {}
            return _spliced(3, [frame.TYPE, frame.subjects, options], frame.tail)
        case Deliver():
            return _spliced(3, [frame.TYPE, frame.subject], frame.tail)
        case Routed():
            *fields, tail = msgspec.structs.astuple(frame)
            return _spliced(3, [frame.TYPE, *fields], tail)
        case Welcome() if frame.trust is None:
            return encode_cbor([frame.TYPE, *msgspec.structs.astuple(frame)[:-1]])
        case _:
            # The fields of the others are declared in the order of the wire.
            return encode_cbor([frame.TYPE, *msgspec.structs.astuple(frame)])


def _spliced(tail_items: int, front: list[object], tail: bytes) -> bytes:
    return head(4, len(front) + tail_items) + b"".join(map(encode_cbor, front)) + tail


def routed_body(frame: Routed) -> bytes:
    """Return the bytes of ``frame`` without the outer head, spliced and not read back.

    For a broker, whose parts came in checked frames: a ROUTED costs as much as ten DELIVERs when it
    is read back. CWP-6.12

    Raises:
        LocalProtocolError: more groups than may travel; a relay may be granted that many.
    """
    if len(frame.groups) > MAX_GROUPS:
        raise LocalProtocolError(f"ROUTED: {len(frame.groups)} groups where {MAX_GROUPS} may be")
    parts = [_ROUTED_FRONT, _text(frame.origin)]
    parts += [head(0, each) for each in (frame.sequence, frame.receipt_id, frame.remaining_ms)]
    parts.append(head(4, len(frame.pairs)))
    for index, subject in frame.pairs:
        parts += (_PAIR, head(0, index), _text(subject))
    parts.append(head(4, len(frame.groups)))
    parts += map(_text, frame.groups)
    parts.append(frame.tail)
    return b"".join(parts)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return head(3, len(encoded)) + encoded


def deliver_bytes(subject: str, tail: bytes) -> bytes:
    """Return the bytes of a DELIVER, outer head included: what a broker writes to each receiver.

    Args:
        subject: the one that matched, out of a checked frame.
        tail: of the frame that came, copied as it is. Neither is looked into again. CWP-6.10-1
    """
    text = subject.encode()
    length = len(text)
    if length < 24:
        front = _FRONTS[length] + text
    elif length < 256:
        front = b"\x85\x0a\x78%c%b" % (length, text)
    else:
        front = b"\x85\x0a\x79%b%b" % (length.to_bytes(2, "big"), text)
    size = len(front) + len(tail)
    if 255 < size < 65536:
        return b"\x59%c%c%b%b" % (size >> 8, size & 255, front, tail)
    return b"".join((head(2, size), front, tail))


_ROUTED_FRONT: Final = head(4, 10) + head(0, Routed.TYPE)
_PAIR: Final = head(4, 2)
_FRONTS: Final = tuple(b"\x85\x0a" + head(3, length) for length in range(24))
