"""One request from the bytes that came to the bytes that go back.

Theory of operation: `Pipeline.handle` checks the size, has the signature verified (in a worker
thread: it takes a fraction of a millisecond that the loop would miss), lets `judge` take the request
through its steps, and then either refuses or runs. Whatever the end, `_conclude` counts it, audits
it and answers it as the table in `outcomes` says; there is no other way out.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from choria.errors import LocalProtocolError, TrustError
from choria.trust import Signer, VerifiedRequest

from .audit_trail import AuditTrail
from .case import Arrival, Bench, Case
from .counters import Counters
from .facts import FactSnapshot
from .host import Host, Job
from .judge import judge, seen_before, stop_for
from .outcomes import CONSEQUENCES, AnswerKind, AuditKind, End, Stop
from .ports import ActionContext, NodeInfo
from .records import audit_record, beginning_record
from .reply import (
    Ran,
    encode_within,
    is_link_grade,
    make_reply,
    measure_envelope,
    refused,
    reply_budget,
    seal,
)

log = logging.getLogger(__name__)

SEND_WITHIN_S: Final = 10.0


class Outlet(Protocol):
    """Where answers go: a session."""

    def payload_limit(self) -> int:
        """Bytes that one payload may have now."""
        ...

    async def send(self, subject: str, payload: bytes) -> None:
        """Publish; waits for room. Raises LocalProtocolError when it may not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineParts:
    """What a pipeline works with.

    Attributes:
        verify: proves who signed; raises TrustError.
        facts: the newest snapshot.
        now_ms: wall clock, milliseconds.
        max_request_bytes: larger requests are dropped unread.
    """

    bench: Bench
    verify: Callable[[bytes], Awaitable[VerifiedRequest]]
    host: Host
    node: NodeInfo
    facts: Callable[[], FactSnapshot]
    audit: AuditTrail
    counters: Counters
    signer: Signer
    outlet: Outlet
    now_ms: Callable[[], int]
    max_request_bytes: int


