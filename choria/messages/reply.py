"""A reply: what a node says to one request, the refusals included.

A signed reply is a COSE_Sign1 around these bytes, one of link grade is the bare map; the first byte
tells them apart. ``request_hash`` ties a reply to the very bytes of the request, so that it cannot
be moved to another request with the same id (A2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from choria.errors import MessageError, Refusal

from .envelope import (
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


def fit_reply(reply: Reply, max_bytes: int) -> bytes:
    """Encode ``reply``; if it is beyond ``max_bytes``, encode an answer that says so instead.

    Leave room in ``max_bytes`` for the signature and the certificate. A reply of more items than a
    receiver may accept counts as too large as well.
    """
    encoded = encode_reply(reply)
    if len(encoded) <= max_bytes and _items(reply.data, MAX_REPLY_ITEMS) < MAX_REPLY_ITEMS - 32:
        return encoded
    text = f"the result of {len(encoded)} bytes is more than the {max_bytes} bytes that may be sent"
    if len(encoded) <= max_bytes:
        text = f"the result holds more than {MAX_REPLY_ITEMS - 32} values"
    return encode_reply(refuse(reply, Refusal.RESULT_TOO_LARGE, text))


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


def _items(value: object, enough: int) -> int:
    """Count the items that ``value`` encodes to; stops a little after ``enough``."""
    if isinstance(value, Mapping):
        children: list[object] = list(value.values())
        count = 1 + len(children)
    elif isinstance(value, list | tuple):
        children, count = list(value), 1
    else:
        return 1
    for child in children:
        if count > enough:
            break
        count += _items(child, enough - count)
    return count
