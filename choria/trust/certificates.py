"""Certificates: DER in, what they claim out, or TrustError with what is wrong and what to do.

Nothing here is proved yet: :mod:`.issuers` proves the claims. Everything that touches the x509
library runs inside :func:`x509_errors`, because its parser is lazy and its exceptions have no
common base: ``x509.InvalidVersion`` is not even a ValueError.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from choria.errors import TrustError

from .keys import PublicKey, check_public_key
from .naming import Naming, UriNaming
from .principals import Role
from .times import describe_span, format_time

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

MAX_CERTIFICATE_BYTES: Final = (
    16 * 1024
)  # CWP-13.2-4; Puppet's RSA-4096 leaf with its names has about 2 KiB

_LEAF_CRITICAL: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,  # Puppet marks it so, and we do check it (F2)
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
_SIGNATURE_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_X509_ERRORS: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
    UserWarning,  # the parser warns of odd encodings; under ``-W error`` that is an exception
)


class Purpose(enum.Enum):
    """What a key may be used for, by the certificate's extended key usage."""

    SERVER = ExtendedKeyUsageOID.SERVER_AUTH
    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate holds, both inclusive, in milliseconds since the epoch."""

    not_before_ms: int
    not_after_ms: int

    def check(self, whose: str, now_ms: int) -> None:
        """Raise TrustError unless ``now_ms`` is inside; the text says by how much and what to do."""
        if now_ms > self.not_after_ms:
            age = describe_span(now_ms - self.not_after_ms)
            when = format_time(self.not_after_ms)
            raise TrustError(
                f"certificate of {whose} expired {age} ago ({when}): have the CA issue a new one"
            )
        if now_ms < self.not_before_ms:
            ahead = describe_span(self.not_before_ms - now_ms)
            when = format_time(self.not_before_ms)
            raise TrustError(
                f"certificate of {whose} is not valid before {when}, {ahead} from now: "
                f"check the clock of this machine, it says {format_time(now_ms)}"
            )


@dataclass(frozen=True, slots=True)
class Leaf:
    """What an end entity's certificate claims. The issuer's signature is still to be proved."""

    certificate: x509.Certificate
    thumbprint: bytes  # SHA-256 of the DER, as in COSE's x5t
    role: Role
    second_role: Role | None
    name: str
    grants: frozenset[str]
    validity: Validity
    purposes: frozenset[Purpose]
    public_key: PublicKey

    @property
    def whose(self) -> str:
        """Role and name, for messages."""
        return f"{self.role} {self.name}"


@contextmanager
def x509_errors(what: str) -> Iterator[None]:
    """The one border where the x509 library's exceptions become TrustError."""
    try:
        yield
    except _X509_ERRORS as exc:
        raise TrustError(f"{what}: {str(exc)[:200] or type(exc).__name__}") from exc


def parse_certificate(der: bytes) -> x509.Certificate:
    """Parse DER of at most 16 KiB. Raises TrustError."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise TrustError(
            f"a certificate of {len(der)} bytes is refused: at most {MAX_CERTIFICATE_BYTES} are read"
        )
    with x509_errors("these bytes are no certificate"):
        certificate = x509.load_der_x509_certificate(der)
        if certificate.version is not x509.Version.v3:
            raise TrustError(
                "a certificate of X.509 version 1 is refused: it cannot say what it is for"
            )
        if certificate.serial_number <= 0:
            raise TrustError("a certificate without a positive serial number is refused")
        # The parser takes a signature whose bit string has unused bits: other bytes, the same meaning.
        if der[-1 - len(certificate.signature)] != 0:
            raise TrustError("the certificate's signature is not a whole number of bytes")
        return certificate


def read_leaf(der: bytes, naming: Naming | None = None) -> Leaf:
    """Read an end entity's certificate. Raises TrustError for any that could not be ours."""
    naming = naming or UriNaming()
    certificate = parse_certificate(der)
    with x509_errors("the certificate cannot be read"):
        extensions = certificate.extensions
        claim = naming.claim(certificate)
        with _about(f"{claim.role} {claim.name}"):
            check_signature_hash(certificate)
            _check_leaf_extensions(extensions)
            return Leaf(
                certificate=certificate,
                thumbprint=sha256(der).digest(),
                role=claim.role,
                second_role=claim.second,
                name=claim.name,
                grants=naming.grants(certificate, claim.role),
                validity=validity_of(certificate),
                purposes=_read_purposes(extensions),
                public_key=check_public_key(certificate.public_key()),
            )


def validity_of(certificate: x509.Certificate) -> Validity:
    """The certificate's validity in integer milliseconds."""
    return Validity(
        not_before_ms=int(certificate.not_valid_before_utc.timestamp()) * 1000,
        not_after_ms=int(certificate.not_valid_after_utc.timestamp()) * 1000,
    )


def check_signature_hash(certificate: x509.Certificate | x509.CertificateRevocationList) -> None:
    """Raise TrustError unless the issuer signed with SHA-2 (SHA-1 can be collided, Ed25519 has none)."""
    if not isinstance(certificate.signature_hash_algorithm, _SIGNATURE_HASHES):
        oid = certificate.signature_algorithm_oid.dotted_string
        raise TrustError(
            f"signature algorithm {oid} is refused: want ECDSA or RSA with SHA-256, SHA-384 or SHA-512"
        )


def check_critical(extensions: x509.Extensions, known: frozenset[x509.ObjectIdentifier]) -> None:
    """Raise TrustError for a critical extension that is not in ``known`` (RFC 5280 4.2)."""
    for extension in extensions:
        if extension.critical and extension.oid not in known:
            raise TrustError(
                f"critical extension {extension.oid.dotted_string} is unknown here, so it is refused"
            )


@contextmanager
def _about(whose: str) -> Iterator[None]:
    try:
        yield
    except TrustError as exc:
        raise TrustError(f"certificate of {whose}: {exc}") from exc


def _check_leaf_extensions(extensions: x509.Extensions) -> None:  # CWP-13.2-1
    check_critical(extensions, _LEAF_CRITICAL)
    if _required(extensions, x509.BasicConstraints).ca:
        raise TrustError("it is a CA's certificate (CA:TRUE), which nobody may use as its own")
    usage = _required(extensions, x509.KeyUsage)
    if not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        raise TrustError(
            "its key usage must allow digital signatures and no signing of certificates"
        )


def _required(extensions: x509.Extensions, kind: type[_Extension]) -> _Extension:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound as exc:
        raise TrustError(f"it has no {kind.__name__} extension") from exc


def _read_purposes(extensions: x509.Extensions) -> frozenset[Purpose]:
    usages = set(_required(extensions, x509.ExtendedKeyUsage))
    return frozenset(purpose for purpose in Purpose if purpose.value in usages)
