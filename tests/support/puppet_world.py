"""A Puppet CA in memory: root and intermediate, and certificates like those that Puppet Server issues.

RSA-2048 keys instead of 4096, and a handful of them for everybody, because making them is what takes
time. tests/interop/test_puppet_ca.py holds the same against a real CA.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from choria.ca import KeyPair
from tests.support.odd_certificates import DAY_MS, NOW_MS

PUPPET_AUTH = x509.ObjectIdentifier("1.3.6.1.4.1.34380.1.3.39")
NETSCAPE_COMMENT = x509.ObjectIdentifier("2.16.840.1.113730.1.13")
YEAR_MS = 365 * DAY_MS


@cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _usage(**true: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: true.get(name, False) for name in names})


LEAF_USAGE = _usage(digital_signature=True, key_encipherment=True)
BOTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
COMMENT = b"\x16\x22Puppet Server Internal Certificate"


def _name(*common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in common])


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC)


def _draft(subject: x509.Name, issuer: x509.Name, key: Any, serial: int, now_ms: int):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_time(now_ms - DAY_MS))
        .not_valid_after(_time(now_ms + 5 * YEAR_MS))
        .add_extension(x509.UnrecognizedExtension(NETSCAPE_COMMENT, COMMENT), critical=False)
    )


def make_ca(
    name: str,
    key: Any,
    *,
    above: KeyPair | None,
    now_ms: int = NOW_MS,
    path_length: int | None = None,
) -> KeyPair:
    issuer = above.certificate.subject if above else _name(name)
    certificate = (
        _draft(_name(name), issuer, key, 2 if above else 1, now_ms)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(above.key if above else key, hashes.SHA256())
    )
    return KeyPair(certificate, key)


@dataclass
class PuppetWorld:
    """A CA and what it has issued."""

    root: KeyPair
    issuing: KeyPair
    now_ms: int
    serial: int = 0

    def bundle(self) -> bytes:
        return pem(self.issuing.certificate, self.root.certificate)

    def certificate(  # noqa: PLR0913  # what a certificate can say, all by name
        self,
        name: str,
        *,
        alt: Sequence[str] | None = None,
        cn: Sequence[str] | None = None,
        uris: Sequence[str] = (),
        usage: x509.ExtendedKeyUsage = BOTH,
        extra: Iterable[tuple[x509.ExtensionType, bool]] = (),
        issuer: KeyPair | None = None,
        key: Any = None,
    ) -> x509.Certificate:
        """As Puppet makes it: the alternative names sorted, purpose critical, a private extension."""
        issuer = issuer or self.issuing
        self.serial += 1
        subject = _name(*([name] if cn is None else cn))
        draft = (
            _draft(subject, issuer.certificate.subject, key or rsa_key(3), self.serial, self.now_ms)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(LEAF_USAGE, critical=True)
            .add_extension(x509.UnrecognizedExtension(PUPPET_AUTH, b"\x0c\x04true"), critical=False)
        )
        names = _alternative_names(sorted([name]) if alt is None else alt, uris)
        if names:
            draft = draft.add_extension(x509.SubjectAlternativeName(names), critical=False)
        for value, critical in extra:
            draft = draft.add_extension(value, critical)
        return draft.sign(issuer.key, hashes.SHA256())

    def der(self, name: str, **facts: Any) -> bytes:
        return self.certificate(name, **facts).public_bytes(Encoding.DER)

    def crl(
        self,
        *serials: int,
        number: int | None = 1,
        by: KeyPair | None = None,
        key: Any = None,
        days: float = 1825,
        extra: Iterable[tuple[x509.ExtensionType, bool]] = (),
    ) -> bytes:
        by = by or self.issuing
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(by.certificate.subject)
            .last_update(_time(self.now_ms - 10 * DAY_MS))
            .next_update(_time(self.now_ms + int(days * DAY_MS)))
        )
        if number is not None:
            builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        for value, critical in extra:
            builder = builder.add_extension(value, critical)
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial)
            builder = builder.add_revoked_certificate(
                entry.revocation_date(_time(self.now_ms - DAY_MS)).build()
            )
        return builder.sign(key or by.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def crls(self, *serials: int, number: int = 1, days: float = 1825) -> bytes:
        """Both lists, as in ``crl.pem``."""
        own = self.crl(*serials, number=number, days=days)
        return own + self.crl(by=self.root, number=number)

    def write(self, folder: Path, *names: str, crl: bytes | None = None) -> Path:
        """An ssl folder as ``puppet ssl bootstrap`` leaves it."""
        for part in ("certs", "private_keys"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "certs" / "ca.pem").write_bytes(self.bundle())
        (folder / "crl.pem").write_bytes(self.crls() if crl is None else crl)
        for name in names:
            self.add(folder, self.certificate(name), name)
        return folder

    def add(self, folder: Path, certificate: x509.Certificate, name: str, key: Any = None) -> None:
        """Certificate and key of ``name``, with Puppet's file modes."""
        (folder / "certs" / f"{name}.pem").write_bytes(pem(certificate))
        file = folder / "private_keys" / f"{name}.pem"
        file.write_bytes(
            (key or rsa_key(3)).private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            )
        )
        file.chmod(0o640)


def new_world(now_ms: int = NOW_MS, host: str = "puppet.example.net") -> PuppetWorld:
    root = make_ca("Puppet Root CA: 95bbeef34881e6", rsa_key(1), above=None, now_ms=now_ms)
    issuing = make_ca(f"Puppet CA: {host}", rsa_key(2), above=root, now_ms=now_ms)
    return PuppetWorld(root, issuing, now_ms)


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def _alternative_names(names: Sequence[str], uris: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
    for name in names:
        if name[0].isdigit():
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        else:
            found.append(x509.DNSName(name))
    return found
