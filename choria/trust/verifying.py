"""Verifying what others signed: shape, certificate, purpose, signature, in this order.

The cheap checks come first and every one is bounded, because strangers choose the bytes. Which
network a signer belongs to is decided by the issuer that made its certificate, never by what the
message says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from choria.errors import TrustError

from .anchors import check_unambiguous
from .cose import AAD_REPLY, AAD_REQUEST, LABEL_CRIT, LABEL_KCWT, MAX_MESSAGE_BYTES, Opened, open1
from .credential import Credential, open_credential
from .identifier import DEFAULT_CAPACITY, Identifier
from .issuers import Identified, Issuers
from .principals import Principal, Role
from .proved_credentials import ProvedCredentials

# CWP-13.3-9
REQUEST_ROLES: Final = frozenset({Role.CLIENT, Role.SERVICE})
_UNDERSTOOD: Final[frozenset[int | str]] = frozenset({LABEL_KCWT})
REPLY_ROLES: Final = frozenset({Role.NODE, Role.SERVICE})


class UnknownCertificate(TrustError):  # noqa: N818  # a fact: ask the signer for it
    """A message names its signer's certificate by hash only, and nobody here has it.

    Attributes:
        thumbprint: SHA-256 of the certificate that is missing.
    """

    def __init__(self, thumbprint: bytes) -> None:
        super().__init__(
            f"the signer's certificate {thumbprint.hex()[:16]}... is not known here: ask the signer for it"
        )
        self.thumbprint = thumbprint


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A request that its caller signed."""

    principal: Principal
    payload: bytes
    message_hash: bytes  # SHA-256 of the message as sent; replies name it
    credential: Credential | None = (
        None  # what limits a caller that logged in; its time is not judged
    )
    credential_fault: str = ""  # why this caller's credential counts for nothing; then refuse


