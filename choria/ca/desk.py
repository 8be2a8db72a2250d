"""The desk behind the enrolment door: a question in, an answer out, and nothing else within reach.

It holds the node issuer's key, reads and writes the CA's ``enrol`` folder and index, and knows no
broker. Everything is judged in the order of SPEC.md 18.5; each decision is written to the audit log
before its answer leaves, and when that cannot be, there is no certificate (CWP-18.5-9).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import (
    AskAnchors,
    Enrol,
    EnrolFrame,
    EnrolRefusal,
    Issued,
    Pace,
    Pending,
    Renew,
    decode_enrol_frame,
    encode_enrol_frame,
    mac_of_issued,
    mac_of_pending,
    mac_of_request,
    name_fits,
    read_signing_request,
    same_mac,
)
from choria.errors import MessageError, TrustError
from choria.policy import AuditRecord, Outcome
from choria.trust import Role

from .authority import LEAF_DAYS
from .files import CaError
from .index import is_taken
from .invites import CLAIM_LIVES_MS, Claim, Invite, Invites
from .node_issuer import NodeIssuer
from .refusing import No as _No
from .refusing import refused as _refused
from .renewing import RenewalDesk

log = logging.getLogger(__name__)

APPROVAL_POLL_MS: Final = 3000
BUSY_RETRY_MS: Final = 5000


class AuditTrail(Protocol):
    """Where decisions are written down; those that strangers cause at will only now and then."""

    def write(self, record: AuditRecord) -> None:
        """Raises OSError when it cannot."""
        ...

    def write_sparingly(self, record: AuditRecord) -> None:
        """Raises OSError when it cannot."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """What new nodes get.

    Attributes:
        brokers: ``host:port`` each, where they will find brokers.
        days: how long their certificates hold.
    """

    brokers: tuple[str, ...]
    days: float = LEAF_DAYS


class EnrolDesk:
    """Answers applicants. One question at a time: whoever calls it sees to that."""

    def __init__(
        self,
        issuer: NodeIssuer,
        settings: DeskSettings,
        audit: AuditTrail,
        now_ms: Callable[[], int],
    ) -> None:
        self._issuer = issuer
        self._invites = Invites(issuer.folder)
        self._settings = settings
        self._audit = audit
        self._now_ms = now_ms
        self._pace = Pace()
        self._renewals = RenewalDesk(issuer, settings.days, audit.write, now_ms)

    def answer(self, body: bytes, address: str, source: str) -> bytes:
        """Judge one question. Writes files; never raises but for bugs.

        Args:
            body: the question, at most 4096 bytes.
            address: the applicant's, for the audit log.
            source: the network that ``address`` counts for.
        """
        return encode_enrol_frame(self._answer(body, address, source))

    def _answer(self, body: bytes, address: str, source: str) -> EnrolFrame:
        if wait_ms := self._pace.wait_ms(source, self._now_ms()):
            return _refused(EnrolRefusal.BUSY, "too many questions from your network", wait_ms)
        try:
            frame = decode_enrol_frame(body)
        except MessageError as exc:
            return _refused(EnrolRefusal.MALFORMED, str(exc))
        self._issuer.refresh()
        if isinstance(frame, AskAnchors):
            return self._issuer.anchors
        if not isinstance(frame, Enrol | Renew):
            return _refused(EnrolRefusal.MALFORMED, "that is an answer and no question")
        return self._enrol(frame, address)

    def _enrol(self, frame: Enrol | Renew, address: str) -> EnrolFrame:
        try:
            if isinstance(frame, Renew):
                return self._renew(frame, address)
            return self._judged(frame, address)
        except (CaError, OSError):
            log.exception("a question from %s could not be answered", address)
            text = "the CA cannot write down what it does: see the broker's log"
            return _refused(EnrolRefusal.BUSY, text, BUSY_RETRY_MS)

    def _renew(self, frame: Renew, address: str) -> EnrolFrame:
        try:
            return self._renewals.judge(frame, address)
        except _No as no:
            log.info("renewal from %s refused: %s: %s", address, no.reason.name.lower(), no)
            if no.reason is EnrolRefusal.NOT_PROVED:
                self._audit.write_sparingly(self._unproved(address, str(no)))
            return _refused(no.reason, str(no))

    def _unproved(self, address: str, reason: str) -> AuditRecord:
        return AuditRecord(
            time_ms=self._now_ms(), outcome=Outcome.DENIED, reason=reason, agent="enrol", action="renew",
            data={"address": address},
        )  # fmt: skip

    def _judged(self, frame: Enrol, address: str) -> EnrolFrame:
        try:
            return self._judge(frame, address)
        except _No as no:
            unproved = no.reason is EnrolRefusal.NOT_PROVED
            self._write(frame, address, Outcome.DENIED, str(no), sparingly=unproved)
            return _refused(no.reason, str(no))

    def _judge(self, frame: Enrol, address: str) -> EnrolFrame:  # CWP-18.5-1
        invite = self._prove(frame)
        if not name_fits(invite.pattern, frame.name):
            raise _No(EnrolRefusal.WRONG_NAME, f"the token is for {invite.pattern}")
        try:
            public_key = read_signing_request(frame.signing_request)
        except TrustError as exc:
            raise _No(EnrolRefusal.BAD_REQUEST, str(exc)) from exc
        self._claim(frame, invite, address)
        certificate = self._invites.signed(frame.token_id)
        if certificate is None and invite.approve:
            self._write(frame, address, Outcome.ALLOWED, "waits for approval", sparingly=True)
            return self._pending(frame, invite)
        if certificate is None:
            self._write(frame, address, Outcome.ALLOWED, "signed")  # first: no line, no certificate
            certificate = self._sign(frame, public_key)
        brokers = self._settings.brokers
        mac = mac_of_issued(invite.key, frame.token_id, frame.mac, certificate, brokers)
        return Issued(certificate=certificate, brokers=brokers, mac=mac)

    def _prove(self, frame: Enrol) -> Invite:
        """The token's invitation; one answer for unknown tokens and wrong MACs (CWP-18.5-2)."""
        invite = self._invites.find(frame.token_id)
        key = bytes(32) if invite is None else invite.key
        mac = mac_of_request(
            key, frame.token_id, self._issuer.anchors.digest, frame.name, frame.signing_request
        )
        if not same_mac(mac, frame.mac) or invite is None:
            raise _No(
                EnrolRefusal.NOT_PROVED,
                "this CA knows no such token, or the question was changed on its way",
            )
        return invite

    def _claim(self, frame: Enrol, invite: Invite, address: str) -> None:
        """One token, one name, one key (CWP-18.5-3)."""
        now_ms = self._now_ms()
        wanted = Claim(
            name=frame.name,
            signing_request=frame.signing_request,
            asked_ms=now_ms,
            address=address,
        )
        claim = self._invites.claimed(frame.token_id)
        if claim is None:
            if now_ms > invite.ends_ms:
                raise _No(EnrolRefusal.EXPIRED, "the token's time is over: ask for a new one")
            self._refuse_taken(frame, invite, now_ms)
            claim = self._invites.claim(frame.token_id, wanted)
        if (claim.name, claim.signing_request) != (wanted.name, wanted.signing_request):
            raise _No(EnrolRefusal.SPENT, "the token was used already: ask for a new one")
        if now_ms > claim.asked_ms + CLAIM_LIVES_MS:
            raise _No(EnrolRefusal.EXPIRED, "the token was used a day ago: ask for a new one")

    def _refuse_taken(self, frame: Enrol, invite: Invite, now_ms: int) -> None:  # CWP-18.5-5
        if invite.pattern != frame.name and is_taken(
            self._issuer.folder, Role.NODE, frame.name, now_ms
        ):
            raise _No(
                EnrolRefusal.NAME_TAKEN,
                f"a node {frame.name} has a certificate: choose another name, or have a token made for exactly this one",
            )

    def _sign(self, frame: Enrol, public_key: ec.EllipticCurvePublicKey) -> bytes:
        now_ms, days = self._now_ms(), self._settings.days
        certificate = self._issuer.issue(frame.name, public_key, now_ms=now_ms, days=days)
        return self._invites.keep_signed(frame.token_id, certificate)

    def _pending(self, frame: Enrol, invite: Invite) -> Pending:
        mac = mac_of_pending(invite.key, frame.token_id, frame.mac, APPROVAL_POLL_MS)
        return Pending(retry_after_ms=APPROVAL_POLL_MS, mac=mac)

    def _write(
        self, frame: Enrol, address: str, outcome: Outcome, reason: str, *, sparingly: bool = False
    ) -> None:
        record = AuditRecord(
            time_ms=self._now_ms(),
            outcome=outcome,
            reason=reason,
            request_id=frame.token_id.hex(),
            sender=frame.name,
            agent="enrol",
            action="sign",
            data={"address": address},
        )
        log.info("enrolment of %s from %s: %s: %s", frame.name, address, outcome, reason)
        (self._audit.write_sparingly if sparingly else self._audit.write)(record)
