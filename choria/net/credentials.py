"""Who we are and whom we trust, from the folder that ``ca issue`` writes (Puppet's: :mod:`.puppet`).

``certificate.pem`` (the leaf alone), ``key.pem`` (0600) and ``trust/`` with ``root.pem``,
``brokers.pem``, ``nodes.pem`` and ``clients.pem``, and ``logins.pem`` where people can log in. Whoever
did has ``credential.cwt`` beside her certificate, which goes with each request. The stores stay separate files and separate
contexts: a member's TLS context trusts the broker issuer only, so no node or client passes as a
broker, and OpenSSL, not holding our own issuer, sends our leaf without a chain (F1: 4 KB a link).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from choria.errors import ConfigError
from choria.trust import IssuerKind, Issuers, Principal, Role, Signer, read_issuers

from .revocation_file import RevocationFile

ALPN: Final = "cwp/1"
CREDENTIAL_NAME: Final = "credential.cwt"
_PRIVATE_BITS: Final = 0o077
Key = EllipticCurvePrivateKey | RSAPrivateKey


def wall_clock_ms() -> int:
    """Milliseconds since the epoch. Programs pass it on; everything else takes a parameter."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A principal's certificate, key and trust anchors.

    Attributes:
        folder: Where they come from, for messages.
        certificate_file: Our leaf, in PEM.
        key_file: Its private key.
        network: The name that the trust anchor gives to the network.
        certificate_der: Our leaf.
        issuers: For requests, replies and broker certificates; TLS trusts some of them.
        signer: Signs requests and replies with our key.
        revocation_file: What a program that runs for long must watch, if there is one.
    """

    folder: Path
    certificate_file: Path
    key_file: Path
    network: str
    principal: Principal
    certificate_der: bytes
    key: Key = field(repr=False)
    issuers: Issuers
    signer: Signer = field(repr=False)
    revocation_file: RevocationFile | None = None

    def member_context(self, *, check_hostname: bool = True) -> ssl.SSLContext:
        """TLS of a link to a broker: trusts the broker issuer alone.

        Args:
            check_hostname: False only in tests; nodes check the broker's name always (A6).
        """
        context = self._context(ssl.PROTOCOL_TLS_CLIENT, IssuerKind.BROKERS)
        context.check_hostname = check_hostname
        return context

    def broker_context(self) -> ssl.SSLContext:
        """TLS of a broker's port for members: trusts the issuers of nodes, clients and logins alone (A5, CWP-21.1-2)."""
        context = self._context(ssl.PROTOCOL_TLS_SERVER, IssuerKind.NODES, IssuerKind.CLIENTS)
        # Tickets do not survive a restart, where they would be wanted, and cost 0.35 ms each. CWP-3-8
        context.num_tickets = 0
        return context

    def _context(self, protocol: int, *stores: IssuerKind) -> ssl.SSLContext:
        # A bare context with pinned flags: create_default_context changes with Python (E10).
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        # The anchors are issuers, not the root: without this flag OpenSSL wants a self-signed one.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        context.set_alpn_protocols([ALPN])
        context.load_verify_locations(cadata=self._anchors(stores))
        try:
            context.load_cert_chain(self.certificate_file, self.key_file)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(
                f"{self.folder}: {self.certificate_file.name} and its key do not fit: {error}"
            ) from error
        return context

    def _anchors(self, stores: tuple[IssuerKind, ...]) -> bytes:
        """The issuers of ``stores``, and a CA that vouches for all: DER, one behind the other."""
        trusted = [each for each in self.issuers.anchors if each.kind in (*stores, None)]
        return b"".join(each.certificate.public_bytes(Encoding.DER) for each in trusted)


def load_credentials(folder: Path, *, now_ms: Callable[[], int] = wall_clock_ms) -> Credentials:
    """Read a credentials folder. Reads files: call it before the loop matters, or in a thread.

    Args:
        folder: What ``ca issue`` wrote.
        now_ms: Wall clock, milliseconds.

    Raises:
        ConfigError: a file is missing, unreadable or the key is open to others; says what to do.
        TrustError: the certificate proves nothing: expired, foreign issuer, no such role.
    """
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    check_private(key_file, _PRIVATE_BITS)
    key, der = load_key(key_file), load_leaf(certificate_file)
    issuers = load_issuers(folder)
    principal = issuers.identify(der, frozenset(Role), now_ms())
    signer = Signer(key, der, _credential(folder / CREDENTIAL_NAME))
    return Credentials(
        folder=folder, certificate_file=certificate_file, key_file=key_file, network=principal.network,
        principal=principal, certificate_der=der, key=key, issuers=issuers, signer=signer,
    )  # fmt: skip


def _credential(path: Path) -> bytes | None:
    if not path.exists():
        return None
    check_private(path, _PRIVATE_BITS)
    return _read(path)


def load_issuers(folder: Path) -> Issuers:
    """The trust anchors in ``folder/trust``.

    Raises:
        ConfigError: a file is missing.
        TrustError: a file is no certificate, or the files are of two CAs.
    """
    return read_trust(folder / "trust")


def read_trust(trust: Path) -> Issuers:
    """The trust anchors in a folder of PEM files. Raises as :func:`load_issuers`."""
    return read_issuers(
        root=_read(trust / "root.pem"),
        brokers=_read(trust / "brokers.pem"),
        nodes=_read(trust / "nodes.pem"),
        clients=_read(trust / "clients.pem"),
        logins=_read(logins) if (logins := trust / "logins.pem").exists() else b"",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; `ca issue` writes this folder") from error


def check_private(path: Path, forbidden: int) -> None:
    """Raise ConfigError when the file's mode has one of the ``forbidden`` bits, or it is missing."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; `ca issue` writes this folder") from error
    if mode & forbidden:
        raise ConfigError(f"{path}: others may read this private key: chmod 600 {path}")


def load_key(path: Path) -> Key:
    """A private key in PEM. Raises ConfigError."""
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: no usable private key: {error}") from error
    if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise ConfigError(f"{path}: this kind of key is not used here: issue an ECDSA P-256 one")
    return key


def load_leaf(path: Path) -> bytes:
    """DER of the first certificate in a PEM file. Raises ConfigError."""
    try:
        certificates = x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise ConfigError(f"{path}: no certificates in PEM: {error}") from error
    return certificates[0].public_bytes(Encoding.DER)