class VerifiedReply(NamedTuple):
    """A reply that its node signed."""

    principal: Principal
    payload: bytes


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another network whose word counts here, for ``roles`` only."""

    issuers: Issuers
    roles: frozenset[Role]


def _nothing(thumbprint: bytes) -> bytes | None:
    """A lookup that knows no certificate."""
    del thumbprint
    return None


class Verifier:
    """Verifies requests and replies of the own network, and of foreign ones as configured."""

    __slots__ = ("_allowed", "_credentials", "_identifiers", "network")

    def __init__(
        self,
        own: Issuers | Identifier,
        foreign: Iterable[Foreign] = (),
        *,
        capacity: int = DEFAULT_CAPACITY,
    ) -> None:
        """Raises TrustError when two networks have one name, or share an issuer's key (A7)."""
        own = own if isinstance(own, Identifier) else Identifier(own, capacity=capacity)
        self.network = own.network
        self._credentials = ProvedCredentials(capacity)
        self._identifiers = {own.network: own}
        self._allowed: dict[str, frozenset[Role]] = {own.network: frozenset(Role)}
        for other in foreign:
            self._add(other, capacity)
        check_unambiguous(
            (f"network {network}", anchor)
            for network, identifier in self._identifiers.items()
            for anchor in identifier.issuers.anchors
        )

    def verify_request(
        self,
        message: bytes,
        now_ms: int,
        *,
        roles: frozenset[Role] = REQUEST_ROLES,
        max_bytes: int = MAX_MESSAGE_BYTES,
    ) -> VerifiedRequest:
        """Prove who signed a request. Raises TrustError with what is wrong.

        Args:
            message: the COSE bytes as they came.
            now_ms: wall clock, for the certificate's validity; the request's own time is judged later.
            roles: who may ask for this; foreign signers also need the role configured for their network.
            max_bytes: the payload limit of the link that it came on (CWP-13.1-6).
        """
        opened = open1(message, max_bytes=max_bytes, understood=_UNDERSTOOD)
        identified = self._signer(opened, tuple(self._identifiers.values()), _nothing)
        principal = self._prove(opened, identified, roles, now_ms, AAD_REQUEST)
        credential, fault = self._credential_of(opened, identified, principal)
        digest = sha256(message).digest()
        return VerifiedRequest(principal, opened.payload, digest, credential, fault)

    def verify_reply(
        self,
        message: bytes,
        network: str,
        now_ms: int,
        certificates: Callable[[bytes], bytes | None] = _nothing,
        *,
        roles: frozenset[Role] = REPLY_ROLES,
        max_bytes: int = MAX_MESSAGE_BYTES,
    ) -> VerifiedReply:
        """Prove who signed a reply, by the issuers of ``network`` only (A10). Raises TrustError.

        Args:
            message: the COSE bytes as they came.
            network: whose node is said to answer: the network token of the reply's subject.
            now_ms: wall clock.
            certificates: certificates by their SHA-256, for replies that come without; what was
                proved here before is known anyway.
            roles: who may answer.
            max_bytes: the payload limit of the link that it came on (CWP-13.1-6).

        Raises:
            UnknownCertificate: only the hash of the certificate is known.
        """
        identifier = self._identifiers.get(network)
        if identifier is None:
            raise TrustError(
                f"a reply from network {network[:80]!r}: no issuers are configured for it"
            )
        opened = open1(message, max_bytes=max_bytes)
        identified = self._signer(opened, (identifier,), certificates)
        return VerifiedReply(
            self._prove(opened, identified, roles, now_ms, AAD_REPLY), opened.payload
        )

    def _prove(
        self,
        opened: Opened,
        identified: Identified,
        roles: frozenset[Role],
        now_ms: int,
        aad: bytes,
    ) -> Principal:
        principal = identified.check(roles, now_ms)
        if principal.role not in self._allowed[principal.network]:
            raise TrustError(
                f"{principal.label} signed this, but no {principal.role} of that network counts here"
            )
        opened.verify(identified.public_key, aad)
        return principal

    def _signer(
        self,
        opened: Opened,
        identifiers: tuple[Identifier, ...],
        certificates: Callable[[bytes], bytes | None],
    ) -> Identified:
        for identifier in identifiers:
            known = identifier.known(opened.thumbprint)
            if known is not None:
                return known
        der = opened.certificate_der or certificates(opened.thumbprint)
        if der is None:
            raise UnknownCertificate(opened.thumbprint)
        identified = _examine(der, identifiers)
        if identified.thumbprint != opened.thumbprint:  # the lookup is not ours to believe
            raise UnknownCertificate(opened.thumbprint)
        return identified

    def _credential_of(
        self, opened: Opened, identified: Identified, principal: Principal
    ) -> tuple[Credential | None, str]:
        """The credential, or why the caller may not do without (CWP-21.5-2, CWP-21.5-3).

        A fault is said and not raised: the caller is proved, and learns why she is refused.
        """
        present = LABEL_KCWT in opened.protected
        if not identified.issuer.logins:
            fault = "a credential came with a certificate that no login issuer made"
            return None, fault if present else ""
        if not present:
            return (
                None,
                "a certificate of a login issuer counts only with its credential: none came",
            )
        if LABEL_KCWT not in opened.protected.get(LABEL_CRIT, ()):
            return None, "the credential must be listed in crit"
        try:
            found = open_credential(opened.protected[LABEL_KCWT])
            proved = self._credentials.prove(
                found, identified.issuer, principal.name, principal.network, identified.public_key
            )
        except TrustError as exc:
            return None, str(exc)
        return proved, ""

    def _add(self, other: Foreign, capacity: int) -> None:
        network = other.issuers.network
        if network in self._identifiers:
            raise TrustError(f"network {network} is configured twice: each needs a name of its own")
        self._identifiers[network] = Identifier(other.issuers, capacity=capacity)
        self._allowed[network] = other.roles


def _examine(der: bytes, identifiers: tuple[Identifier, ...]) -> Identified:
    """Ask the network whose issuer made ``der``; if none did, the first (our own) says what is wrong."""
    for identifier in identifiers[1:]:
        if identifier.issuers.issued(der):
            return identifier.examine(der)
    return identifiers[0].examine(der)
