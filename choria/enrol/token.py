"""The one-time token: what an operator carries to a new machine, and nobody ever sends.

As text it is ``cwpe1-`` and base64url, without padding, of a CBOR array and four bytes of its SHA-256,
so that a slip of the clipboard is told from a wrong token. Everything that the new machine has to
believe without proof stands in it, since it comes by the operator's hand: where the door is, what the
network's anchors are, and who invited.
"""

from __future__ import annotations

import base64
import binascii
import enum
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from typing_extensions import override

from choria.errors import InvalidName, MessageError
from choria.wire import encode_cbor

from .fields import Bytes16, Bytes32, EndpointText, check_name, read_array, to_shape
from .patterns import parse_name_pattern

TOKEN_PREFIX: Final = "cwpe1-"  # noqa: S105  # no secret, the word for one
MAX_TOKEN_TEXT: Final = 4096
MAX_DOORS: Final = 8
_VERSION: Final = 1
_CHECK_BYTES: Final = 4


class Rights(enum.IntEnum):
    """What the first policies of the new node let the inviter do."""

    INSPECT = 0  # rpcutil: look, and change nothing
    EVERYTHING = 1


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One invitation.

    Attributes:
        doors: ``host:port`` of the listeners, to be tried in this order.
        anchors: digest of what the network trusts.
        token_id: under which the CA keeps it.
        secret: 32 random bytes.
        pattern: the names that it is good for.
        operator: the client who invited.
        rights: what the operator may do on the new node at first.
    """

    doors: Annotated[tuple[EndpointText, ...], msgspec.Meta(min_length=1, max_length=MAX_DOORS)]
    anchors: Bytes32
    token_id: Bytes16
    secret: Bytes32
    pattern: str
    operator: str
    rights: Rights = Rights.INSPECT

    @override
    def __repr__(self) -> str:
        """Without the secret: this ends in logs."""
        return f"Token({self.token_id.hex()}, for {self.pattern})"


def encode_token(token: Token) -> str:
    """The token as one word."""
    body = encode_cbor([_VERSION, *msgspec.structs.astuple(token)])
    text = base64.urlsafe_b64encode(body + sha256(body).digest()[:_CHECK_BYTES])
    return TOKEN_PREFIX + text.decode().rstrip("=")


def decode_token(text: str) -> Token:
    """Read a token. Raises MessageError, whose text holds nothing of the token."""
    items = read_array(_body(text.strip()), max_string_bytes=MAX_TOKEN_TEXT)
    if items[0] != _VERSION:
        raise MessageError("the token is of a later version: install a newer choria-trio")
    try:
        token = to_shape(items, Token)
        parse_name_pattern(token.pattern)
        check_name(token.operator)
    except (MessageError, InvalidName):
        raise MessageError("the token holds what a token cannot hold") from None
    return token


def _body(text: str) -> bytes:
    if not text.startswith(TOKEN_PREFIX) or len(text) > MAX_TOKEN_TEXT:
        raise MessageError(f"this is no token: one begins with {TOKEN_PREFIX}")
    word = text.removeprefix(TOKEN_PREFIX)
    try:
        data = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    whole = base64.urlsafe_b64encode(data).decode().rstrip("=") == word
    if not whole or not body or sha256(body).digest()[:_CHECK_BYTES] != check:
        raise MessageError("the token is damaged: copy all of it, it is one word")
    return body
