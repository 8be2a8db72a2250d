"""How large a reply may be: as large as the payload limit that WELCOME stated. CWP-13.1-6."""

from __future__ import annotations

import pytest

from choria.ca import create_authority, issue_key_in_memory
from choria.client.answers import AnswerGrade, Pending, RejectedReplyError, ReplyBook, judge
from choria.messages import Grade, Kind, Reply, Request, encode_reply
from choria.net import Incoming
from choria.trust import Role, Signer, Verifier

NOW_MS = 1_800_000_000_000
BYTES = 3 << 20
REQUEST = Request(
    id=b"r" * 16,
    network="alpha",
    collective="c",
    kind=Kind.DIRECTED,
    targets=("n1",),
    agent="a",
    action="b",
    inputs={},
    filter={},
    created_ms=NOW_MS,
    ttl_ms=1000,
    grade=Grade.SIGNED,
    want_certificate=True,
    max_reply_bytes=0,
)
PREFIX = f"c/reply/alpha/{'i' * 26}/{'5' * 32}/{REQUEST.token}"
PENDING = Pending(
    request=REQUEST, message_hash=b"h" * 32, prefix=PREFIX, own_network="alpha", sent_at_s=0.0
)


def large_reply() -> tuple[Verifier, Incoming]:
    authority = create_authority("alpha", NOW_MS)
    issued = issue_key_in_memory(authority, Role.NODE, "n1", now_ms=NOW_MS)
    said = Reply(
        request_id=REQUEST.id,
        request_hash=PENDING.message_hash,
        network="alpha",
        sender="n1",
        statuscode=0,
        statusmsg="OK",
        data={"log": "x" * BYTES},
        time_ms=NOW_MS,
    )
    signer = Signer(issued.key, issued.certificate_der)
    payload = signer.sign_reply(encode_reply(said), with_certificate=True)
    return Verifier(authority.trusted), Incoming(f"{PREFIX}/alpha/n1", None, {}, payload)


def test_a_reply_within_the_payload_limit_is_believed() -> None:
    verifier, incoming = large_reply()
    book = ReplyBook(verifier, payload_limit=lambda: 4 << 20)
    answer = judge(incoming, PENDING, book, NOW_MS, 1.0)
    assert answer.grade is AnswerGrade.SIGNED
    assert len(answer.data["log"]) == BYTES


def test_a_reply_beyond_it_is_dropped() -> None:
    verifier, incoming = large_reply()
    book = ReplyBook(verifier, payload_limit=lambda: 1 << 20)
    with pytest.raises(RejectedReplyError, match="at most 1048576 are read"):
        judge(incoming, PENDING, book, NOW_MS, 1.0)
