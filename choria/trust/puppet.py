"""Names of Puppet's certificates: one CA vouches for all roles, so that the configuration tells them.

Every certificate of Puppet's CA may be a TLS server and a client, and says nothing but its certname.
Brokers, relays and services are therefore listed by name, never by pattern (A6); operators are known
by Choria's patterns; everybody else is a node. Nothing that the owner of a certificate could have put
into its signing request has a say: grants come from the broker's configuration alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from choria.errors import InvalidName, TrustError
from choria.wire import parse_identity

from .naming import Claim, alternative_names, choria_uris
from .principals import DEFAULT_GRANTS, Role

CLIENT_PATTERNS: Final = ("*.mcollective", "*.choria")
"""Which certnames are operators', as Choria has it: ``rip.mcollective``."""

_PATTERN: Final = re.compile(r"\*(\.[a-z0-9._-]+)")


@dataclass(frozen=True, slots=True)
class PuppetNaming:
    """Roles by certname. Raises TrustError for names outside the grammar, or named for two roles.

    Attributes:
        brokers: certnames of brokers.
        broker_hosts: host names and addresses at which this member was told to find its brokers; a
            certificate that the CA issued for one of them is a broker's.
        relays: certnames of relays.
        services: certnames of services.
        clients: certnames of clients, or ``*.suffix``.
    """

    brokers: frozenset[str] = frozenset()
    broker_hosts: frozenset[str] = frozenset()
    relays: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    clients: tuple[str, ...] = CLIENT_PATTERNS

    def __post_init__(self) -> None:
        """Check the lists, so that a slip in them is found at the start."""
        listed: dict[str, Role] = {}
        for role, names in self._lists().items():
            for name in names:
                if listed.setdefault(_certname(name), role) is not role:
                    raise TrustError(f"{name} is named as a {listed[name]} and as a {role}")
        for pattern in self.clients:
            suffix = _PATTERN.fullmatch(pattern)
            _certname("x" + suffix[1] if suffix else pattern)

    def claim(self, certificate: x509.Certificate) -> Claim:
        """The certname, and the role that the configuration has for it."""
        if choria_uris(certificate):
            raise TrustError("a certificate of Puppet's CA has no choria:// URI, this one has")
        hosts = _hosts(certificate)
        name = _common_name(certificate)
        if name not in hosts:
            # Not "the first one": Puppet sorts them, so that an alias may stand before the certname.
            raise TrustError(
                f"its common name {name} is not among its alternative DNS names: have Puppet issue it anew"
            )
        return self._role(name, hosts)

    def grants(self, certificate: x509.Certificate, role: Role) -> frozenset[str]:
        """What the role has; whoever wrote the signing request chose the certificate's extensions."""
        del certificate
        return DEFAULT_GRANTS[role]

    def _role(self, name: str, hosts: frozenset[str]) -> Claim:
        for role, names in self._lists().items():
            if name in names:
                return _listed(role, name)
        if any(_matches(pattern, name) for pattern in self.clients):
            return Claim(Role.CLIENT, name)
        if hosts & self.broker_hosts:
            return _listed(Role.BROKER, name)
        return Claim(Role.NODE, name)

    def _lists(self) -> Mapping[Role, frozenset[str]]:
        return {
            Role.BROKER: self.brokers,
            Role.RELAY: self.relays,
            Role.SERVICE: self.services,
        }


def _listed(role: Role, name: str) -> Claim:
    # A broker's machine has one certificate and usually a node as well. It gains nothing by being
    # one: its key is the machine's, and brokers and members come through different doors.
    return Claim(role, name, Role.NODE if role is Role.BROKER else None)


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("*"):
        return name.endswith(pattern[1:]) and len(name) >= len(pattern)
    return name == pattern


def _certname(text: str) -> str:
    try:
        return str(parse_identity(text))
    except InvalidName as exc:
        raise TrustError(f"{text[:80]!r} cannot be a certname: {exc}") from exc


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise TrustError(f"the certificate has {len(names)} common names, exactly one is its name")
    return _certname(str(names[0].value))


def _hosts(certificate: x509.Certificate) -> frozenset[str]:
    names = alternative_names(certificate)
    if names is None:
        return frozenset()
    addresses = names.get_values_for_type(x509.IPAddress)
    return frozenset(
        [*names.get_values_for_type(x509.DNSName), *(str(address) for address in addresses)]
    )
