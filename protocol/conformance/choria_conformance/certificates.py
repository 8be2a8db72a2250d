"""Certificates, good and bad: start from a good one and change what the case is about."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .cbor import encode, head

GRANTS: Final = x509.ObjectIdentifier("2.25.231049862071186121806654164809498733030")
UNKNOWN: Final = x509.ObjectIdentifier("2.25.1")
DAY: Final = dt.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    """A P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def grants_extension(grants: Iterable[str]) -> bytes:
    """The value of the grants extension: a DER OCTET STRING around CBOR (CWP-13.2-5)."""
    return octet_string(encode(list(grants)))


def octet_string(data: bytes) -> bytes:
    """DER OCTET STRING."""
    size = len(data)
    if size < 128:
        return bytes([4, size]) + data
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([4, 0x80 | len(length)]) + length + data


def usage(*, sign: bool = True, issue: bool = False) -> x509.KeyUsage:
    """Key usage with digitalSignature and keyCertSign as asked."""
    return x509.KeyUsage(
        digital_signature=sign, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=issue, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A key and its certificate."""

    key: Key
    certificate: x509.Certificate


@dataclass(frozen=True)
class Recipe:
    """What a leaf says; the defaults are right for a member."""

    uris: tuple[str, ...]
    grants: bytes | None = None
    start: dt.timedelta = -DAY
    end: dt.timedelta = 30 * DAY
    authority: bool = False
    usage: x509.KeyUsage = field(default_factory=usage)
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CLIENT_AUTH,)
    hosts: tuple[str, ...] = ()
    common_name: str = "conformance"
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()


def make_leaf(recipe: Recipe, issuer: Pair, key: Key | None = None) -> Pair:
    """Sign a leaf."""
    key = key or new_key()
    builder = _begin(recipe.common_name, issuer.certificate.subject, key, recipe.start, recipe.end)
    constraints = x509.BasicConstraints(ca=recipe.authority, path_length=None)
    builder = builder.add_extension(constraints, critical=True)
    builder = builder.add_extension(recipe.usage, critical=True)
    if recipe.purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(recipe.purposes), critical=False)
    names = [*map(x509.UniformResourceIdentifier, recipe.uris), *map(_host, recipe.hosts)]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if recipe.grants is not None:
        unrecognized = x509.UnrecognizedExtension(GRANTS, recipe.grants)
        builder = builder.add_extension(unrecognized, critical=False)
    for extension, critical in recipe.extra:
        builder = builder.add_extension(extension, critical)
    return Pair(key, builder.sign(issuer.key, hashes.SHA256()))


def make_issuer(name: str, parent: Pair | None, key: Key | None = None) -> Pair:
    """A root (no parent) or an issuer under it."""
    key = key or new_key()
    subject = _name(name)
    above = parent.certificate.subject if parent else subject
    builder = _begin(name, above, key, -DAY, 3650 * DAY)
    depth = 0 if parent else 1
    builder = builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=depth), critical=True
    )
    builder = builder.add_extension(usage(sign=False, issue=True), critical=True)
    signer = parent.key if parent else key
    return Pair(key, builder.sign(signer, hashes.SHA256()))


def _begin(
    name: str, issuer: x509.Name, key: Key, start: dt.timedelta, end: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start)
        .not_valid_after(now + end)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def too_large_extension() -> x509.UnrecognizedExtension:
    """An extension that makes a certificate larger than 16384 bytes (CWP-13.2-4)."""
    return x509.UnrecognizedExtension(UNKNOWN, octet_string(bytes(17_000)))


def huge_grants() -> bytes:
    """A grants extension that announces more than there is."""
    return octet_string(head(4, 3) + encode("fleet"))
