"""Answers and whole calls without a network, for what shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from choria.client import Answer, AnswerGrade, CallResult, Gathered, Gone
from choria.errors import Refusal

AT_MS = 1_800_000_000_000


def an_answer(sender: str, data: dict[str, Any] | None = None, **changes: Any) -> Answer:
    plain = Answer(
        sender=sender,
        network="alpha",
        foreign=False,
        grade=AnswerGrade.SIGNED,
        statuscode=0,
        statusmsg="OK",
        data=data or {},
        refusal=None,
        elapsed_ms=12.5,
        time_ms=AT_MS,
    )
    return attrs.evolve(plain, **changes)


def a_denial(sender: str) -> Answer:
    text = "You are not authorized to call this agent or action (default.policy:1)"
    return an_answer(sender, statuscode=1, statusmsg=text, refusal=Refusal.DENIED)


def a_result(
    answers: Sequence[Answer],
    *,
    silent: Sequence[str] = (),
    gone: Sequence[Gone] = (),
    **changes: Any,
) -> CallResult:
    gathered = Gathered(
        request_ids=[bytes(range(16))],
        answers={each.sender: each for each in answers},
        handed=len(answers) + len(silent),
        published_s=0.004,
        elapsed_s=1.25,
    )
    names = {*(each.sender for each in answers), *silent, *(each.identity for each in gone)}
    plain = CallResult(
        agent="package",
        action="status",
        network="alpha",
        expected=tuple(sorted(names)),
        gathered=gathered,
        silent=tuple(silent),
        gone=tuple(gone),
        started_ms=AT_MS,
        discovery_s=0.25,
        request_s=1.25,
    )
    return attrs.evolve(plain, **changes)
