"""Names: the only way a string becomes a subject token.

Names are compared as bytes and never folded: ``WEB1`` is refused, not turned into ``web1``, because
two spellings of one name are two principals to every table that compares them (A8).
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final, NewType

from choria.errors import InvalidName

from .cbor import encode_cbor

Identity = NewType("Identity", str)
"""A member's name, proved by `parse_identity`."""

RESERVED_COLLECTIVES: Final = frozenset({"sys", "federation"})
"""First tokens with a meaning of their own; no collective may be called so (CWP-7.1-3)."""

_IDENTITY: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?")
_TOKEN: Final = re.compile(r"[a-z0-9._-]{1,255}")


def parse_identity(text: str) -> Identity:
    """Return ``text`` as an identity: 1 to 253 of a-z 0-9 . _ - with an alphanumeric at both ends.

    Raises:
        InvalidName: anything else, upper case included. CWP-7.1-1
    """
    if _IDENTITY.fullmatch(text) is None:
        raise InvalidName(f"not a name: {text[:64]!r}")
    return Identity(text)


def parse_token(text: str) -> str:
    """Return ``text`` as one token of a subject: 1 to 255 of a-z 0-9 . _ - (agents, actions, groups).

    Raises:
        InvalidName: anything else. CWP-7.1-1
    """
    if _TOKEN.fullmatch(text) is None:
        raise InvalidName(f"not a token: {text[:64]!r}")
    return text


def parse_collective(text: str) -> str:
    """Return ``text`` as the name of a collective: an identity that is not reserved.

    Raises:
        InvalidName: anything else. CWP-7.1-3
    """
    if text in RESERVED_COLLECTIVES:
        raise InvalidName(f"{text!r} is reserved and cannot name a collective")
    return parse_identity(text)


def inbox_token(network: str, role: str, name: str) -> str:
    """Return the token of a principal's inbox, 26 characters.

    It hangs on the principal, not on its certificate: a renewal in mid-call would otherwise lose
    the replies (A9). CWP-7.4-1
    """
    digest = hashlib.sha256(encode_cbor([network, role, name])).digest()
    return base64.b32encode(digest[:16]).decode().rstrip("=").lower()
