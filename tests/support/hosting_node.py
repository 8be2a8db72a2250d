"""A whole node in a network in memory that hosts agents of a folder, with real time and real threads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from choria.agents import rpcutil_agent
from choria.agents.found import Catalogue, ExternalFolder, ModuleFolder
from choria.agents.native import agent_of_thread
from choria.client import Answer, Call, Caller, Discovery, Scope, call
from choria.node import (
    BUILTIN_POLICIES,
    FactSources,
    FactStore,
    MemoryLog,
    Node,
    NodeParts,
    NodeSettings,
    run_node,
    verify_inline,
)
from choria.policy import PolicySet
from choria.telemetry import prints_to_log
from choria.trust import Role, Verifier
from tests.support.network import Network, a_network, now_ms
from tests.support.node_world import Witness

POLICIES = PolicySet({**BUILTIN_POLICIES, "default.policy": "allow\t*\t*\t*\t*\n"})
ANSWER_WITHIN_S = 40.0


def put(path: Path, text: str, mode: int = 0o644) -> None:
    """A file as a deployment tool leaves it: complete at once."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(path)


@attrs.define
class HostingNode:
    """The node, and two people who call it: one the agent that misbehaves, the other any other."""

    node: Node
    catalogue: Catalogue
    audit: Witness
    callers: tuple[Caller, Caller]

    async def ask(self, agent: str, action: str = "run", *, who: int = 0, **inputs: Any) -> Answer:
        """What the caller sees. Fails when there is no answer: nothing is silent."""
        scope = Scope(network="alpha", collective="choria", identities=("web1",))
        found = Discovery(listed=("web1",))
        what = Call(agent=agent, action=action, inputs=inputs)
        result = await call(
            self.callers[who], what, scope, found, timeout_s=ANSWER_WITHIN_S, on_answer=_ignore
        )
        (answer,) = result.answers
        return answer

    async def ping(self) -> None:
        """Another agent, asked by somebody else, answers."""
        answer = await self.ask("rpcutil", "ping", who=1)
        assert answer.ok, answer.statusmsg

    async def ask_while_pinging(self, agent: str) -> Answer:
        """What the caller sees, while somebody else asks another agent again and again."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_pinging)
            answer = await self.ask(agent)
            nursery.cancel_scope.cancel()
        return answer

    async def _keep_pinging(self) -> None:
        while True:
            await self.ping()
            await trio.sleep(0.02)

    async def look_again(self) -> None:
        """What the catalogue does every few seconds; twice, as files must rest."""
        await self.catalogue.refresh()
        await self.catalogue.refresh()
        await self.node.rehost(self.catalogue.agents)

    def outcome(self, agent: str) -> str:
        """How the audit says that the newest request to ``agent`` ended."""
        records = [each for each in self.audit.records if each.agent == agent]
        return records[-1].outcome.value


def _ignore(answer: Answer) -> None:
    del answer


@asynccontextmanager
async def a_hosting_node(folder: Path, **settings: Any) -> AsyncIterator[HostingNode]:
    """A node ``web1`` with rpcutil and the agents of ``folder``; what they print is logged, as in `run_node_program`."""
    sources = [ModuleFolder(folder), ExternalFolder(folder, folder / "plugin.d")]
    catalogue = Catalogue([rpcutil_agent()], sources, dict)
    await catalogue.start()
    with prints_to_log(agent_of_thread):
        async with _serving(catalogue, settings) as hosting:
            yield hosting
    with trio.move_on_after(5):
        await catalogue.aclose()


@asynccontextmanager
async def _serving(catalogue: Catalogue, settings: dict[str, Any]) -> AsyncIterator[HostingNode]:
    audit = Witness()
    async with a_network() as network, trio.open_nursery() as nursery:
        serve = partial(_serve, network, catalogue, audit, NodeSettings(**settings))
        node: Node = await nursery.start(serve)
        async with network.caller("rip") as rip, network.caller("amy") as amy:
            yield HostingNode(node, catalogue, audit, (rip, amy))
        nursery.cancel_scope.cancel()


async def _serve(
    network: Network, catalogue: Catalogue, audit: Witness, settings: NodeSettings,
    task_status: trio.TaskStatus[Node],
) -> None:  # fmt: skip
    member = network.member(Role.NODE, "web1")
    parts = NodeParts(
        signer=member.signer,
        verify=verify_inline(Verifier(network.issuers), now_ms),
        agents=catalogue.agents,
        policies=lambda: POLICIES,
        facts=FactStore(FactSources(), now_ms),
        requests=MemoryLog(),
        audit=audit,
        now_ms=now_ms,
    )
    async with network.session(member) as session:
        run = partial(run_node, shutdown=trio.Event())
        await run(session, parts, settings, task_status=task_status)


def external_ddl(name: str, provider: str, timeout: int) -> str:
    """A DDL with the actions ``run`` and ``fine``, both without inputs."""
    output = {"said": {"description": "Said", "display_as": "Said"}}
    return json.dumps(
        {
            "metadata": {
                "name": name, "description": name, "version": "1.0", "timeout": timeout,
                "provider": provider,
            },
            "actions": [
                {"action": action, "description": action, "input": {}, "output": output}
                for action in ("run", "fine")
            ],
        }
    )  # fmt: skip
