"""Which keys we take, and the one algorithm family each may sign with.

P-256 is ours, RSA of 2048 to 4096 bits is what Puppet issues; beyond 4096 a verification costs so
much that a stranger could buy our time with it. Ed25519 is refused with its reason: the path
validation of the ``cryptography`` library refuses such certificates, so a network that used them
could not be checked by other implementations of the protocol (F8).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from choria.errors import TrustError

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 4096
MAX_RSA_EXPONENT: Final = 1 << 32
MAX_SIGNATURE_BYTES: Final = MAX_RSA_BITS // 8
ES256_SIGNATURE_BYTES: Final = 64

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Algorithm(enum.IntEnum):
    """COSE numbers of the signature algorithms in use (RFC 9053, RFC 8230, RFC 8812)."""

    ES256 = -7
    PS256 = -37
    RS256 = -257


def check_public_key(key: object) -> PublicKey:
    """The key itself if we take its kind. Raises TrustError with the reason if not."""
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        raise TrustError(
            "Ed25519 and Ed448 keys are refused, path validation cannot check them: use P-256"
        )
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise TrustError(f"elliptic curve {key.curve.name} is refused: use P-256")
        return key
    if isinstance(key, rsa.RSAPublicKey):
        return _check_rsa(key)
    raise TrustError(f"a key of type {type(key).__name__} is refused: use P-256")


def _check_rsa(key: rsa.RSAPublicKey) -> rsa.RSAPublicKey:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise TrustError(
            f"an RSA key of {key.key_size} bits is refused: {MIN_RSA_BITS} to {MAX_RSA_BITS} are taken"
        )
    exponent = key.public_numbers().e
    if (
        not 3 <= exponent <= MAX_RSA_EXPONENT
    ):  # a huge exponent makes each verification as dear as a signature
        raise TrustError("an RSA key with such a public exponent is refused: use 65537")
    return key


def algorithm_of(key: PrivateKey) -> Algorithm:
    """The algorithm that ``key`` signs with."""
    return Algorithm.ES256 if isinstance(key, ec.EllipticCurvePrivateKey) else Algorithm.PS256


def sign_bytes(key: PrivateKey, data: bytes) -> bytes:
    """Sign ``data``: 64 bytes r||s for P-256 (RFC 9053 2.1), PSS with a salt of 32 bytes for RSA."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return key.sign(data, _PSS, hashes.SHA256())


def verify_bytes(key: PublicKey, algorithm: Algorithm, signature: bytes, data: bytes) -> None:
    """Check a signature. Raises TrustError, also when ``algorithm`` is not one of this kind of key."""
    try:
        _VERIFIERS[algorithm](key, signature, data)
    except InvalidSignature as exc:
        raise TrustError(
            "the signature is wrong: the message was changed, or signed with another key"
        ) from exc


def _verify_es256(key: PublicKey, signature: bytes, data: bytes) -> None:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TrustError(
            "algorithm ES256 named with an RSA key: the algorithm is bound to the key's type"
        )
    if len(signature) != ES256_SIGNATURE_BYTES:
        raise TrustError(f"an ES256 signature has 64 bytes, not {len(signature)}")
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
    key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


def _verify_rsa(
    key: PublicKey, signature: bytes, data: bytes, scheme: padding.AsymmetricPadding
) -> None:
    if not isinstance(key, rsa.RSAPublicKey):
        raise TrustError(
            "an RSA algorithm named with a P-256 key: the algorithm is bound to the key's type"
        )
    key.verify(signature, data, scheme, hashes.SHA256())


_PSS: Final = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)  # RFC 8230 2
_VERIFIERS: Final[dict[Algorithm, Callable[[PublicKey, bytes, bytes], None]]] = {
    Algorithm.ES256: _verify_es256,
    Algorithm.PS256: lambda key, signature, data: _verify_rsa(key, signature, data, _PSS),
    Algorithm.RS256: lambda key, signature, data: _verify_rsa(
        key, signature, data, padding.PKCS1v15()
    ),
}
