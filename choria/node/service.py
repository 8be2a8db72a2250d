"""The node as a running thing: subscribes, receives, feeds the pipeline, stops in order.

Back-pressure: at most ``judging`` requests are being verified and judged; the rest wait in the
session's bounded queue, and beyond that the broker holds them. Requests that may run are bounded by
number and bytes and answered "busy" beyond that, so nothing authentic is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import trio

import choria
from choria.messages import agent_subject, node_subject
from choria.net import Session
from choria.policy import Policies
from choria.trust import Signer, VerifiedRequest

from .audit_log import AuditSink
from .audit_trail import AuditTrail
from .builtin import certificate_agent, discovery_agent, registry_agent
from .case import Arrival, Bench
from .counters import Counters
from .facts import FactStore
from .guard_log import RequestLog
from .host import Host
from .memory import CallerRates, Refused
from .pipeline import Pipeline, PipelineParts
from .ports import Agent, NodeInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How a node behaves. Sizes in bytes, times in seconds.

    Attributes:
        collectives: what the node is in; the first is its main one.
        config_file: told by rpcutil; empty when there is none.
        grace_s: for running actions when the node stops.
        judging: requests verified and judged at the same time.
        max_running: actions that run at the same time; beyond it callers are told "busy".
        max_running_agent: of these, how many of one agent.
        caller_rate: requests a second of one caller, after a burst of ``caller_burst``.
        remember_refused: refusals remembered so that none is said twice.
        runs_unaudited: requests run though the audit log cannot be written; else they are refused.
    """

    collectives: Sequence[str] = ("choria",)
    config_file: str = ""
    version: str = choria.__version__
    grace_s: float = 5.0
    judging: int = 32
    max_running: int = 128
    max_running_agent: int = 64
    max_running_bytes: int = 16 << 20
    max_request_bytes: int = 1 << 18
    caller_rate: float = 50.0
    caller_burst: int = 200
    remember_refused: int = 1024
    runs_unaudited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParts:
    """What a node is made of. The caller opens, runs and closes these; see `run_node`.

    Attributes:
        agents: hosted beside the built-in ``discovery``, ``certificate`` and ``choria_registry``.
        verify: proves who signed a request: `verify_in_thread` or `verify_inline`.
        policies: the policies in force now.
        requests: the replay guard and its log.
        now_ms: wall clock, milliseconds.
    """

    signer: Signer
    verify: Callable[[bytes], Awaitable[VerifiedRequest]]
    agents: Iterable[Agent]
    policies: Callable[[], Policies]
    facts: FactStore
    requests: RequestLog
    audit: AuditSink
    now_ms: Callable[[], int]
    counters: Counters = field(default_factory=Counters)


