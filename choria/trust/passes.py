"""What a broker keeps of a member's certificate while the link lives: issuer, end and serial.

A hash of the issuer's key (8 bytes), the last second at which certificate and issuer hold (5), the
serial (20 at most): so 50,000 links are looked through without parsing a certificate, 60 µs each, and
without keeping one, 500 bytes each (F5). Eight bytes of hash are enough to tell 48 issuers apart: a
collision would be between two keys that the network's own root signed.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from .anchors import Anchor
from .certificates import Validity

MARK_BYTES: Final = 8
_END_BYTES: Final = 5
_LAST_S: Final = (1 << 8 * _END_BYTES) - 1


def mark_of(issuer: Anchor) -> bytes:
    """What an issuer is called in passes: it goes by the key, so renewed certificates share it."""
    return sha256(issuer.public_key).digest()[:MARK_BYTES]


def make_pass(issuer: Anchor, serial: int, validity: Validity) -> bytes:
    """The pass of a certificate that was proved."""
    end_ms = min(validity.not_after_ms, issuer.validity.not_after_ms)
    end = min(end_ms // 1000, _LAST_S).to_bytes(_END_BYTES, "big")
    return mark_of(issuer) + end + serial.to_bytes((serial.bit_length() + 7) // 8, "big")


def ends_ms(link_pass: bytes) -> int:
    """Until when the certificate holds, inclusive, milliseconds since the epoch."""
    return int.from_bytes(link_pass[MARK_BYTES : MARK_BYTES + _END_BYTES], "big") * 1000


def serial_of(link_pass: bytes) -> int:
    """The certificate's serial number."""
    return int.from_bytes(link_pass[MARK_BYTES + _END_BYTES :], "big")
