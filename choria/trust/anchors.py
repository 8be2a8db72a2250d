"""Trust anchors: the certificates of issuers, the three kinds of them, and what each may vouch for."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from choria.errors import TrustError

from .certificates import (
    Validity,
    check_critical,
    check_signature_hash,
    validity_of,
    x509_errors,
)
from .keys import PublicKey, check_public_key
from .principals import Role

MAX_ANCHORS: Final = 16  # a kind of issuer; more than one while an issuer is being replaced


class IssuerKind(enum.StrEnum):
    """The three trust stores."""

    BROKERS = "brokers"
    NODES = "nodes"
    CLIENTS = "clients"


VOUCHES_FOR: Final[Mapping[IssuerKind, frozenset[Role]]] = MappingProxyType(
    {
        IssuerKind.BROKERS: frozenset({Role.BROKER}),
        IssuerKind.NODES: frozenset({Role.NODE}),
        IssuerKind.CLIENTS: frozenset({Role.CLIENT, Role.SERVICE, Role.RELAY}),
    }
)
"""Role = f(issuer, name): the URI only selects among what its issuer may vouch for (A5)."""

ISSUER_OF: Final[Mapping[Role, IssuerKind]] = MappingProxyType(
    {role: kind for kind, roles in VOUCHES_FOR.items() for role in roles}
)

_ANCHOR_CRITICAL: Final = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})


@dataclass(frozen=True, slots=True)
class Anchor:
    """One issuer's certificate in a trust store."""

    kind: IssuerKind | None  # None: one CA for all roles, as Puppet's is
    certificate: x509.Certificate
    subject: bytes
    key: PublicKey
    public_key: bytes  # DER of the key: the issuer's identity for revocation, whatever its name
    validity: Validity
    logins: bool = False  # for people who logged in: what it made needs a credential beside it

    @property
    def vouches_for(self) -> frozenset[Role]:
        """The roles that this issuer may make."""
        if self.logins:
            return frozenset({Role.CLIENT})
        return frozenset(Role) if self.kind is None else VOUCHES_FOR[self.kind]


def make_anchor(
    kind: IssuerKind | None, certificate: x509.Certificate, *, logins: bool = False
) -> Anchor:
    """Check that a certificate may stand in a trust store. Raises TrustError.

    Args:
        kind: the store; None for a CA that vouches for all roles.
        certificate: the issuer's.
        logins: it stands in the store of login issuers.
    """
    kind_name = kind or "all"
    with x509_errors(f"a certificate among the issuers '{kind_name}' cannot be read"):
        name = certificate.subject.rfc4514_string()[:120]
        try:
            check_signature_hash(certificate)
            _check_may_issue(certificate.extensions, logins=logins)
            key = check_public_key(certificate.public_key())
        except TrustError as exc:
            raise TrustError(f"issuer {name!r} among '{kind_name}': {exc}") from exc
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        subject = certificate.subject.public_bytes()
        return Anchor(kind, certificate, subject, key, der, validity_of(certificate), logins)


def check_unambiguous(anchors: Iterable[tuple[str, Anchor]]) -> None:
    """Raise TrustError when one key stands under two labels: who vouches must have one answer (A7)."""
    owner: dict[bytes, str] = {}
    for label, anchor in anchors:
        other = owner.setdefault(anchor.public_key, label)
        if other != label:
            raise TrustError(
                f"the same issuer key stands for {other} and for {label}: give each its own issuer"
            )


def check_count(anchors: Iterable[Anchor]) -> None:
    """Raise TrustError beyond 16 issuers of a kind."""
    kinds = [anchor.kind for anchor in anchors if not anchor.logins]
    for kind in (*IssuerKind, None):
        if kinds.count(kind) > MAX_ANCHORS:
            raise TrustError(f"more than {MAX_ANCHORS} issuers '{kind or 'all'}'")


def _check_may_issue(extensions: x509.Extensions, *, logins: bool) -> None:
    check_critical(extensions, _ANCHOR_CRITICAL)
    if any(extension.oid == ExtensionOID.NAME_CONSTRAINTS for extension in extensions):
        raise TrustError(
            "name constraints are not enforced here, so an issuer that has them is refused"
        )
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as exc:
        raise TrustError("it has no basic constraints or no key usage, so it is no CA") from exc
    if not (constraints.ca and usage.key_cert_sign):
        raise TrustError("it is no CA: it needs CA:TRUE and key usage keyCertSign")
    if logins and not usage.digital_signature:  # CWP-21.1-1
        raise TrustError("it may not sign credentials: it needs key usage digitalSignature")
