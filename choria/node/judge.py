"""The order in which a node takes a request, as steps over one value.

Each step looks at a `Case`, may add to it, and either lets it go on (None) or stops it. The order is
the security argument (DESIGN.md section 5) and stands in ``STEPS``, once: what is cheap comes first;
a reply address is proved before anything is answered; the caller is authorized before the filter is
looked at, so that somebody who is refused learns nothing from it (C4); and the replay guard is
entered last, so that nobody who may not run anything can fill it (B2).

Everything here is quick and synchronous: two requests cannot be judged at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from choria.ddl import check_inputs
from choria.errors import DDLError, FilterError, InvalidName, MessageError
from choria.filters import Filter, Subject, judge_filter
from choria.messages import (
    Kind,
    ReplyPrefix,
    Request,
    UnsupportedMessage,
    agent_subject,
    decode_request,
    node_subject,
    parse_reply_prefix,
    reply_subject,
    service_subject,
)
from choria.policy import Denied
from choria.trust import BeforeBoot, Expired, Fresh, Future, Principal, Seen, VerifiedRequest

from .case import Bench, Case, circumstances
from .credentialed import credentialed, within_limits
from .outcomes import End, Stop

GRANT: Final = "fleet"


_Step: TypeAlias = Callable[[Bench, Case, VerifiedRequest, Request], Stop | None]


def judge(bench: Bench, case: Case, verified: VerifiedRequest) -> Stop | None:
    """Take a request whose signature is good through all steps; None: it is to be run.

    Nothing is run, written or sent. When None comes back the case holds `Authorized`, agent, action
    and checked inputs, and the request is still to be entered into the guard, with `enter`.
    """
    case.verified = verified
    case.callerid = verified.principal.callerid_for(bench.network)
    prefix = _own_prefix(case.arrival.reply, verified.principal)
    try:
        request = decode_request(verified.payload)
    except UnsupportedMessage as wrong:
        return _unsupported(bench, case, prefix, wrong)
    except MessageError as wrong:
        return Stop(End.MALFORMED, f"no request: {wrong}")
    case.request, case.request_id = request, request.id
    if prefix and (prefix.collective, prefix.request) == (request.collective, request.token):
        case.destination = _destination(bench, case)
    for step in STEPS:
        if stop := step(bench, case, verified, request):
            return stop
    return None


def _own_prefix(reply: str | None, principal: Principal) -> ReplyPrefix | None:
    """The reply address, if it lies in the signer's own inbox (A3)."""
    try:
        prefix = parse_reply_prefix(reply or "")
    except InvalidName:
        return None
    own = (prefix.origin, prefix.inbox) == (principal.network, principal.inbox)
    return prefix if own else None


def _destination(bench: Bench, case: Case) -> str:
    return reply_subject(case.arrival.reply or "", bench.network, bench.identity)


def _unsupported(
    bench: Bench, case: Case, prefix: ReplyPrefix | None, wrong: UnsupportedMessage
) -> Stop:
    """A newer caller is told so. Its id, if there is one, must be the reply subject's (CWP-13.4-9)."""
    if prefix is None:
        return Stop(End.REFLECTED, "the reply address is not the signer's")
    request_id = bytes.fromhex(prefix.request)
    if wrong.id_field not in (None, request_id):
        return Stop(End.REFLECTED, "the reply address is not this request's")
    case.request_id = request_id
    case.destination = _destination(bench, case)
    return Stop(End.UNSUPPORTED, str(wrong))


def addressed(
    bench: Bench, case: Case, _verified: VerifiedRequest, request: Request
) -> Stop | None:
    """Signed for this network, collective, kind of subject and node (A1)."""
    if request.network != bench.network:
        return Stop(End.RE_AIMED, f"signed for network {request.network}, this is {bench.network}")
    if request.collective not in bench.collectives:
        return Stop(End.RE_AIMED, f"this node is not in collective {request.collective}")
    if request.kind is Kind.DIRECTED and bench.identity not in request.targets:
        return Stop(End.RE_AIMED, f"{bench.identity} is not among the targets that were signed")
    if case.arrival.subject != _subject(bench, request):
        return Stop(End.RE_AIMED, f"signed as {request.kind.name.lower()}, but came another way")
    return None


def _subject(bench: Bench, request: Request) -> str:
    """The one subject on which a request may come to us."""
    match request.kind:
        case Kind.BROADCAST:
            return agent_subject(request.collective, request.agent)
        case Kind.DIRECTED:
            return node_subject(request.collective, bench.identity)
        case Kind.SERVICE:
            return service_subject(request.collective, request.agent)


def reply_belongs(
    _bench: Bench, case: Case, _verified: VerifiedRequest, _request: Request
) -> Stop | None:
    """The reply address was proved to be the signer's; without one there is nowhere to answer."""
    if case.destination is None:
        return Stop(End.REFLECTED, "the reply address is not the signer's, or not this request's")
    return None


def timely(bench: Bench, case: Case, _verified: VerifiedRequest, request: Request) -> Stop | None:
    """Neither too old nor from the future; says by how much the clocks may differ."""
    verdict = bench.requests.guard.freshness(request.created_ms, request.ttl_ms, case.now_ms)
    apart_s = abs(case.now_ms - request.created_ms) / 1000
    match verdict:
        case Fresh():
            return None
        case BeforeBoot(diff_ms):
            why = f"what ran before the restart is not known for sure: sign it again in {diff_ms / 1000:.0f} s"
            return Stop(End.EXPIRED, f"signed too close to this machine's restart; {why}")
        case Expired():
            lives = f"it lives {request.ttl_ms / 1000:.0f} s"
            why = f"signed {apart_s:.1f} s ago by this node's clock, {lives}: late, or the clocks differ"
            return Stop(End.EXPIRED, f"expired: {why}")
        case Future():
            return Stop(
                End.FUTURE, f"signed {apart_s:.1f} s ahead of this node's clock: the clocks differ"
            )


