"""The node as a running thing: subscribes, receives, feeds the pipeline, stops in order.

Back-pressure: at most ``judging`` requests are being verified and judged; the rest wait in the
session's bounded queue, and beyond that the broker holds them. Requests that may run are bounded by
number and bytes and answered "busy" beyond that, so nothing authentic is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import trio

from choria.messages import agent_subject, node_subject
from choria.net import Session

from .audit_trail import AuditTrail
from .builtin import certificate_agent, discovery_agent, registry_agent
from .case import Arrival, Bench
from .data import DataStore
from .host import Host
from .memory import CallerRates, Refused
from .own_data import own_plugins
from .parts import NodeParts, NodeSettings
from .pipeline import Pipeline, PipelineParts
from .ports import Agent, NodeInfo
from .status import StatusParts, status_of


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
        certificate = certificate_agent(parts.signer)
        self._builtin = (certificate, registry_agent(), discovery_agent())
        self.agents = by_name((*parts.agents, *self._builtin))
        self.info = self._info(parts)
        self.data = DataStore(
            own_plugins(self.info, settings.config_items, parts.now_ms),
            parts.now_ms,
            max_age_s=settings.data_max_age_s,
        )
        self.data.host(self.agents.values())
        self.audit = AuditTrail(parts.audit, runs_unaudited=settings.runs_unaudited)
        self._status = self._status_parts(parts)
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
        self.data.host(fresh.values())
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
            functions=lambda: self.data.functions,
        )
        return PipelineParts(
            bench=bench,
            verify=parts.verify,
            host=self.host,
            node=self.info,
            facts=lambda: parts.facts.current,
            audit=self.audit,
            counters=parts.counters,
            signer=parts.signer,
            outlet=SessionOutlet(self._session),
            now_ms=parts.now_ms,
            max_request_bytes=settings.max_request_bytes,
        )

    def status(self) -> dict[str, Any]:
        """The node as the status file tells it; see `status_of`."""
        return status_of(self._status)

    def _status_parts(self, parts: NodeParts) -> StatusParts:
        return StatusParts(
            info=self.info,
            network=self._session.principal.network,
            agents=self.agents,
            counters=parts.counters,
            host=self.host,
            facts=parts.facts,
            data=self.data,
            requests=parts.requests,
            audit=self.audit,
            now_ms=parts.now_ms,
            more=parts.more_status,
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
            data=lambda: self.data.plugins,
            broker=lambda: self._session.broker or "",
            brokers=tuple(settings.brokers),
            srv_domain=settings.srv_domain,
            status=self.status,
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
