"""A reply: what a node says to one request, the refusals included.

A signed reply is a COSE_Sign1 around these bytes, one of link grade is the bare map; the first byte
tells them apart. ``request_hash`` ties a reply to the very bytes of the request, so that it cannot
be moved to another request with the same id (A2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import msgspec

from choria.errors import MessageError, Refusal

from .envelope import (
    MAX_DEPTH,
    MAX_REPLY_ITEMS,
    Digest256,
    Id128,
    Ms,
    check_identities,
    decode_fields,
    encode_fields,
    to_struct,
)
from .request import Grade, Request

_TAG_18: Final = b"\xd2"
_MAX_ITEMS: Final = MAX_REPLY_ITEMS - 32
"""Of the data: the reply around it has some too."""

STATUS_OF_REFUSAL: Final[Mapping[Refusal, int]] = {
    Refusal.DENIED: 1,
    Refusal.EXPIRED: 1,
    Refusal.FROM_THE_FUTURE: 1,
    Refusal.NOT_ADDRESSED: 1,
    Refusal.NOT_MATCHED: 1,
    Refusal.BUSY: 1,
    Refusal.RESULT_TOO_LARGE: 5,
    Refusal.INVALID_INPUT: 4,
    Refusal.UNKNOWN_AGENT: 2,
    Refusal.UNKNOWN_ACTION: 2,
    Refusal.TIMED_OUT: 5,
    Refusal.FAILED: 5,
    Refusal.UNSUPPORTED: 5,
}
"""The Choria status code that goes with each refusal: scripts read those."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. ``statuscode`` is Choria's, 0 is success; ``refusal`` says why nothing was run."""

    request_id: Id128
    request_hash: Digest256
    network: str
    sender: str
    statuscode: Annotated[int, msgspec.Meta(ge=0, le=5)]
    statusmsg: str
    data: dict[str, Any]
    refusal: Refusal | None = None
    time_ms: Ms

    def validate(self) -> None:
        """Check what types alone cannot say.

        Raises:
            MessageError: with the path of what is wrong.
        """
        check_identities([("$.network", self.network), ("$.sender", self.sender)])
        if self.refusal is not None and self.statuscode == 0:
            raise MessageError("$.statuscode: a refusal is no success")


_NAMES: Final[Mapping[int, str]] = {
    2: "request_id",
    3: "request_hash",
    4: "network",
    5: "sender",
    6: "statuscode",
    7: "statusmsg",
    8: "data",
    9: "refusal",
    10: "time_ms",
}


def encode_reply(reply: Reply) -> bytes:
    """The bytes to sign, or to send as they are with link grade.

    Raises:
        MessageError: a value that an agent returned has no place on the wire; the text says where.
    """
    reply.validate()
    fields = msgspec.structs.asdict(reply)
    if reply.refusal is None:
        del fields["refusal"]
    return encode_fields(fields, _NAMES)


def decode_reply(data: bytes) -> Reply:
    """Read what ``encode_reply`` made.

    Raises:
        UnsupportedMessage: a version or a critical key that is not known here.
        MessageError: anything else that is no reply.
    """
    fields = decode_fields(data, _NAMES, max_items=MAX_REPLY_ITEMS)
    if fields.get("refusal", Refusal.DENIED) is None:
        raise MessageError("$.refusal: absent when there is none, never null")
    reply = to_struct(fields, Reply)
    reply.validate()
    return reply


def refuse(reply: Reply, refusal: Refusal, text: str) -> Reply:
    """The same reply as a refusal: no data, the matching status code, ``text`` as the message."""
    return msgspec.structs.replace(
        reply,
        statuscode=STATUS_OF_REFUSAL[refusal],
        statusmsg=text,
        data={},
        refusal=refusal,
    )


def fit_reply(reply: Reply, max_bytes: int) -> tuple[bytes, bool]:
    """Encode ``reply`` and say that it fits; beyond ``max_bytes``, encode an answer that says so instead.

    Leave room in ``max_bytes`` for the signature and the certificate. A reply of more items than a
    receiver may accept counts as too large as well. What is plainly too large is not encoded first:
    beside the result itself this takes memory for ``max_bytes`` and no more.
    """
    if text := _too_large(reply.data, max_bytes):
        return encode_reply(refuse(reply, Refusal.RESULT_TOO_LARGE, text)), False
    encoded = encode_reply(reply)
    if len(encoded) <= max_bytes:
        return encoded, True
    text = f"the result of {len(encoded)} bytes is more than the {max_bytes} bytes that may be sent"
    return encode_reply(refuse(reply, Refusal.RESULT_TOO_LARGE, text)), False


def may_be_unsigned(reply: Reply, request: Request) -> bool:
    """Whether link grade is enough for this answer; a client drops any other unsigned one.

    It is for answers to discovery and to certificate requests that did not want a signature, and
    for "not matched", which decides nothing but whom to ask. CWP-13.5-2.
    """
    if reply.refusal is Refusal.NOT_MATCHED:
        return True
    asks_little = request.is_discovery or request.is_certificate_request
    return asks_little and request.grade is Grade.LINK and reply.refusal is None


def request_hash(message: bytes) -> bytes:
    """SHA-256 over a signed request, exactly as it was sent."""
    return hashlib.sha256(message).digest()


def is_signed(payload: bytes) -> bool:
    """Whether a reply's payload claims to be a COSE_Sign1. Nothing is verified."""
    return payload[:1] == _TAG_18


def _too_large(data: object, max_bytes: int) -> str:
    """Why ``data`` is too large, as far as a look at it tells that ends at the limits; else empty."""
    size = _Size(max_bytes)
    size.add(data, 0)
    if size.items >= _MAX_ITEMS:
        return f"the result holds more than {_MAX_ITEMS} values"
    if size.bytes > max_bytes:
        return f"the result of {size.bytes} bytes or more is more than the {max_bytes} bytes that may be sent"
    return ""


class _Size:
    """How many items a value encodes to, and how many bytes at least; stops counting at the limits."""

    __slots__ = ("bytes", "items", "max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self.items = self.bytes = 0
        self.max_bytes = max_bytes

    def add(self, value: object, depth: int) -> None:
        """Count ``value``. What is nested too deep is left to the encoder, which says so."""
        self.items += 1
        self.bytes += 1 + (len(value) if isinstance(value, str | bytes) else 0)
        if depth > MAX_DEPTH:
            return
        if isinstance(value, Mapping):
            self._add_all((part for pair in value.items() for part in pair), depth)
        elif isinstance(value, list | tuple):
            self._add_all(value, depth)

    def _add_all(self, values: Iterable[object], depth: int) -> None:
        for each in values:
            if self.bytes > self.max_bytes or self.items >= _MAX_ITEMS:
                return
            self.add(each, depth + 1)
