"""Who the suite is: a folder with a certificate, its key and the trust anchors."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from .authority import read_pair
from .certificates import Key
from .names import inbox
from .verdicts import Skipped

ALPN: Final = "cwp/1"


@dataclass(frozen=True)
class Principal:
    """A credentials folder."""

    folder: Path

    @cached_property
    def certificate(self) -> x509.Certificate:
        """The leaf."""
        return x509.load_pem_x509_certificate((self.folder / "certificate.pem").read_bytes())

    @cached_property
    def key(self) -> Key:
        """Its private key."""
        return read_pair(self.folder / "certificate.pem", self.folder / "key.pem").key

    @cached_property
    def der(self) -> bytes:
        """The leaf's bytes."""
        return self.certificate.public_bytes(Encoding.DER)

    @cached_property
    def network(self) -> str:
        """The common name of the root (CWP-2.2-6)."""
        root = x509.load_pem_x509_certificate((self.folder / "trust" / "root.pem").read_bytes())
        return str(root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @cached_property
    def _who(self) -> tuple[str, str]:
        role, _, name = uris_of(self.der)[0].removeprefix("choria://").partition("/")
        return role, name

    @property
    def role(self) -> str:
        """The role of its URI."""
        return self._who[0]

    @property
    def name(self) -> str:
        """The name of its URI."""
        return self._who[1]

    @cached_property
    def inbox(self) -> str:
        """Where its replies arrive."""
        return inbox(self.network, self.role, self.name)


def uris_of(der: bytes) -> list[str]:
    """The URIs among the subject alternative names of a certificate."""
    extensions = x509.load_der_x509_certificate(der).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return list(names.value.get_values_for_type(x509.UniformResourceIdentifier))


@dataclass(frozen=True)
class Credentials:
    """The folder of a conformance run."""

    folder: Path

    def of(self, name: str) -> Principal:
        """The principal in this sub-folder. Raises Skipped when it was not provided."""
        if not (self.folder / name / "key.pem").is_file():
            raise Skipped(f"there are no credentials {name}")
        return Principal(self.folder / name)


def member_context(principal: Principal) -> ssl.SSLContext:
    """TLS of a member: trusts the broker issuer, offers cwp/1."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, principal, ("brokers",))
    context.check_hostname = (
        False  # an address may be a tunnel's; section 3 asks it of members only
    )
    return context


def broker_context(principal: Principal) -> ssl.SSLContext:
    """TLS of the suite as a broker: trusts the node and client issuers."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, principal, ("nodes", "clients"))
    context.num_tickets = 0
    return context


def _context(protocol: int, principal: Principal, stores: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols([ALPN])
    for store in stores:
        context.load_verify_locations(cafile=principal.folder / "trust" / f"{store}.pem")
    context.load_cert_chain(principal.folder / "certificate.pem", principal.folder / "key.pem")
    return context
