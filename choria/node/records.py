"""What the audit log is told about a request: as much of it as was proved when it ended."""

from __future__ import annotations

from choria.policy import AuditRecord

from .case import Case
from .outcomes import CONSEQUENCES, AnswerKind
from .reply import Ran, is_link_grade


def audit_record(case: Case, ran: Ran, time_ms: int) -> AuditRecord:
    """The record of ``case`` that ended with ``ran``. Inputs are those that the caller signed."""
    principal = case.verified.principal if case.verified else None
    request = case.request
    return AuditRecord(
        time_ms=time_ms,
        outcome=CONSEQUENCES[ran.end].outcome,
        reason=case.note or ran.text,
        request_id=case.request_id.hex(),
        request_time=request.created_ms // 1000 if request else 0,
        caller=case.callerid,
        network=principal.network if principal else "",
        sender=principal.name if principal else "",
        agent=request.agent if request else "",
        action=request.action if request else "",
        data=request.inputs if request else None,
        rule=case.rule,
        grade=_grade(case, ran),
    )


def _grade(case: Case, ran: Ran) -> str:
    if CONSEQUENCES[ran.end].answer is AnswerKind.NONE or case.destination is None:
        return ""
    return "link" if is_link_grade(ran.end, case.request) else "signed"
