"""Who somebody is, once a certificate has proved it: the principal, its role and its grants.

A principal is (network, role, name), never a certificate: certificates are renewed, principals stay
(A9). Grants come from a private, non-critical certificate extension, so that OpenSSL lets the
handshake pass; the extension's octets are a DER OCTET STRING (X.509 wants ASN.1 there) that holds a
deterministic CBOR array of text.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat import asn1

from choria.errors import CodecError, InvalidName, TrustError
from choria.wire import decode_cbor, encode_cbor, inbox_token, parse_identity

GRANTS_OID: Final = x509.ObjectIdentifier("2.25.231049862071186121806654164809498733030")
"""Under 2.25 any UUID is an OID of its own (X.667): add295b5-83c0-4ab3-91f2-f03db733a9e6."""

MAX_GRANTS: Final = 64
MAX_GRANTS_BYTES: Final = 8192
URI_SCHEME: Final = "choria:"

_GRANT: Final = re.compile(r"[a-z0-9](?:[a-z0-9._:-]{0,253}[a-z0-9])?")
_URI: Final = re.compile(r"choria://([a-z]{1,16})/([a-z0-9._-]{1,253})")


class Role(enum.StrEnum):
    """What a principal is to the network; the text is the host part of its URI."""

    BROKER = "broker"
    NODE = "node"
    CLIENT = "client"
    SERVICE = "service"
    RELAY = "relay"


DEFAULT_GRANTS: Final[Mapping[Role, frozenset[str]]] = MappingProxyType(
    {role: frozenset({"fleet"} if role is Role.CLIENT else ()) for role in Role}
)
"""What a certificate without the extension grants: a client may call the fleet, nobody else has any."""


LOGIN_PREFIXES: Final = ("up", "oidc")
"""Names of clients that logged in begin with one of these and a dot, and no other client's do."""

LOGIN_GRANTS: Final = frozenset({"fleet", "events", "streams-read"})
"""What a login issuer may grant: taken over, it makes no administrator."""


@dataclass(frozen=True, slots=True)
class Principal:
    """(network, role, name) and what it was granted."""

    network: str
    role: Role
    name: str
    grants: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """Role, name and network, for messages."""
        return f"{self.role} {self.name} of network {self.network}"

    @property
    def callerid(self) -> str:
        """The name that policies and audit records know: ``choria=rip`` for the client rip.

        Other roles have their role as the prefix (``node=web1``): a policy that lets the client
        ``rip`` in must not let in a node that was named so. So has somebody who logged in:
        ``up=rip`` for ``up.rip``, by password, and ``oidc=rip`` for ``oidc.rip``.
        """
        if self.role is not Role.CLIENT:
            return f"{self.role.value}={self.name}"
        prefix, name = _split_login_name(self.name)
        return f"{prefix or 'choria'}={name}"

    def callerid_for(self, own_network: str) -> str:
        """The callerid as a member of ``own_network`` sees it: foreign ones carry their network (A7)."""
        return self.callerid if self.network == own_network else f"{self.network}:{self.callerid}"

    @property
    def inbox(self) -> str:
        """The subject token under which only this principal receives replies (A3, A9)."""
        return inbox_token(self.network, self.role.value, self.name)


def _split_login_name(name: str) -> tuple[str, str]:
    prefix, dot, rest = name.partition(".")
    return (prefix, rest) if dot and prefix in LOGIN_PREFIXES else ("", name)


def is_login_name(name: str) -> bool:
    """Whether only a login issuer may vouch for a client of this name (CWP-21.1-3)."""
    return bool(_split_login_name(name)[0])


def login_name(prefix: str, user: str) -> str:
    """The principal's name of ``user``. Raises TrustError for a name or prefix outside the grammar."""
    try:
        parse_identity(user)
        if prefix in LOGIN_PREFIXES:
            return str(parse_identity(f"{prefix}.{user}"))
    except InvalidName as exc:
        raise TrustError(f"{user[:80]!r} cannot be the name of a user: {exc}") from exc
    raise TrustError(f"{prefix[:20]!r} is no way to log in")


def principal_uri(role: Role, name: str) -> str:
    """The URI that a certificate of ``name`` carries. Raises TrustError for a name outside the grammar."""
    try:
        return f"choria://{role.value}/{parse_identity(name)}"
    except InvalidName as exc:
        raise TrustError(f"{name[:80]!r} cannot be a {role}'s name: {exc}") from exc


def parse_principal_uri(uri: str) -> tuple[Role, str]:
    """Role and name of ``choria://<role>/<name>``, compared as bytes: nothing is folded or decoded (A8)."""
    match = _URI.fullmatch(uri)
    try:
        if match is None:
            raise InvalidName("want choria://<role>/<name> in lower case, without escapes")
        return Role(match[1]), str(parse_identity(match[2]))
    except ValueError as exc:  # InvalidName is one
        raise TrustError(f"the certificate's URI {uri[:300]!r} names no principal: {exc}") from exc


def parse_grants(texts: Iterable[object]) -> frozenset[str]:
    """Check a set of grants. Raises TrustError for one outside the grammar, doubles or too many."""
    grants: list[str] = []
    for grant in texts:
        if not isinstance(grant, str) or _GRANT.fullmatch(grant) is None:
            raise TrustError(
                f"{str(grant)[:80]!r} is no grant: want lower case, such as relay:london"
            )
        grants.append(grant)
    if len(grants) > MAX_GRANTS:
        raise TrustError(f"{len(grants)} grants, at most {MAX_GRANTS} fit one certificate")
    if len(set(grants)) != len(grants):
        raise TrustError("a grant is named twice")
    return frozenset(grants)


def grants_extension(grants: Iterable[str]) -> x509.UnrecognizedExtension:
    """The certificate extension that says ``grants``; add it with ``critical=False``."""
    value = asn1.encode_der(encode_cbor(sorted(parse_grants(grants))))
    if len(value) > MAX_GRANTS_BYTES:
        raise TrustError(
            f"these grants take {len(value)} bytes, at most {MAX_GRANTS_BYTES} are read"
        )
    return x509.UnrecognizedExtension(GRANTS_OID, value)


def read_grants(value: bytes) -> frozenset[str]:
    """The grants in an extension's octets. Raises TrustError: a damaged grant is no certificate."""
    if len(value) > MAX_GRANTS_BYTES:
        raise TrustError(
            f"the grants extension has {len(value)} bytes, at most {MAX_GRANTS_BYTES} are read"
        )
    try:
        array = decode_cbor(asn1.decode_der(bytes, value), max_depth=2, max_items=MAX_GRANTS + 1)
    except (ValueError, CodecError) as exc:
        raise TrustError(f"the grants extension cannot be read: {exc}") from exc
    if not isinstance(array, list | tuple):
        raise TrustError("the grants extension holds no array of text")
    return parse_grants(array)
