"""Who a certificate says it is: one strategy for each kind of CA.

The built-in CA writes role and name into one URI (:class:`UriNaming`). Puppet's CA writes a certname
only, so the configuration says which names are what (:class:`.puppet.PuppetNaming`). A strategy reads
claims; that the issuer may make them is proved by :mod:`.issuers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography import x509

from choria.errors import TrustError

from .principals import (
    DEFAULT_GRANTS,
    GRANTS_OID,
    URI_SCHEME,
    Role,
    parse_principal_uri,
    read_grants,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a certificate's names say.

    Attributes:
        second: another role that the same certificate may have where its first one makes no sense.
    """

    role: Role
    name: str
    second: Role | None = None


class Naming(Protocol):
    """How a network's certificates name principals."""

    def claim(self, certificate: x509.Certificate) -> Claim:
        """Role and name. Raises TrustError when the certificate names nobody."""
        ...

    def grants(self, certificate: x509.Certificate, role: Role) -> frozenset[str]:
        """What the certificate grants. Raises TrustError when that cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class UriNaming:
    """The built-in CA's way: exactly one URI ``choria://<role>/<name>``, grants in an extension."""

    def claim(self, certificate: x509.Certificate) -> Claim:
        """Role and name of the URI; the subject is not looked at."""
        ours = choria_uris(certificate)
        if len(ours) != 1:
            found = f"{len(ours)} choria:// URIs" if ours else "no choria:// URI"
            raise TrustError(
                f"the certificate has {found} among its alternative names, exactly one says who it is"
            )
        return Claim(*parse_principal_uri(ours[0]))

    def grants(self, certificate: x509.Certificate, role: Role) -> frozenset[str]:
        """What the extension says, else what the role has without."""
        for extension in certificate.extensions:
            if extension.oid == GRANTS_OID and isinstance(
                extension.value, x509.UnrecognizedExtension
            ):
                return read_grants(extension.value.value)
        return DEFAULT_GRANTS[role]


def alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    """The certificate's alternative names, if it has any."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def choria_uris(certificate: x509.Certificate) -> list[str]:
    """The alternative names that want to be principals of a built-in CA."""
    names = alternative_names(certificate)
    uris = names.get_values_for_type(x509.UniformResourceIdentifier) if names else []
    # Any case of the scheme counts, so that CHORIA:// beside choria:// is two, not one and a stranger.
    return [uri for uri in uris if uri[: len(URI_SCHEME)].lower() == URI_SCHEME]
