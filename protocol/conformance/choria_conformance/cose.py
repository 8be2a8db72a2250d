"""COSE_Sign1 as section 13.3 wants it, each part replaceable by a wrong one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from .cbor import Tag, decode, encode
from .certificates import Key
from .verdicts import check, equal

ES256: Final = -7
PS256: Final = -37
RS256: Final = -257
REQUEST: Final = b"cwp/1 request"
REPLY: Final = b"cwp/1 reply"
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Signing:
    """How an envelope is signed; the defaults are right for a request of ``der``'s owner.

    Attributes:
        key: Signs.
        der: The certificate that x5t names and x5chain carries.
        aad: external_aad.
        algorithm: None takes the one that fits the key.
        chain: Whether x5chain is there.
        protected: Laid over the protected header; None as a value removes a label.
        unprotected: Laid over the unprotected header.
    """

    key: Key
    der: bytes
    aad: bytes = REQUEST
    algorithm: int | None = None
    chain: bool = True
    protected: dict[Any, Any] = field(default_factory=dict)
    unprotected: dict[Any, Any] = field(default_factory=dict)


def thumbprint(der: bytes) -> list[Any]:
    """The value of x5t."""
    return [-16, hashlib.sha256(der).digest()]


def parts(payload: bytes, signing: Signing) -> list[Any]:
    """The four items of the COSE_Sign1."""
    algorithm = signing.algorithm or _fitting(signing.key)
    header = {1: algorithm, 34: thumbprint(signing.der), **signing.protected}
    protected = encode({label: value for label, value in header.items() if value is not None})
    unprotected = ({33: signing.der} if signing.chain else {}) | signing.unprotected
    signature = raw_signature(signing.key, algorithm, to_be_signed(protected, signing.aad, payload))
    return [protected, unprotected, payload, signature]


def sign(payload: bytes, signing: Signing) -> bytes:
    """A signed envelope."""
    return encode(Tag(18, parts(payload, signing)))


def to_be_signed(protected: bytes, aad: bytes, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052 section 4.4."""
    return encode(["Signature1", protected, aad, payload])


def _fitting(key: Key) -> int:
    return PS256 if isinstance(key, rsa.RSAPrivateKey) else ES256


def raw_signature(key: Key, algorithm: int, data: bytes) -> bytes:
    """The signature as COSE has it."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, _padding(algorithm), hashes.SHA256())
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return bytes(64)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _padding(algorithm: int) -> padding.PSS | padding.PKCS1v15:
    if algorithm == PS256:
        return padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)
    return padding.PKCS1v15()


def other_signature(envelope: bytes) -> bytes:
    """The same envelope with the other signature that verifies: s becomes n - s."""
    tagged = decode(envelope)
    signature = tagged.value[3]
    s = P256_ORDER - int.from_bytes(signature[32:], "big")
    tagged.value[3] = signature[:32] + s.to_bytes(32, "big")
    return encode(tagged)


@dataclass(frozen=True)
class Opened:
    """A signed envelope that was proved."""

    payload: bytes
    unprotected: dict[Any, Any]


def open_envelope(envelope: bytes, der: bytes, aad: bytes) -> Opened:
    """Prove that ``der``'s owner signed. Raises Failed."""
    tagged = decode(envelope)
    check(isinstance(tagged, Tag) and tagged.number == 18, "it is no COSE_Sign1 with tag 18")
    equal(len(tagged.value), 4, "the number of items of COSE_Sign1")
    protected, unprotected, payload, signature = tagged.value
    header = decode(protected)
    equal(header.get(34), thumbprint(der), "x5t")
    check(set(unprotected) <= {33}, f"the unprotected header has {sorted(unprotected)}")
    check(unprotected.get(33, der) == der, "x5chain is not the certificate that x5t names")
    check(_verifies(der, header.get(1), signature, to_be_signed(protected, aad, payload)),
          "the signature does not verify")  # fmt: skip
    return Opened(payload, unprotected)


def _verifies(der: bytes, algorithm: int, signature: bytes, data: bytes) -> bool:
    key = x509.load_der_x509_certificate(der).public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, _padding(algorithm), hashes.SHA256())
            return True
        if (
            not isinstance(key, ec.EllipticCurvePublicKey)
            or algorithm != ES256
            or len(signature) != 64
        ):
            return False
        r, s = (int.from_bytes(signature[i : i + 32], "big") for i in (0, 32))
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
