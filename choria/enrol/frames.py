"""What is said at the door: one question, one answer, each one CBOR array (CWP-18.2)."""

from __future__ import annotations

import enum
from typing import Annotated, Final, TypeAlias

import msgspec

from choria.errors import MessageError
from choria.wire import encode_cbor

from .anchors import Anchors, is_store
from .fields import (
    Bytes16,
    Bytes32,
    CertificateBytes,
    EndpointText,
    Milliseconds,
    RenewalBytes,
    RequestBytes,
    check_name,
    check_text,
    read_array,
    to_shape,
)

MAX_REQUEST_BYTES: Final = 4096  # CWP-18.1-4: all that a stranger can make us hold
MAX_ANSWER_BYTES: Final = 65536
MAX_BROKERS: Final = 16


class EnrolRefusal(enum.IntEnum):
    """Why an applicant gets no certificate."""

    MALFORMED = 1
    NOT_PROVED = 2  # an unknown token and a wrong MAC are one answer: no oracle for token ids
    EXPIRED = 3
    SPENT = 4
    WRONG_NAME = 5
    NAME_TAKEN = 6
    BAD_REQUEST = 7
    BUSY = 8
    REVOKED = 9
    WRONG_ROLE = 10


class AskAnchors(msgspec.Struct, frozen=True, kw_only=True):
    """The first question: whose network is this?"""


class Enrol(msgspec.Struct, frozen=True, kw_only=True):
    """Please sign this. ``mac`` is made under the token's key; the token itself is never sent."""

    token_id: Bytes16
    name: str
    signing_request: RequestBytes
    mac: Bytes32


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate, and where brokers are."""

    certificate: CertificateBytes
    brokers: Annotated[tuple[EndpointText, ...], msgspec.Meta(max_length=MAX_BROKERS)]
    mac: Bytes32


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody has to approve: ask the same again after ``retry_after_ms``."""

    retry_after_ms: Milliseconds
    mac: Bytes32


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """No. Nothing proves who says so: it may end an attempt and nothing else (CWP-18.5-7)."""

    reason: EnrolRefusal
    retry_after_ms: Milliseconds
    text: str


class Renew(msgspec.Struct, frozen=True, kw_only=True):
    """Please sign the successor of my certificate: a COSE_Sign1 over a signing request (CWP-18.7-2)."""

    request: RenewalBytes


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    """The successor, and who signed it: an issuer that may be newer than the node's trust store."""

    certificate: CertificateBytes
    issuer: CertificateBytes


EnrolFrame: TypeAlias = AskAnchors | Anchors | Enrol | Issued | Pending | Refused | Renew | Renewed

_TYPES: Final[dict[int, type[EnrolFrame]]] = {
    1: AskAnchors,
    2: Anchors,
    3: Enrol,
    4: Issued,
    5: Pending,
    6: Refused,
    7: Renew,
    8: Renewed,
}
_NUMBERS: Final = {shape: number for number, shape in _TYPES.items()}


def encode_enrol_frame(frame: EnrolFrame) -> bytes:
    """The body of ``frame``, without its head."""
    items = frame.items if isinstance(frame, Anchors) else msgspec.structs.astuple(frame)
    return encode_cbor([_NUMBERS[type(frame)], *items])


def decode_enrol_frame(body: bytes) -> EnrolFrame:
    """Read a body. Raises MessageError, also for a type that is unknown."""
    items = read_array(body, max_string_bytes=MAX_ANSWER_BYTES)
    shape = _TYPES.get(items[0])
    if shape is None:
        raise MessageError(f"$: a frame of type {items[0]} is unknown")
    if (
        shape is Anchors
    ):  # issuers of logins stand behind the rest, where there are any (CWP-21.1-7)
        items = [*items[:5], items[5] if is_store(items[5:6] and items[5]) else ()]
    frame = to_shape(items, shape)
    if isinstance(frame, Enrol):
        check_name(frame.name)
    if isinstance(frame, Refused):
        check_text(frame.text)
    return frame
