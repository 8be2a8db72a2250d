"""Names that are computed: inboxes, sessions, reply subjects (section 7.4)."""

from __future__ import annotations

import base64
import hashlib
import secrets

from .cbor import encode


def inbox(network: str, role: str, name: str) -> str:
    """The token where a principal's replies arrive."""
    digest = hashlib.sha256(encode([network, role, name])).digest()[:16]
    return base64.b32encode(digest).decode().rstrip("=").lower()


def fresh_token() -> bytes:
    """128 random bits: sessions, boots, request ids."""
    return secrets.token_bytes(16)


def fresh_word(prefix: str = "w") -> str:
    """A token nobody else uses, so that cases that run beside each other do not meet."""
    return prefix + secrets.token_hex(6)
