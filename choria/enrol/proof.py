"""Keys and MACs: how an applicant proves that it holds a token without ever sending it (A16).

The CA keeps the derived key, not the secret. Each MAC covers a label of its own and everything that
the frame means, so that none can be taken for another, moved to another name or another network.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from choria.wire import encode_cbor

_INFO: Final = b"cwp-enrol/1"


def derive_key(token_id: bytes, secret: bytes) -> bytes:
    """The key of a token: HKDF-SHA256 of its secret, salted with its id (CWP-18.2-4)."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=token_id, info=_INFO).derive(secret)


def mac_of_request(
    key: bytes, token_id: bytes, anchors: bytes, name: str, signing_request: bytes
) -> bytes:
    """The MAC of an ENROL; ``anchors`` is the digest that the token pins (CWP-18.4-2)."""
    return _mac(key, ["cwp-enrol/1 request", token_id, anchors, name, signing_request])


def mac_of_issued(
    key: bytes, token_id: bytes, request_mac: bytes, certificate: bytes, brokers: Sequence[str]
) -> bytes:
    """The MAC of an ISSUED, tied to the ENROL that it answers (CWP-18.5-6)."""
    return _mac(key, ["cwp-enrol/1 issued", token_id, request_mac, certificate, list(brokers)])


def mac_of_pending(key: bytes, token_id: bytes, request_mac: bytes, retry_after_ms: int) -> bytes:
    """The MAC of a PENDING (CWP-18.5-6)."""
    return _mac(key, ["cwp-enrol/1 pending", token_id, request_mac, retry_after_ms])


def same_mac(one: bytes, other: bytes) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(one, other)


def _mac(key: bytes, about: list[object]) -> bytes:
    return hmac.digest(key, encode_cbor(about), "sha256")
