"""The table of ends is whole and agrees with the tables of others."""

from __future__ import annotations

import itertools

import pytest

from choria.errors import Refusal
from choria.messages import STATUS_OF_REFUSAL, Grade, Kind, Request, may_be_unsigned
from choria.node.counters import NAMES
from choria.node.outcomes import CONSEQUENCES, AnswerKind, End
from choria.node.reply import is_link_grade, make_reply, refused
from choria.policy import AuditRecord, Decision, Outcome

# What proves nothing, and what was seen before, is never answered (B1, A3).
SILENT = {End.MALFORMED, End.UNTRUSTED, End.REFLECTED, End.DUPLICATE, End.CONFLICT}


def test_every_end_has_consequences() -> None:
    assert set(CONSEQUENCES) == set(End)


def test_what_is_never_answered() -> None:
    # CWP-13.6-2
    assert {e for e, c in CONSEQUENCES.items() if c.answer is AnswerKind.NONE} == SILENT


def test_only_not_matched_is_unsigned_whatever_the_call() -> None:
    link = {e for e, c in CONSEQUENCES.items() if c.answer is AnswerKind.LINK}
    assert link == {End.NOT_MATCHED}


def test_whatever_is_not_done_is_told_as_a_refusal_of_its_own_code() -> None:
    for end, consequence in CONSEQUENCES.items():
        if end in SILENT | {End.SUCCEEDED, End.ABORTED}:
            assert consequence.refusal is None
        else:
            assert consequence.refusal is not None
            assert refused(end, "x").statuscode == STATUS_OF_REFUSAL[consequence.refusal]


def test_every_refusal_is_used() -> None:
    assert {c.refusal for c in CONSEQUENCES.values()} - {None} == set(Refusal)


def test_counters_exist() -> None:
    assert {c.counter for c in CONSEQUENCES.values()} <= set(NAMES)


def test_every_outcome_of_the_audit_is_used_but_revocation() -> None:
    # Revocation sets come with their own issue.
    # ALLOWED is the line before an action runs, GAP one about the log itself.
    others = {Outcome.REVOKED, Outcome.ALLOWED, Outcome.GAP}
    assert {c.outcome for c in CONSEQUENCES.values()} == set(Outcome) - others


def test_what_ran_was_allowed_and_nothing_else() -> None:
    ran = {End.SUCCEEDED, End.ABORTED, End.CRASHED, End.TIMED_OUT, End.TOO_LARGE}
    for end, consequence in CONSEQUENCES.items():
        decision = AuditRecord(time_ms=0, outcome=consequence.outcome).decision
        assert (decision is Decision.ALLOWED) == (end in ran)
        assert (decision is Decision.DENIED) == (consequence.counter == "denied")


CALLS = [("discovery", "ping"), ("certificate", "get"), ("discovery", "get"), ("rpcutil", "ping")]


@pytest.mark.parametrize("end", [e for e in End if e not in SILENT])
def test_what_goes_unsigned_is_what_a_client_takes_unsigned(end: End) -> None:
    for (agent, action), grade in itertools.product(CALLS, Grade):
        request = Request(
            id=b"i" * 16,
            network="alpha",
            collective="choria",
            kind=Kind.BROADCAST,
            agent=agent,
            action=action,
            inputs={},
            filter={},
            created_ms=0,
            ttl_ms=1,
            grade=grade,
            want_certificate=False,
            max_reply_bytes=0,
        )
        reply = make_reply(refused(end, "x"), request.id, b"h" * 32, ("alpha", "web1"), 0)
        # An agent's own "no" carries no refusal; it is signed all the same.
        if end is not End.ABORTED:
            assert is_link_grade(end, request) == may_be_unsigned(reply, request)
