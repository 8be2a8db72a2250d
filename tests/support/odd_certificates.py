"""Certificates of every wrong kind: start from a good one and change what the test is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from choria.ca import KeyPair

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000

BOTH_USAGES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
UNKNOWN_OID = x509.ObjectIdentifier("2.25.1")


def signing_only(*, digital_signature: bool = True, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


NO_CA = x509.BasicConstraints(ca=False, path_length=None)
SIGNING_ONLY = signing_only()


@dataclass(frozen=True)
class Recipe:
    """What a certificate says; None leaves the extension out."""

    key: Any
    uris: tuple[str, ...] = ("choria://node/web1",)
    from_ms: int = NOW_MS - DAY_MS
    to_ms: int = NOW_MS + DAY_MS
    constraints: x509.BasicConstraints | None = NO_CA
    usage: x509.KeyUsage | None = SIGNING_ONLY
    extended: tuple[x509.ObjectIdentifier, ...] | None = BOTH_USAGES
    extended_critical: bool = False
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    dns: tuple[str, ...] = ()
    subject: str = "whatever"

    def but(self, **changes: Any) -> Recipe:
        return replace(self, **changes)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def bake(recipe: Recipe, issuer: KeyPair) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, recipe.subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(recipe.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(recipe.from_ms))
        .not_valid_after(_time(recipe.to_ms))
    )
    for value, critical in _extensions(recipe):
        builder = builder.add_extension(value, critical)
    return builder.sign(issuer.key, hashes.SHA256())


def bake_der(recipe: Recipe, issuer: KeyPair) -> bytes:
    return bake(recipe, issuer).public_bytes(Encoding.DER)


def _extensions(recipe: Recipe) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if recipe.constraints is not None:
        found.append((recipe.constraints, True))
    if recipe.usage is not None:
        found.append((recipe.usage, True))
    if recipe.extended is not None:
        found.append((x509.ExtendedKeyUsage(recipe.extended), recipe.extended_critical))
    names = [x509.UniformResourceIdentifier(uri) for uri in recipe.uris]
    names += [x509.DNSName(host) for host in recipe.dns]
    if names:
        found.append((x509.SubjectAlternativeName(names), False))
    return [*found, *recipe.extra]


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC)
