"""What the audit log is told about a request: as much of it as was proved when it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from choria.ddl import InputItem, is_secret_name
from choria.messages import Request
from choria.policy import AuditRecord, Outcome

from .case import Case
from .outcomes import CONSEQUENCES, AnswerKind, End
from .ports import Agent
from .reply import Ran, is_link_grade

MASKED: Final = "[masked]"


def beginning_record(case: Case, agents: Mapping[str, Agent], time_ms: int) -> AuditRecord:
    """The line that is written before ``case`` runs."""
    record = audit_record(case, Ran(End.SUCCEEDED, ""), agents, time_ms)
    return msgspec.structs.replace(record, outcome=Outcome.ALLOWED)


def audit_record(case: Case, ran: Ran, agents: Mapping[str, Agent], time_ms: int) -> AuditRecord:
    """The record of ``case`` that ended with ``ran``.

    Inputs are those that the caller signed, but for secrets: nobody may read those in a log.
    """
    principal = case.verified.principal if case.verified else None
    request = case.request
    credential = case.verified.credential if case.verified else None
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
        data=_shown(request, agents) if request else None,
        rule=case.rule,
        grade=_grade(case, ran),
        duration_ms=case.duration_ms,
        via=credential.issuer if credential else "",
        credential=credential.id.hex() if credential else "",
        limits=credential.limits.summary if credential else (),
    )


def _grade(case: Case, ran: Ran) -> str:
    if CONSEQUENCES[ran.end].answer is AnswerKind.NONE or case.destination is None:
        return ""
    return "link" if is_link_grade(ran.end, case.request) else "signed"


def _shown(request: Request, agents: Mapping[str, Agent]) -> dict[str, Any]:
    """The inputs as logs may show them; what no DDL describes is judged by its name."""
    agent = agents.get(request.agent)
    action = agent.ddl.actions.get(request.action) if agent else None
    known: Mapping[str, InputItem] = action.inputs if action else {}
    return {
        name: MASKED if _hides(name, known) else _without_secrets(value)
        for name, value in request.inputs.items()
    }


def _hides(name: str, known: Mapping[str, InputItem]) -> bool:
    return known[name].is_sensitive if name in known else is_secret_name(name)


def _without_secrets(value: Any) -> Any:
    """A hash may hold a password below its first level, where no DDL describes it."""
    if isinstance(value, dict):
        return {
            key: MASKED if is_secret_name(str(key)) else _without_secrets(item)
            for key, item in value.items()
        }
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value
