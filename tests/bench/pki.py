"""Certificates of the benchmark: a network's root and three issuers, and a leaf for everyone."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from choria.trust import ISSUER_OF, IssuerKind, Role, principal_uri

NETWORK = "bench"


@dataclass
class Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


def usage(*, ca: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    wanted = {"key_cert_sign", "crl_sign"} if ca else {"digital_signature"}
    return x509.KeyUsage(**{name: name in wanted for name in names})


def builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey):
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
    )


class Network:
    """One network's CA. All members share one key: making 2,000 proves nothing more."""

    def __init__(self) -> None:
        self.root = self._ca(NETWORK, None)
        self.issuers = {kind: self._ca(f"{NETWORK} {kind}", self.root) for kind in IssuerKind}
        self.member_key = ec.generate_private_key(ec.SECP256R1())

    def _ca(self, name: str, parent: Pair | None) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = parent.key if parent else key
        issuer = parent.certificate.subject if parent else own
        constraints = x509.BasicConstraints(ca=True, path_length=0 if parent else 1)
        made = builder(name, issuer, key).add_extension(constraints, critical=True)
        made = made.add_extension(usage(ca=True), critical=True)
        return Pair(made.sign(signer, hashes.SHA256()), key)

    def leaf(self, role: Role, name: str) -> Pair:
        issuer = self.issuers[ISSUER_OF[role]]
        broker = role is Role.BROKER
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if broker else ExtendedKeyUsageOID.CLIENT_AUTH
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(principal_uri(role, name))]
        if broker:
            names += [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        made = builder(name, issuer.certificate.subject, self.member_key)
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (usage(ca=False), True),
            (x509.ExtendedKeyUsage([purpose]), False),
            (x509.SubjectAlternativeName(names), False),
        ):
            made = made.add_extension(extension, critical=critical)
        return Pair(made.sign(issuer.key, hashes.SHA256()), self.member_key)

    def write_broker(self, folder: Path) -> None:
        """Write the folder that ``choria-trio ca issue broker`` would write."""
        (folder / "trust").mkdir(parents=True)
        (folder / "certificate.pem").write_bytes(self.leaf(Role.BROKER, "broker1").pem)
        key = folder / "key.pem"
        key.write_bytes(self.key_bytes(serialization.Encoding.PEM))
        key.chmod(0o600)
        (folder / "trust/root.pem").write_bytes(self.root.pem)
        for kind, issuer in self.issuers.items():
            (folder / f"trust/{kind}.pem").write_bytes(issuer.pem)

    def key_bytes(self, encoding: serialization.Encoding) -> bytes:
        traditional = encoding is serialization.Encoding.DER
        kind = serialization.PrivateFormat
        return self.member_key.private_bytes(
            encoding,
            kind.TraditionalOpenSSL if traditional else kind.PKCS8,
            serialization.NoEncryption(),
        )
