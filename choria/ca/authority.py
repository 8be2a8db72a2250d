"""The CA in memory: a root that names the network, three issuers, and the certificates they make.

Pure but for the keys and serials, which the cryptography library draws. Everything is P-256. The root
signs issuers only; each issuer has path length 0, so it can make members but no further CA.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from choria.trust import (
    ISSUER_OF,
    IssuerKind,
    Issuers,
    Role,
    grants_extension,
    parse_network,
    principal_uri,
)

from .files import CaError
from .signing import sign_certificate

BACKDATE_S: Final = 300  # clocks of a fleet differ; a certificate must not be refused for being new
ROOT_DAYS: Final = 7300
ISSUER_DAYS: Final = 3650
LEAF_DAYS: Final = 365

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Key


@dataclass(frozen=True, slots=True)
class Authority:
    """A network's CA, opened: whoever holds this can make members of it."""

    network: str
    root: KeyPair
    issuers: Mapping[IssuerKind, KeyPair]
    bundles: Mapping[str, bytes] = field(default_factory=dict)  # files of several issuers
    logins: bytes = b""  # PEM of the issuer of logins, if there is one

    @property
    def trusted(self) -> Issuers:
        """What its members trust."""
        return Issuers(
            self.network,
            brokers=(self.issuers[IssuerKind.BROKERS].certificate,),
            nodes=(self.issuers[IssuerKind.NODES].certificate,),
            clients=(self.issuers[IssuerKind.CLIENTS].certificate,),
        )

    def trust_files(self) -> dict[str, bytes]:
        """The PEM files of a trust folder by name."""
        pairs = {"root": self.root} | {kind.value: pair for kind, pair in self.issuers.items()}
        files = {
            f"{name}.pem": pair.certificate.public_bytes(Encoding.PEM)
            for name, pair in pairs.items()
        }
        return files | dict(self.bundles) | ({"logins.pem": self.logins} if self.logins else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafRequest:
    """What a certificate shall say.

    Attributes:
        days: how long it holds; within its issuer's own life.
        dns: host names, of brokers only; the broker's own name is always among them.
        ips: addresses, of brokers only.
        grants: None for the role's default, else exactly these.
    """

    role: Role
    name: str
    days: float = LEAF_DAYS
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    grants: Iterable[str] | None = field(default=None)


def new_key(name: str = "") -> Key:
    """A fresh key in memory; ``name`` is for those who make it elsewhere."""
    del name
    return ec.generate_private_key(ec.SECP256R1())


def create_authority(
    network: str, now_ms: int, make_key: Callable[[str], Key] = new_key
) -> Authority:
    """A new CA in memory, for :func:`choria.ca.init_ca`, the emulator and tests.

    Args:
        network: its name.
        now_ms: wall clock.
        make_key: makes the key of the root or of an issuer, by its name.

    Raises:
        TrustError: ``network`` is no name.
    """
    network = parse_network(network)
    root_key = make_key("root")
    root_name = _name(network)
    root = _make_ca(
        _Draft(root_name, root_key.public_key(), root_name, root_key, ROOT_DAYS, 1), now_ms
    )
    pair = KeyPair(root, root_key)
    issuers = {
        kind: make_issuer(pair, f"{network} {kind}", now_ms, make_key(kind)) for kind in IssuerKind
    }
    return Authority(network, pair, issuers)


def make_issuer(root: KeyPair, name: str, now_ms: int, key: Key) -> KeyPair:
    """A new issuer under ``root``, as at the beginning or to follow another of the same name."""
    root_name = root.certificate.subject
    draft = _Draft(_name(name), key.public_key(), root_name, root.key, ISSUER_DAYS, 0)
    return KeyPair(_make_ca(draft, now_ms), key)


def make_leaf(authority: Authority, request: LeafRequest, now_ms: int) -> KeyPair:
    """A fresh key and its certificate, by the issuer of the role. Raises TrustError, CaError."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.issuers[ISSUER_OF[request.role]]
    return KeyPair(sign_leaf(issuer, key.public_key(), request, now_ms), key)


def sign_leaf(
    issuer: KeyPair, public_key: ec.EllipticCurvePublicKey, request: LeafRequest, now_ms: int
) -> x509.Certificate:
    """A certificate for a key that its owner keeps. Raises TrustError, CaError.

    Args:
        issuer: the one that vouches for the role; nothing here checks that it does.
        public_key: the owner's.
        request: what it shall say; nothing of it comes from the owner.
        now_ms: wall clock.
    """
    uri = principal_uri(request.role, request.name)
    draft = _Draft(
        _name(request.name),
        public_key,
        issuer.certificate.subject,
        issuer.key,
        _checked_days(request, issuer, now_ms),
    )
    builder = (
        _begin(draft, now_ms)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_purposes(request.role)), critical=False)
        .add_extension(
            x509.SubjectAlternativeName(_alternative_names(uri, request)), critical=False
        )
    )
    if request.grants is not None:
        builder = builder.add_extension(grants_extension(request.grants), critical=False)
    return sign_certificate(builder, issuer.key)


@dataclass(frozen=True, slots=True)
class _Draft:
    subject: x509.Name
    public_key: ec.EllipticCurvePublicKey
    issuer: x509.Name
    issuer_key: Key
    days: float
    path_length: int | None = None


def _begin(draft: _Draft, now_ms: int) -> x509.CertificateBuilder:
    now = datetime.fromtimestamp(now_ms // 1000, tz=UTC)
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(draft.issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(draft.subject)
        .issuer_name(draft.issuer)
        .public_key(draft.public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(seconds=BACKDATE_S))
        .not_valid_after(now + timedelta(days=draft.days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(draft.public_key), critical=False)
        .add_extension(issuer_id, critical=False)
    )


def _make_ca(draft: _Draft, now_ms: int) -> x509.Certificate:
    builder = (
        _begin(draft, now_ms)
        .add_extension(x509.BasicConstraints(ca=True, path_length=draft.path_length), critical=True)
        .add_extension(_usage(ca=True), critical=True)
    )
    return sign_certificate(builder, draft.issuer_key)


def _name(common_name: str) -> x509.Name:
    # X.520 bounds a common name to 64 characters; the URI is what counts, so a longer one is cut (A8).
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _purposes(role: Role) -> list[x509.ObjectIdentifier]:
    # A broker is a client too: of its cluster's other brokers.
    server = [ExtendedKeyUsageOID.SERVER_AUTH] if role is Role.BROKER else []
    return [*server, ExtendedKeyUsageOID.CLIENT_AUTH]


def _alternative_names(uri: str, request: LeafRequest) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    if request.role is not Role.BROKER:
        if request.dns or request.ips:
            raise CaError(
                f"host names and addresses are for brokers: {request.role} {request.name} has none"
            )
        return names
    try:
        names += [x509.DNSName(host) for host in dict.fromkeys((request.name, *request.dns))]
        names += [
            x509.IPAddress(ipaddress.ip_address(address)) for address in dict.fromkeys(request.ips)
        ]
    except ValueError as exc:
        raise CaError(f"broker {request.name}: {exc}") from exc
    return names


def _checked_days(request: LeafRequest, issuer: KeyPair, now_ms: int) -> float:
    left_ms = int(issuer.certificate.not_valid_after_utc.timestamp()) * 1000 - now_ms
    left_days = left_ms // 86_400_000
    if request.days <= 0:
        raise CaError(
            f"a certificate of {request.days} days is none: give a positive number of days"
        )
    if request.days * 86_400_000 > left_ms:
        kind = ISSUER_OF[request.role]
        raise CaError(
            f"the issuer '{kind}' itself holds for {left_days} more days only: ask for at most that"
        )
    return request.days
