"""What somebody gets who was recognized: a certificate for links, and the credential beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from choria.trust import CallLimits, Credential, point_of


class IssuerOfLogins(Protocol):
    """Who signs; it could sign nothing that anybody takes for more than a login."""

    def issue(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        grants: Iterable[str],
        *,
        now_ms: int,
        lives_s: int,
    ) -> bytes:
        """DER of a certificate. Raises ChoriaError."""
        ...

    def sign_credential(self, credential: Credential) -> bytes:
        """The CWT. Raises TrustError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What somebody may get."""

    grants: tuple[str, ...]
    limits: CallLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What shall be issued, for the audit log first."""

    credential: Credential
    public_key: ec.EllipticCurvePublicKey
    grants: tuple[str, ...]
    now_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Minter:
    """Makes certificates and credentials that end together.

    Attributes:
        service: this service's name, which credentials bear.
        lives_s: how long they hold.
        new_id: 16 random bytes.
    """

    issuer: IssuerOfLogins
    service: str
    network: str
    lives_s: int
    new_id: Callable[[], bytes]

    def plan(
        self, name: str, public_key: ec.EllipticCurvePublicKey, rights: Rights, now_ms: int
    ) -> Plan:
        """What ``name`` would get."""
        issued_s = now_ms // 1000
        credential = Credential(
            issuer=self.service, name=name, network=self.network, issued_s=issued_s,
            ends_s=issued_s + self.lives_s, id=self.new_id(), point=point_of(public_key),
            limits=rights.limits,
        )  # fmt: skip
        return Plan(
            credential=credential, public_key=public_key, grants=rights.grants, now_ms=now_ms
        )

    def mint(self, plan: Plan) -> tuple[bytes, bytes]:
        """Certificate and credential. Writes the index. Raises ChoriaError."""
        signed = self.issuer.sign_credential(plan.credential)
        certificate = self.issuer.issue(
            plan.credential.name, plan.public_key, plan.grants,
            now_ms=plan.now_ms, lives_s=self.lives_s,
        )  # fmt: skip
        return certificate, signed
