"""What is said at the door (section 18), as lists, and how it is proved. Cases change what they want wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding

from .cbor import encode
from .certificates import Key
from .names import fresh_token

ENROL_ALPN: Final = "cwp-enrol/1"
MAX_QUESTION: Final = 4096
MAX_ANSWER: Final = 65536
Frame = list[Any]


class Enrol(IntEnum):
    """Types of frames at the door."""

    ASK_ANCHORS = 1
    ANCHORS = 2
    ENROL = 3
    ISSUED = 4
    PENDING = 5
    REFUSED = 6
    RENEW = 7
    RENEWED = 8


class No(IntEnum):
    """The table of section 18.5."""

    MALFORMED = 1
    NOT_PROVED = 2
    EXPIRED = 3
    SPENT = 4
    WRONG_NAME = 5
    NAME_TAKEN = 6
    BAD_REQUEST = 7
    BUSY = 8
    REVOKED = 9
    WRONG_ROLE = 10


@dataclass(frozen=True)
class Token:
    """One invitation; the secret is known to applicants only.

    Attributes:
        pattern: Names that it is good for.
        digest: Of the network's anchors.
    """

    pattern: str
    digest: bytes
    token_id: bytes = field(default_factory=fresh_token)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    @property
    def key(self) -> bytes:
        """CWP-18.2-4."""
        derived = HKDF(hashes.SHA256(), 32, salt=self.token_id, info=b"cwp-enrol/1")
        return derived.derive(self.secret)

    def text(self, doors: list[str], **changes: Any) -> str:
        """As an operator carries it (CWP-18.2-1); ``_6="x"`` changes the item at place 6."""
        items = [1, doors, self.digest, self.token_id, self.secret, self.pattern, "rip", 1]
        for place, value in changes.items():
            items[int(place[1:])] = value
        return token_text(encode(items))


def token_text(body: bytes, check: bytes | None = None) -> str:
    """``cwpe1-`` and base64url of the body and four bytes of its SHA-256, or other ones."""
    last = hashlib.sha256(body).digest()[:4] if check is None else check
    return "cwpe1-" + base64.urlsafe_b64encode(body + last).decode().rstrip("=")


def anchors_digest(anchors: list[Any]) -> bytes:
    """CWP-18.3-2, of ``[root, [brokers], [nodes], [clients]]``."""
    return hashlib.sha256(encode(anchors)).digest()


def mac(key: bytes, *about: Any) -> bytes:
    """HMAC-SHA256 over the encoding of an array."""
    return hmac.digest(key, encode(list(about)), "sha256")


def ask_anchors(*more: Any) -> Frame:
    """ASK-ANCHORS."""
    return [Enrol.ASK_ANCHORS, *more]


def enrol(token: Token, name: str, signing_request: bytes, **changes: Any) -> Frame:
    """ENROL; ``_4=b"..."`` changes the item at place 4 after the MAC was made."""
    digest = mac(token.key, "cwp-enrol/1 request", token.token_id, token.digest, name,
                 signing_request)  # fmt: skip
    frame: Frame = [Enrol.ENROL, token.token_id, name, signing_request, digest]
    for place, value in changes.items():
        frame[int(place[1:])] = value
    return frame


def mac_of_issued(token: Token, asked: Frame, certificate: bytes, brokers: list[str]) -> bytes:
    """CWP-18.5-6; ``asked`` is the ENROL."""
    return mac(token.key, "cwp-enrol/1 issued", token.token_id, asked[4], certificate, brokers)


def mac_of_pending(token: Token, asked: Frame, retry_after_ms: int) -> bytes:
    """CWP-18.5-6."""
    return mac(token.key, "cwp-enrol/1 pending", token.token_id, asked[4], retry_after_ms)


def signing_request(key: Key, *extensions: x509.ExtensionType, name: str = "") -> bytes:
    """PKCS #10, DER."""
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def damaged(request: bytes) -> bytes:
    """The same signing request with one bit of its signature turned over."""
    return request[:-1] + bytes([request[-1] ^ 1])


def odd_keys() -> dict[str, Key]:
    """Keys that are not P-256."""
    return {
        "p-384": ec.generate_private_key(ec.SECP384R1()),
        "rsa-2048": rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
