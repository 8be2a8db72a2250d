"""From an end to the bytes that go back: the grade, the size and the signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from choria.errors import MessageError, Refusal
from choria.messages import (
    STATUS_OF_REFUSAL,
    Grade,
    Reply,
    Request,
    encode_reply,
    fit_reply,
    refuse,
)
from choria.trust import Signer

from .outcomes import CONSEQUENCES, AnswerKind, End

MAX_MESSAGE_CHARS: Final = 2000


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a request: an end, Choria's status code, a sentence, and the action's data."""

    end: End
    text: str = "OK"
    statuscode: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)


def refused(end: End, text: str) -> Ran:
    """An end at which nothing was run, or nothing of it is told."""
    refusal = CONSEQUENCES[end].refusal
    return Ran(end, text, STATUS_OF_REFUSAL[refusal] if refusal else 1)


def make_reply(
    ran: Ran, request_id: bytes, request_hash: bytes, sender: tuple[str, str], time_ms: int
) -> Reply:
    """The reply of ``sender`` (network, identity) that tells what ``ran`` says."""
    return Reply(
        request_id=request_id,
        request_hash=request_hash,
        network=sender[0],
        sender=sender[1],
        statuscode=ran.statuscode,
        statusmsg=sendable(ran.text[:MAX_MESSAGE_CHARS]),
        data=dict(ran.data),
        refusal=CONSEQUENCES[ran.end].refusal,
        time_ms=time_ms,
    )


def encode_within(reply: Reply, max_bytes: int) -> tuple[End | None, bytes]:
    """``reply`` as bytes; if it cannot be sent, an answer that says why, and the end that this is.

    Args:
        reply: what is to be told.
        max_bytes: what may be sent, without the signature. A refusal is sent whatever its size: it
            would else be told as a result too large, as if the action had run (CWP-13.5-11).
    """
    if reply.refusal is not None:
        return None, encode_reply(reply)
    try:
        encoded, fits = fit_reply(reply, max_bytes)
    except MessageError as wrong:
        # The agent's bug. The caller learns where the value stands, and not what it is.
        text = f"the action gave a value that cannot be sent: {sendable(str(wrong)[:200])}"
        return End.CRASHED, encode_reply(refuse(reply, Refusal.FAILED, text))
    return None if fits else End.TOO_LARGE, encoded


def sendable(text: str) -> str:
    """``text`` with what UTF-8 cannot say spelt out: lone surrogates, as of file names."""
    return text.encode("utf-8", "backslashreplace").decode()


def is_link_grade(end: End, request: Request | None) -> bool:
    """Whether the answer goes unsigned, as `choria.messages.may_be_unsigned` lets the client take it.

    That takes a reply; this is asked also for the audit record. A test holds the two together.
    """
    if CONSEQUENCES[end].answer is AnswerKind.LINK:
        return True
    if request is None or end is not End.SUCCEEDED:
        return False
    asks_little = request.is_discovery or request.is_certificate_request
    return asks_little and request.grade is Grade.LINK


def reply_budget(request: Request | None, payload_bytes: int, envelope_bytes: int) -> int:
    """How many bytes a reply may have, so that it fits link and caller with what is around it."""
    wanted = request.max_reply_bytes if request is not None else 0
    whole = min(payload_bytes, wanted) if wanted else payload_bytes  # CWP-13.5-6, CWP-13.5-11
    return whole - envelope_bytes


def measure_envelope(signer: Signer, *, with_certificate: bool) -> int:
    """What signing adds to a reply: at most this, and at most four bytes less."""
    longest = bytes(1 << 16)
    return len(signer.sign_reply(longest, with_certificate=with_certificate)) - len(longest)


def seal(encoded: bytes, signer: Signer, *, link: bool, with_certificate: bool) -> bytes:
    """The payload that goes out: certificates for signed replies only (CWP-13.3-13).

    Signing with P-256 takes some 30 microseconds.
    """
    return encoded if link else signer.sign_reply(encoded, with_certificate=with_certificate)