class Node:
    """The parts put together for one session. Tests and the emulator feed it directly."""

    def __init__(self, session: Session, parts: NodeParts, settings: NodeSettings) -> None:
        self.counters = parts.counters
        self.host = Host(
            max_running=settings.max_running,
            max_running_bytes=settings.max_running_bytes,
            max_running_agent=settings.max_running_agent,
        )
        self._session = session
        self._settings = settings
        certificate = certificate_agent(lambda: parts.signer.certificate_der)
        self._builtin = (certificate, registry_agent(), discovery_agent())
        self.agents = by_name((*parts.agents, *self._builtin))
        self.pipeline = Pipeline(self._pipeline_parts(parts))
        self._judging = trio.Semaphore(settings.judging)

    def subjects(self) -> list[str]:
        """Every subject that requests for this node may come on."""
        identity = self._session.principal.name
        found = []
        for collective in self._settings.collectives:
            found.append(node_subject(collective, identity))
            found += [agent_subject(collective, name) for name in sorted(self.agents)]
        return found

    async def rehost(self, agents: Iterable[Agent]) -> None:
        """Host ``agents`` from now on, beside the built-in ones. A call that runs keeps its agent.

        Cancelled, some subjects may still be subscribed; their requests are answered "unknown agent".
        """
        before = self.subjects()
        fresh = by_name((*agents, *self._builtin))
        self.agents.clear()  # the judge has this very mapping
        self.agents.update(fresh)
        after = self.subjects()
        await self._session.subscribe(*(each for each in after if each not in before))
        await self._session.unsubscribe(*(each for each in before if each not in after))

    async def serve(self, nursery: trio.Nursery) -> None:
        """Take requests from the session for ever, each as a task of ``nursery``.

        Cancelling loses the one request that was just received.
        """
        async for incoming in self._session.incoming:
            await self._judging.acquire()
            arrival = Arrival(incoming.subject, incoming.reply, incoming.payload)
            nursery.start_soon(self.pipeline.handle, arrival, self._judging.release)

    def _pipeline_parts(self, parts: NodeParts) -> PipelineParts:
        settings, principal = self._settings, self._session.principal
        bench = Bench(
            identity=principal.name,
            network=principal.network,
            collectives=frozenset(settings.collectives),
            agents=self.agents,
            policies=parts.policies,
            requests=parts.requests,
            rates=CallerRates(settings.caller_rate, settings.caller_burst),
            refused=Refused(settings.remember_refused),
            has_room=self.host.has_room,
        )
        return PipelineParts(
            bench=bench,
            verify=parts.verify,
            host=self.host,
            node=self._info(parts),
            facts=lambda: parts.facts.current,
            audit=AuditTrail(parts.audit, runs_unaudited=settings.runs_unaudited),
            counters=parts.counters,
            signer=parts.signer,
            outlet=SessionOutlet(self._session),
            now_ms=parts.now_ms,
            max_request_bytes=settings.max_request_bytes,
        )

    def _info(self, parts: NodeParts) -> NodeInfo:
        settings = self._settings
        return NodeInfo(
            identity=self._session.principal.name,
            version=settings.version,
            started_ms=parts.now_ms(),
            collectives=tuple(settings.collectives),
            main_collective=settings.collectives[0],
            config_file=settings.config_file,
            agents=lambda: [self.agents[name].ddl for name in sorted(self.agents)],
            classes=lambda: parts.facts.current.classes,
            counters=parts.counters.snapshot,
        )


def by_name(agents: Iterable[Agent]) -> dict[str, Agent]:
    """Agents by the names that callers use; later ones win."""
    return {agent.ddl.name: agent for agent in agents}


@dataclass(frozen=True, slots=True)
class SessionOutlet:
    """Answers go out through the session."""

    session: Session

    def payload_limit(self) -> int:
        """What the present broker allows."""
        return self.session.limits.payload_bytes

    async def send(self, subject: str, payload: bytes) -> None:
        """Publish. Cancel-safe: cancelled means not sent."""
        await self.session.publish([subject], payload)


async def run_node(
    session: Session,
    parts: NodeParts,
    settings: NodeSettings,
    *,
    shutdown: trio.Event,
    task_status: trio.TaskStatus[Node] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve requests until ``shutdown`` is set; actions that run then get ``grace_s`` seconds.

    Every request that was taken is answered, those cut off at the end of the grace included; leave
    the session afterwards, so that the answers and GOODBYE go out. Started once subscribed; being
    connected is not waited for. Facts, policies and logs are the caller's to run and to close.
    """
    node = Node(session, parts, settings)
    await session.subscribe(*node.subjects())
    async with trio.open_nursery() as requests:
        task_status.started(node)
        async with trio.open_nursery() as receiving:
            receiving.start_soon(node.serve, requests)
            await shutdown.wait()
            receiving.cancel_scope.cancel()
        await session.unsubscribe(*node.subjects())  # group work and discovery go elsewhere now
        deadline = trio.current_time() + settings.grace_s
        node.host.stop(deadline)
        # An agent that shields itself from its cancellation must not keep the node from stopping.
        requests.cancel_scope.deadline = deadline + 1
