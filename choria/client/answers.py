"""From bytes on a reply subject to an answer that may be believed, and how far.

A reply subject names who speaks, and the broker lets nobody publish under another's name: that is
the *link* grade, enough for "who is there". Whatever reports what was done is signed by the node and
names the hash of the request: the *signed* grade, which no broker or relay can forge. An unsigned
answer that crossed a relay is graded *relay*, because the relay vouches for it, not the far broker.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import attrs

from choria.errors import ChoriaError, Refusal, TrustError
from choria.messages import (
    Kind,
    Reply,
    Request,
    decode_reply,
    is_signed,
    may_be_unsigned,
)
from choria.net import Incoming
from choria.trust import MAX_MESSAGE_BYTES, Role, UnknownCertificate, Verifier

from .certificates import Certificates


class AnswerGrade(enum.StrEnum):
    """How far an answer is proved."""

    SIGNED = "signed"
    LINK = "link"
    RELAY = "relay"


@attrs.frozen(kw_only=True)
class Answer:
    """One node's verified answer.

    Attributes:
        foreign: It comes from a network behind a relay.
        elapsed_ms: Since the request was published.
        time_ms: The node's wall clock when it answered.
    """

    sender: str
    network: str
    foreign: bool
    grade: AnswerGrade
    statuscode: int
    statusmsg: str
    data: dict[str, Any]
    refusal: Refusal | None
    elapsed_ms: float
    time_ms: int

    @property
    def ok(self) -> bool:
        """True when the action ran and reported success."""
        return self.statuscode == 0 and self.refusal is None


@attrs.frozen(kw_only=True)
class Rejected:
    """A message on our reply subject that proves nothing, and why it was dropped."""

    sender: str
    network: str
    why: str


class RejectedReplyError(ChoriaError):
    """The message is not a believable answer to the request; the text says why."""


@attrs.frozen
class ReplyBook:
    """By what replies are proved.

    Attributes:
        verifier: Knows the issuers.
        certificates: Those that were fetched.
        payload_limit: Bytes of a payload that the present broker allows (CWP-13.1-6).
    """

    verifier: Verifier
    certificates: Certificates = attrs.field(factory=Certificates)
    payload_limit: Callable[[], int] = lambda: MAX_MESSAGE_BYTES


@attrs.frozen(kw_only=True)
class Pending:
    """A request under way, as its answers are judged by it. ``prefix`` is its reply field."""

    request: Request
    message_hash: bytes
    prefix: str
    own_network: str
    sent_at_s: float


def speaker_of(subject: str) -> tuple[str, str]:
    """Network and identity of who was let publish on a reply subject: its last two tokens."""
    rest, _, identity = subject.rpartition("/")
    return rest.rpartition("/")[2], identity


def judge(incoming: Incoming, pending: Pending, book: ReplyBook, now_ms: int, now: float) -> Answer:
    """Return what ``incoming`` proves as an answer to ``pending``. Threads may do this.

    Raises:
        RejectedReplyError: It proves nothing: wrong signer, subject, request or grade.
        UnknownCertificate: The signer's certificate has to be fetched first.
    """
    speaker = speaker_of(incoming.subject)
    # Both names are checked with the reply that must bear them; the prefix we made ourselves.
    if incoming.subject != "/".join((pending.prefix, *speaker)):
        raise RejectedReplyError("answers another request")
    signed = is_signed(incoming.payload)
    payload = incoming.payload
    if signed:
        payload = _prove(payload, speaker, pending.request, book, now_ms)
    reply = decode_reply(payload)
    if (reply.network, reply.sender) != speaker:
        raise RejectedReplyError(f"claims to be from {reply.sender} of {reply.network}")
    _check_request(reply, pending)
    if not signed and not may_be_unsigned(reply, pending.request):
        raise RejectedReplyError("an unsigned answer to a request that only signed ones may answer")
    return Answer(
        sender=reply.sender,
        network=reply.network,
        foreign=reply.network != pending.own_network,
        grade=_grade(reply.network, pending, signed=signed),
        statuscode=reply.statuscode,
        statusmsg=reply.statusmsg,
        data=reply.data,
        refusal=reply.refusal,
        elapsed_ms=(now - pending.sent_at_s) * 1000,
        time_ms=reply.time_ms,
    )


def _prove(
    message: bytes, speaker: tuple[str, str], request: Request, book: ReplyBook, now_ms: int
) -> bytes:
    """Verify a reply. A service may have the name of a node and still not answer for it (CWP-13.5-9)."""
    network, identity = speaker
    role = Role.SERVICE if request.kind is Kind.SERVICE else Role.NODE
    try:
        signer, payload = book.verifier.verify_reply(
            message, network, now_ms, book.certificates.get, max_bytes=book.payload_limit()
        )
    except UnknownCertificate:  # the caller fetches it and judges again
        raise
    except TrustError as exc:
        raise RejectedReplyError(str(exc)) from exc
    if signer.role is not role or signer.name != identity:
        raise RejectedReplyError(f"signed by {signer.role}/{signer.name}, said by {identity}")
    return payload


def _check_request(reply: Reply, pending: Pending) -> None:
    """A reply names the request by id and by hash, or it could be moved between requests (A2)."""
    if reply.request_id != pending.request.id:
        raise RejectedReplyError("answers another request")
    if reply.request_hash != pending.message_hash:
        raise RejectedReplyError("names another request's hash")
    if reply.network != pending.request.network:
        raise RejectedReplyError(f"comes from network {reply.network}, which was not asked")


def _grade(network: str, pending: Pending, *, signed: bool) -> AnswerGrade:
    if signed:
        return AnswerGrade.SIGNED
    return AnswerGrade.LINK if network == pending.own_network else AnswerGrade.RELAY
