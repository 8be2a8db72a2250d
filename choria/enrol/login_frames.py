"""What is said about logins: frames at the door, and what is sealed inside them (SPEC.md section 21).

The door sees :class:`AskLogin`, :class:`LoginOffer`, :class:`Login`, :class:`LoginAnswer` and
:class:`LoginRefused`, whose contents are sealed or signed; only the login service and the user read
questions and replies.
"""

from __future__ import annotations

import enum
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from typing_extensions import override

from choria.errors import MessageError
from choria.trust import MAX_CREDENTIAL_BYTES
from choria.wire import encode_cbor

from .fields import (
    Bytes32,
    CertificateBytes,
    Milliseconds,
    check_name,
    check_text,
    read_array,
    to_shape,
)
from .frames import MAX_ANSWER_BYTES, MAX_REQUEST_BYTES

MAX_PASSWORD_BYTES: Final = 1024
LOGIN_TYPES: Final = (16, 18)
"""Frames that a door passes on to the login service (CWP-21.2-1)."""

SealedBytes = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_ANSWER_BYTES)]
SigningRequest = Annotated[bytes, msgspec.Meta(min_length=1, max_length=2048)]
CredentialBytes = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_CREDENTIAL_BYTES)]
Moment = Annotated[int, msgspec.Meta(ge=0)]  # the codec bounds it to 64 bits


class LoginRefusal(enum.IntEnum):
    """Why nobody is logged in."""

    MALFORMED = 1
    NOT_OPENED = 2
    REPLAYED = 3
    NOT_ACCEPTED = 4  # wrong password, unknown user, disabled user: one answer
    LOCKED = 5
    BAD_REQUEST = 6
    UNKNOWN_DEVICE = 7
    BUSY = 8
    NO_SERVICE = 9


class Way(enum.IntEnum):
    """How to log in."""

    PASSWORD = 1
    DEVICE = 2


class AskLogin(msgspec.Struct, frozen=True, kw_only=True):
    """The first question: to which key may a question be sealed?"""


class LoginOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A key, signed by the login service; see :mod:`.login_offer`."""

    offer: SealedBytes


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed question; see :mod:`.login_sealing`."""

    sealed: SealedBytes


class LoginAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed reply."""

    sealed: SealedBytes


class LoginRefused(msgspec.Struct, frozen=True, kw_only=True):
    """No. Nothing proves who says so (CWP-21.3-3)."""

    reason: LoginRefusal
    retry_after_ms: Milliseconds
    text: str


class ByPassword(msgspec.Struct, frozen=True, kw_only=True):
    """Log this user in. Its repr tells no secret."""

    answer_key: Bytes32
    signing_request: SigningRequest
    user: str
    password: str

    @override
    def __repr__(self) -> str:
        return f"ByPassword(user={self.user!r})"


class DeviceBegin(msgspec.Struct, frozen=True, kw_only=True):
    """Begin a login that is approved elsewhere."""

    answer_key: Bytes32
    signing_request: SigningRequest

    @override
    def __repr__(self) -> str:
        return "DeviceBegin()"


class DeviceAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Was it approved?"""

    answer_key: Bytes32
    signing_request: SigningRequest
    device: Bytes32

    @override
    def __repr__(self) -> str:
        return "DeviceAsk()"


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate, and the credential that goes with it."""

    certificate: CertificateBytes
    credential: CredentialBytes


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Where to approve, and with which code."""

    device: Bytes32
    url: str
    code: str
    interval_ms: Milliseconds
    ends_ms: Moment

    @override
    def __repr__(self) -> str:
        return f"Device(url={self.url!r})"


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody has approved yet."""

    retry_after_ms: Milliseconds


class NotGranted(msgspec.Struct, frozen=True, kw_only=True):
    """No, from the service itself."""

    reason: LoginRefusal
    retry_after_ms: Milliseconds
    text: str


LoginFrame: TypeAlias = AskLogin | LoginOffer | Login | LoginAnswer | LoginRefused
LoginQuestion: TypeAlias = ByPassword | DeviceBegin | DeviceAsk
LoginReply: TypeAlias = Granted | Device | Later | NotGranted
S = TypeVar("S", bound=msgspec.Struct)

_FRAMES: Final[dict[int, type[LoginFrame]]] = {
    16: AskLogin, 17: LoginOffer, 18: Login, 19: LoginAnswer, 20: LoginRefused,
}  # fmt: skip
_QUESTIONS: Final[dict[int, type[LoginQuestion]]] = {1: ByPassword, 2: DeviceBegin, 3: DeviceAsk}
_REPLIES: Final[dict[int, type[LoginReply]]] = {1: Granted, 2: Device, 3: Later, 4: NotGranted}
_NUMBERS: Final[dict[type[msgspec.Struct], int]] = {
    shape: number for table in (_FRAMES, _QUESTIONS, _REPLIES) for number, shape in table.items()
}


def is_for_logins(body: bytes) -> bool:
    """Whether a door passes a question on, by its first bytes: the rest is the service's to judge."""
    return len(body) > 1 and 0x81 <= body[0] <= 0x97 and body[1] in LOGIN_TYPES


def encode_login(shape: LoginFrame | LoginQuestion | LoginReply) -> bytes:
    """The encoding of a frame, question or reply."""
    return encode_cbor([_NUMBERS[type(shape)], *msgspec.structs.astuple(shape)])


def decode_login_frame(body: bytes) -> LoginFrame:
    """Read what came through a door. Raises MessageError."""
    frame = _decode(body, _FRAMES, MAX_ANSWER_BYTES)
    if isinstance(frame, LoginRefused):
        check_text(frame.text)
    return frame


def decode_question(data: bytes) -> LoginQuestion:
    """Read what a user asks. Raises MessageError, which never holds the password."""
    question = _decode(data, _QUESTIONS, MAX_REQUEST_BYTES)
    if isinstance(question, ByPassword):
        check_name(question.user)
        if not 0 < len(question.password.encode()) <= MAX_PASSWORD_BYTES:
            raise MessageError(f"$.password: 1 to {MAX_PASSWORD_BYTES} bytes are wanted")
    return question


def decode_reply(data: bytes) -> LoginReply:
    """Read what the service replies. Raises MessageError."""
    reply = _decode(data, _REPLIES, MAX_ANSWER_BYTES)
    if isinstance(reply, NotGranted):
        check_text(reply.text)
    if isinstance(reply, Device):
        check_text(reply.url)
        check_text(reply.code)
    return reply


def _decode(body: bytes, shapes: dict[int, type[S]], most: int) -> S:
    items = read_array(body, max_string_bytes=most)
    shape = shapes.get(items[0])
    if shape is None:
        raise MessageError(f"$: type {items[0]} is unknown")
    return to_shape(items, shape)
