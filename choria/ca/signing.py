"""Signing certificates and lists with keys that may be in a token.

The X.509 builders of the cryptography library take keys that they can see. So for a token's key the
builder signs with a key that is thrown away, and the signature is replaced: what is signed (the TBS part,
RFC 5280 4.1) does not depend on the key that signs it, since issuer, key identifiers and algorithm were
put in by name. The result is verified before it is used.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from .files import CaError
from .token_keys import TokenKey

_ECDSA: Final = ec.ECDSA(hashes.SHA256())
_ALGORITHM: Final = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256, RFC 5758 3.2
_SEQUENCE, _BIT_STRING, _SHORT = 0x30, 0x03, 0x80


def sign_certificate(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """Sign with a key of ours, wherever it is. Raises CaError: a token cannot be used."""
    if not isinstance(key, TokenKey):
        return builder.sign(key, hashes.SHA256())
    draft = builder.sign(_throw_away(), hashes.SHA256())
    return x509.load_der_x509_certificate(_signed(draft.tbs_certificate_bytes, key))


def sign_list(
    builder: x509.CertificateRevocationListBuilder, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateRevocationList:
    """The same for a revocation list."""
    if not isinstance(key, TokenKey):
        return builder.sign(key, hashes.SHA256())
    draft = builder.sign(_throw_away(), hashes.SHA256())
    return x509.load_der_x509_crl(_signed(draft.tbs_certlist_bytes, key))


def _throw_away() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _signed(what: bytes, key: TokenKey) -> bytes:
    signature = key.sign(what, _ECDSA)
    try:
        key.public_key().verify(signature, what, _ECDSA)
    except InvalidSignature as exc:
        raise CaError(
            f"token {key.home.token} signed with another key than {key.home.key!r}"
        ) from exc
    return _der(_SEQUENCE, what + _ALGORITHM + _der(_BIT_STRING, b"\x00" + signature))


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < _SHORT:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT | len(octets))) + octets + content
