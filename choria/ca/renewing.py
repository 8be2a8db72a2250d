"""Judging renewals: who may have a successor of its certificate, in the order of CWP-18.7-3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import EnrolRefusal, Renew, Renewal, Renewed, read_renewal, read_signing_request
from choria.errors import TrustError
from choria.policy import AuditRecord, Outcome
from choria.trust import DEFAULT_GRANTS, Role

from .index import revoked_serials
from .node_issuer import NodeIssuer
from .refusing import No
from .renewals import MOST_A_CERTIFICATE, Renewals

DAY_MS: Final = 86_400_000


@dataclass(slots=True)
class RenewalDesk:
    """Answers RENEW. One question at a time, as the other desk.

    Attributes:
        issuer: signs, and says whose certificates count.
        days: how long a successor holds.
        audit: writes a decision down; raises OSError when it cannot.
        now_ms: wall clock.
    """

    issuer: NodeIssuer
    days: float
    audit: Callable[[AuditRecord], None]
    now_ms: Callable[[], int]
    _forgotten_ms: int = 0

    def judge(self, frame: Renew, address: str) -> Renewed:
        """The successor, signed now or before.

        Raises:
            No: with the reason; audited when the signature was good.
            CaError, OSError: the CA cannot write down what it does.
        """
        try:
            renewal = read_renewal(frame.request, self.issuer.issuers)
        except TrustError as exc:
            raise No(EnrolRefusal.NOT_PROVED, str(exc)) from exc
        try:
            return self._judge(renewal, address)
        except No as no:
            self._write(renewal, address, Outcome.DENIED, str(no))
            raise

    def _judge(self, renewal: Renewal, address: str) -> Renewed:
        key = self._admitted(renewal)
        renewals = Renewals(self.issuer.folder)
        certificate = renewals.find(renewal)
        if certificate is None:
            self._forget_old(renewals)
            if renewals.used_up(renewal):
                text = f"this certificate was renewed {MOST_A_CERTIFICATE} times already: ask for a new token"
                raise No(EnrolRefusal.SPENT, text)
            self._write(renewal, address, Outcome.ALLOWED, "renewed")  # first, as CWP-18.5-9 says
            certificate = renewals.keep(renewal, self._sign(renewal, key))
        return Renewed(certificate=certificate, issuer=self.issuer.maker_of(certificate))

    def _admitted(self, renewal: Renewal) -> ec.EllipticCurvePublicKey:
        """CWP-18.7-3 from the role on; the key that shall be certified."""
        signer = renewal.signer
        who = signer.principal
        if who.role is not Role.NODE:
            text = f"{who.role} {who.name}: only nodes are renewed here; `choria-trio ca renew` renews others"
            raise No(EnrolRefusal.WRONG_ROLE, text)
        try:
            signer.validity.check(f"node {who.name}", self.now_ms())
        except TrustError as exc:
            raise No(EnrolRefusal.EXPIRED, str(exc)) from exc
        if f"{signer.serial:x}" in revoked_serials(self.issuer.folder):
            raise No(EnrolRefusal.REVOKED, f"the certificate of node {who.name} was revoked")
        try:
            return read_signing_request(renewal.signing_request)
        except TrustError as exc:
            raise No(EnrolRefusal.BAD_REQUEST, str(exc)) from exc

    def _sign(self, renewal: Renewal, key: ec.EllipticCurvePublicKey) -> bytes:
        """Name, role and grants of the certificate that asked (CWP-18.7-4)."""
        who = renewal.signer.principal
        grants = None if who.grants == DEFAULT_GRANTS[who.role] else sorted(who.grants)
        return self.issuer.issue(who.name, key, now_ms=self.now_ms(), days=self.days, grants=grants)

    def _forget_old(self, renewals: Renewals) -> None:
        now_ms = self.now_ms()
        if now_ms > self._forgotten_ms + DAY_MS:
            renewals.forget_old(now_ms)
            self._forgotten_ms = now_ms

    def _write(self, renewal: Renewal, address: str, outcome: Outcome, reason: str) -> None:
        who, serial = renewal.signer.principal, f"{renewal.signer.serial:x}"
        self.audit(
            AuditRecord(
                time_ms=self.now_ms(), outcome=outcome, reason=reason, request_id=renewal.of_certificate,
                sender=who.name, agent="enrol", action="renew", data={"address": address, "serial": serial},
            )
        )  # fmt: skip
