"""A node's agents change while it runs: callers reach the new ones, and no longer those that went."""

from __future__ import annotations

from functools import partial
from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from choria.agents import Agent, ShippedAgent, action, build_agent
from choria.client import Call, Caller, CallResult, Scope, call, discover
from choria.filters import parse_filter
from choria.node import (
    BUILTIN_POLICIES,
    ActionContext,
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
from choria.trust import Role, Verifier
from tests.support.network import Network, a_network, now_ms
from tests.support.node_world import Witness

POLICIES = PolicySet({**BUILTIN_POLICIES, "default.policy": "allow\t*\t*\t*\t*\n"})


class Deploy(Agent):
    """Deploys."""

    @action()
    async def running(self) -> dict[str, str]:
        """What runs."""
        return {}


def deploy(version: str, gate: trio.Event | None = None) -> ShippedAgent:
    """An agent of this version; with a gate, its action waits for it."""

    async def running(_inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        if gate is not None:
            await gate.wait()
        return {"version": version}

    return ShippedAgent(build_agent(Deploy()).ddl, {"running": running})


async def serve(network: Network, task_status: trio.TaskStatus[Node]) -> None:
    member = network.member(Role.NODE, "web1")
    parts = NodeParts(
        signer=member.signer,
        verify=verify_inline(Verifier(network.issuers), now_ms),
        agents=[],
        policies=lambda: POLICIES,
        facts=FactStore(FactSources(), now_ms),
        requests=MemoryLog(),
        audit=Witness(),
        now_ms=now_ms,
    )
    async with network.session(member) as session:
        run = partial(run_node, shutdown=trio.Event())
        await run(session, parts, NodeSettings(), task_status=task_status)


async def ask(caller: Caller) -> CallResult:
    scope = Scope(
        network="alpha", collective="choria", filter=parse_filter(agents=["deploy"]).to_wire()
    )
    found = await discover(caller, scope, timeout_s=2)
    what = Call(agent="deploy", action="running")
    return await call(caller, what, scope, found, timeout_s=5, on_answer=lambda _: None)


async def test_agents_come_change_and_go(autojump_clock: MockClock) -> None:
    async with a_network() as network, trio.open_nursery() as nursery:
        node: Node = await nursery.start(serve, network)
        await trio.testing.wait_all_tasks_blocked()
        async with network.caller() as caller:
            assert (await ask(caller)).answers == []
            gate = trio.Event()
            await node.rehost([deploy("1.0", gate)])
            results: list[CallResult] = []

            async def keep() -> None:
                results.append(await ask(caller))

            async with trio.open_nursery() as asking:
                asking.start_soon(keep)
                await trio.sleep(0.5)
                await node.rehost([deploy("2.0")])
                assert [a.data for a in (await ask(caller)).answers] == [{"version": "2.0"}]
                gate.set()
            # The call that was under way ended with the agent that it began with.
            assert [a.data for a in results[0].answers] == [{"version": "1.0"}]
            await node.rehost([])
            assert (await ask(caller)).answers == []
            assert "choria/agent/deploy" not in node.subjects()
        nursery.cancel_scope.cancel()
