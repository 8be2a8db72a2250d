"""Test certificates and COSE_Sign1 messages, made without the product. SPEC.md sections 13.2, 13.3.

The keys are public. They exist so that anyone can check the vectors, and must never guard anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .encoding import enc, head

Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

GRANTS: Final = x509.ObjectIdentifier("2.25.231049862071186121806654164809498733030")
FROM: Final = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL: Final = datetime(2126, 1, 1, tzinfo=UTC)
ES256, PS256, RS256 = -7, -37, -257
AAD_REQUEST, AAD_REPLY = b"cwp/1 request", b"cwp/1 reply"


@dataclass(frozen=True)
class Holder:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        """The private key, PKCS #8 in PEM."""
        plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.key.private_bytes(*plain).decode()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a leaf shall look like; the defaults are a good one."""

    uris: tuple[str, ...]
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH
    grants: tuple[str, ...] = ()
    from_: datetime = FROM
    until: datetime = UNTIL
    ca: bool = False
    signs: bool = True
    extra: x509.ExtensionType | None = None


def p256() -> ec.EllipticCurvePrivateKey:
    """A new key."""
    return ec.generate_private_key(ec.SECP256R1())


def make_root(network: str) -> Holder:
    """A root whose common name is the network's."""
    key = p256()
    return Holder(_authority(network, key, network, key, length=1), key)


def make_issuer(root: Holder, network: str, kind: str, *, signs: bool = False) -> Holder:
    """An issuer for one kind of member; one of logins ``signs`` credentials too (CWP-21.1-1)."""
    key = p256()
    made = _authority(f"{network} {kind}", key, network, root.key, length=0, signs=signs)
    return Holder(made, key)


def make_leaf(issuer: Holder, wanted: Wanted, key: Key | None = None) -> Holder:
    """A leaf, good or bad."""
    key = key or p256()
    made = (
        _builder(
            f"test {wanted.uris[0][:40] if wanted.uris else 'nobody'}",
            key,
            issuer.certificate.subject,
        )
        .not_valid_before(wanted.from_)
        .not_valid_after(wanted.until)
        .add_extension(x509.BasicConstraints(ca=wanted.ca, path_length=None), critical=True)
        .add_extension(_usage(signs=wanted.signs, certifies=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([wanted.purpose]), critical=False)
    )
    if wanted.uris:
        names = [x509.UniformResourceIdentifier(uri) for uri in wanted.uris]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if wanted.grants:
        array = enc(sorted(wanted.grants))
        octets = b"\x04" + bytes([len(array)]) + array  # DER OCTET STRING, short form
        made = made.add_extension(x509.UnrecognizedExtension(GRANTS, octets), critical=False)
    if wanted.extra is not None:
        made = made.add_extension(wanted.extra, critical=True)
    return Holder(made.sign(issuer.key, hashes.SHA256()), key)


def _authority(
    name: str, key: Key, issuer: str, signer: Key, *, length: int, signs: bool = False
) -> x509.Certificate:
    return (
        _builder(name, key, _name(issuer))
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
        .add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
        .add_extension(_usage(signs=signs, certifies=True), critical=True)
        .sign(signer, hashes.SHA256())
    )


def _builder(name: str, key: Key, issuer: x509.Name) -> x509.CertificateBuilder:
    serial = x509.random_serial_number()
    return x509.CertificateBuilder(issuer, _name(name), key.public_key(), serial)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _usage(*, signs: bool, certifies: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "encipher_only")
    off = dict.fromkeys((*others, "decipher_only"), False)
    agrees = not (signs or certifies)
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=certifies,
        crl_sign=certifies,
        key_agreement=agrees,
        **off,
    )


def thumbprint(der: bytes) -> bytes:
    """SHA-256, as in x5t."""
    return hashlib.sha256(der).digest()


def protected(holder: Holder, algorithm: int = ES256, **more: Any) -> dict[int, Any]:
    """The protected header of a message that ``holder`` signs."""
    return {1: algorithm, 34: [-16, thumbprint(holder.der)], **more.get("labels", {})}


def sign(
    holder: Holder, header: bytes, payload: bytes, aad: bytes, algorithm: int = ES256
) -> bytes:
    """The signature of RFC 9052 section 4.4."""
    data = enc(["Signature1", header, aad, payload])
    if isinstance(holder.key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(holder.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    scheme = pss if algorithm == PS256 else padding.PKCS1v15()
    return holder.key.sign(data, scheme, hashes.SHA256())


def sealed(parts: Iterable[Any], tag: int = 18) -> bytes:
    """Tag and array around the four parts, whatever they are."""
    return head(6, tag) + enc(list(parts))