def unseen(bench: Bench, _case: Case, verified: VerifiedRequest, request: Request) -> Stop | None:
    """Neither run nor refused before."""
    return stop_for(seen_before(bench, verified, request.id))


def seen_before(bench: Bench, verified: VerifiedRequest, request_id: bytes) -> Seen:
    """What is known of a request, whether it ran or was refused."""
    known = (verified.principal, request_id, verified.message_hash)
    ran = bench.requests.guard.check(*known)
    return bench.refused.check(*known) if ran is Seen.NEW else ran


def stop_for(seen: Seen) -> Stop | None:
    """What a guard's word about a request means for it."""
    match seen:
        case Seen.NEW:
            return None
        case Seen.DUPLICATE:
            return Stop(End.DUPLICATE, "seen before")
        case Seen.CONFLICT:
            return Stop(End.CONFLICT, "its id was used before for another message: an attack")
        case Seen.BUSY:
            return Stop(End.BUSY, "too many of your requests are remembered here: try again later")


def not_too_often(
    bench: Bench, case: Case, verified: VerifiedRequest, _request: Request
) -> Stop | None:
    """Within the caller's rate."""
    if bench.rates.take(verified.principal, case.now):
        return None
    return Stop(End.BUSY, "you ask this node too often: try again in a second")


def authorized(
    bench: Bench, case: Case, verified: VerifiedRequest, request: Request
) -> Stop | None:
    """May she? The only place where an `Authorized` comes from."""
    if GRANT not in verified.principal.grants:
        return Stop(End.DENIED, f"{NOT_AUTHORIZED}: its certificate lacks the grant {GRANT}")
    facts = case.facts
    verdict = bench.policies().decide(
        case.callerid,
        request.agent,
        request.action,
        facts.searchable,
        facts.classes,
        circumstances(bench, request),
    )
    case.rule = verdict.rule
    if isinstance(verdict, Denied):
        case.note = (
            verdict.why
        )  # for the audit log: the text of the line is not the caller's business
        return Stop(End.DENIED, f"{NOT_AUTHORIZED} ({verdict.rule or 'no policy applies'})")
    case.authorized = verdict
    return None


NOT_AUTHORIZED: Final = "You are not authorized to call this agent or action"
"""Choria's words, which operators' scripts look for."""


def meant(bench: Bench, case: Case, _verified: VerifiedRequest, request: Request) -> Stop | None:
    """The filter matches this machine."""
    subject = Subject(
        identity=bench.identity,
        facts=case.facts.searchable,
        agents=frozenset(bench.agents),
        classes=frozenset(case.facts.classes),
        functions=bench.functions(),
    )
    try:
        wanted = Filter.from_wire(request.filter)
    except FilterError as wrong:
        return Stop(End.BAD_INPUT, f"the filter cannot be judged: {wrong}")  # CWP-13.4-10
    judged = judge_filter(wanted, subject)
    if judged.holds:
        return None
    if judged.why:  # for the audit log: what cannot be judged may hold facts of this machine
        case.note = f"the filter does not match: {judged.why}"
    return Stop(End.NOT_MATCHED, "the filter does not match")


def callable_here(
    bench: Bench, case: Case, _verified: VerifiedRequest, request: Request
) -> Stop | None:
    """Agent and action exist, and the inputs are what the DDL says."""
    agent = bench.agents.get(request.agent)
    if agent is None:
        return Stop(End.UNKNOWN_AGENT, f"Unknown agent {request.agent}")
    ddl, action = agent.ddl.actions.get(request.action), agent.actions.get(request.action)
    if ddl is None or action is None:
        what = f"Unknown action {request.action} for agent {request.agent}"
        return Stop(End.UNKNOWN_ACTION, what)
    try:
        case.inputs = check_inputs(ddl, request.inputs)
    except DDLError as wrong:
        return Stop(End.BAD_INPUT, str(wrong))
    case.agent, case.action = agent, action
    return None


def room(bench: Bench, case: Case, _verified: VerifiedRequest, request: Request) -> Stop | None:
    """The node, and the agent, have room to run one more."""
    if bench.has_room(request.agent, len(case.arrival.payload)):
        return None
    return Stop(End.BUSY, "this node runs as many requests as it may: try again later")


def entered(bench: Bench, case: Case, verified: VerifiedRequest, request: Request) -> Stop | None:
    """Remembered, on disk too, as about to run. The last step: from here on it counts as run."""
    result = bench.requests.guard.enter(
        verified.principal,
        request.id,
        verified.message_hash,
        created_ms=request.created_ms,
        ttl_ms=request.ttl_ms,
        now_ms=case.now_ms,
    )
    if result.seen is not Seen.NEW:
        return stop_for(result.seen)
    case.entered = True
    try:
        bench.requests.append(result.record)
    except OSError as wrong:
        return Stop(End.UNRECORDED, f"this node cannot record what it runs: {wrong.strerror}")
    return None


STEPS: Final[tuple[_Step, ...]] = (
    addressed, reply_belongs, timely, unseen, not_too_often,
    credentialed, within_limits, authorized, meant, callable_here, room, entered,
)  # fmt: skip
"""The order. A test holds every pair of neighbours to it."""