class Pipeline:
    """Takes arrivals; see the module's text."""

    def __init__(self, parts: PipelineParts) -> None:
        self._parts = parts
        self._sender = (parts.bench.network, parts.bench.identity)
        self._envelope_bytes = {
            wanted: measure_envelope(parts.signer, with_certificate=wanted)
            for wanted in (False, True)
        }

    async def handle(self, arrival: Arrival, judged: Callable[[], object]) -> None:
        """Take one arrival to its end. Cancelling cancels its action; then nothing is sent.

        Args:
            arrival: what came.
            judged: called once, when the request has been judged and only its action remains.
        """
        # The boundary between requests: what is wrong with this one must not stop the node, or one
        # odd message would be an off switch for the fleet. Cancelled is no Exception and passes.
        self._parts.counters.add("total")
        case = self._case(arrival)
        try:
            await self._conclude(case, await self._take(case, judged))
        except Exception:
            self._parts.counters.add("failed")
            log.exception("a request could not be brought to its end: a bug of this node")

    async def _take(self, case: Case, judged: Callable[[], object]) -> Ran:
        try:
            ran = await self._decide(case)
        except Exception:
            log.exception("a request could not be judged: a bug of this node")
            return refused(End.CRASHED, "this node failed to judge the request; its log says why")
        finally:
            judged()
        return ran or await self._run(case)

    def _case(self, arrival: Arrival) -> Case:
        return Case(arrival, self._parts.now_ms(), trio.current_time(), self._parts.facts())

    async def _decide(self, case: Case) -> Ran | None:
        """What the request ended with before anything ran; None: it is to run."""
        stop = await self._judge(case)
        return refused(stop.end, stop.text) if stop else self._admit(case)

    async def _judge(self, case: Case) -> Stop | None:
        if stop := self._too_odd(case.arrival):
            return stop
        try:
            verified = await self._parts.verify(case.arrival.payload)
        except TrustError as wrong:
            return Stop(End.UNTRUSTED, str(wrong))
        self._parts.counters.add("validated")
        # Waiting for the thread took time: clock and facts are those of now.
        case.now_ms, case.now = self._parts.now_ms(), trio.current_time()
        case.facts = self._parts.facts()
        return judge(self._parts.bench, case, verified)

    def _too_odd(self, arrival: Arrival) -> Stop | None:
        size, limit = len(arrival.payload), self._parts.max_request_bytes
        if size > limit:
            return Stop(End.MALFORMED, f"{size} bytes, at most {limit} are read")
        return None if arrival.reply else Stop(End.MALFORMED, "no reply address")

    def _admit(self, case: Case) -> Ran | None:
        """Write down that it may run, before it does; if that fails it does not, unless configured."""
        parts = self._parts
        parts.counters.add("passed")
        try:
            parts.audit.write(beginning_record(case, parts.bench.agents, case.now_ms))
        except OSError:
            if parts.audit.runs_unaudited:
                parts.counters.add("unaudited")
                return None
            why = (
                f"this node cannot write its audit log ({parts.audit.trouble}), so it runs nothing"
            )
            return refused(End.UNRECORDED, why)
        return None

    async def _run(self, case: Case) -> Ran:
        request, verified = case.request, case.verified
        if not (request and verified and case.authorized and case.agent and case.action):
            raise RuntimeError("a request that was not judged came to be run")  # a bug of ours
        context = ActionContext(
            request_id=request.id,
            callerid=case.callerid,
            principal=verified.principal,
            collective=request.collective,
            facts=case.facts.values,
            node=self._parts.node,
            now_ms=case.now_ms,
            created_ms=request.created_ms,
            ttl_ms=request.ttl_ms,
        )
        job = Job(
            agent=case.agent,
            action_name=request.action,
            action=case.action,
            inputs=case.inputs,
            context=context,
            request_bytes=len(case.arrival.payload),
        )
        began = trio.current_time()
        ran = await self._parts.host.run(case.authorized, job)
        took_s = trio.current_time() - began
        case.duration_ms = round(took_s * 1000)
        self._parts.counters.ran(request.agent, took_s)
        return ran

    async def _conclude(self, case: Case, ran: Ran) -> None:
        """Count, audit and answer, in this order: what was answered is in the log."""
        ran = self._once(case, ran)
        ran, payload = self._payload(case, ran)
        self._parts.counters.add(CONSEQUENCES[ran.end].counter)
        self._parts.counters.ended(CONSEQUENCES[ran.end].outcome.value)
        self._audit(case, ran)
        if payload and case.destination:
            await self._send(case.destination, payload)

    def _once(self, case: Case, ran: Ran) -> Ran:
        """A refusal is said once, and never of what ran already when it came the right way (B1)."""
        if case.verified is None or case.entered or not _is_answered(ran):
            return ran
        if case.destination is None:
            return ran  # nobody is told, so a copy that comes the right way must not be silent (A3)
        # What cannot be read has no id of its own, and the reply subject's is anybody's to change.
        verified, bench = case.verified, self._parts.bench
        request_id = case.request.id if case.request else verified.message_hash[:16]
        if stop := stop_for(seen_before(bench, verified, request_id)):
            return refused(stop.end, stop.text)
        bench.refused.remember(verified.principal, request_id, verified.message_hash)
        return ran

    def _payload(self, case: Case, ran: Ran) -> tuple[Ran, bytes]:
        """The bytes to send, and the end that they tell, which is another if the result is too large."""
        parts, request = self._parts, case.request
        if not _is_answered(ran) or case.destination is None or case.verified is None:
            return ran, b""
        reply = make_reply(
            ran, case.request_id, case.verified.message_hash, self._sender, parts.now_ms()
        )
        # What cannot be read may have asked for the certificate.
        wanted = request is None or request.want_certificate
        around = 0 if is_link_grade(ran.end, request) else self._envelope_bytes[wanted]
        budget = reply_budget(request, parts.outlet.payload_limit(), around)
        instead, encoded = encode_within(reply, budget)
        if instead:
            ran = refused(instead, "the result is too large, or holds what cannot be sent")
        link = is_link_grade(ran.end, request)
        return ran, seal(encoded, parts.signer, link=link, with_certificate=wanted)

    def _audit(self, case: Case, ran: Ran) -> None:
        record = audit_record(case, ran, self._parts.bench.agents, self._parts.now_ms())
        if ran.end is End.CONFLICT:
            log.error(
                "replay: %s used id %s again for other bytes", case.callerid, record.request_id
            )
        try:
            match CONSEQUENCES[ran.end].audit:
                case AuditKind.ALWAYS:
                    self._parts.audit.write(record)
                case AuditKind.SPARING:
                    self._parts.audit.write_sparingly(record)
        except OSError:  # the trail has said so
            self._parts.counters.add("unaudited")

    async def _send(self, destination: str, payload: bytes) -> None:
        with trio.move_on_after(SEND_WITHIN_S):
            try:
                await self._parts.outlet.send(destination, payload)
            except LocalProtocolError as wrong:
                log.warning("an answer could not be sent: %s", wrong)
            else:
                self._parts.counters.add("replies")
                return
        self._parts.counters.add("unsent")


def _is_answered(ran: Ran) -> bool:
    return CONSEQUENCES[ran.end].answer is not AnswerKind.NONE
