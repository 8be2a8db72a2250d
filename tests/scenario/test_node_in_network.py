"""A real node on a real broker, asked by the real client; in memory, virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from choria.agents import rpcutil_agent
from choria.client import AnswerGrade, Call, Caller, CallResult, Scope, call, discover
from choria.filters import parse_filter
from choria.net import Session
from choria.node import (
    BUILTIN_POLICIES,
    FactSources,
    FactStore,
    MemoryLog,
    NodeParts,
    NodeSettings,
    make_snapshot,
    run_node,
    verify_inline,
)
from choria.policy import PolicySet
from choria.trust import Role, Verifier
from tests.support.network import Member, Network, a_network, now_ms
from tests.support.node_world import Witness

POLICIES = PolicySet(
    {
        **BUILTIN_POLICIES,
        "discovery.policy": "allow\t*\tping\t*\t*\n",
        "rpcutil.policy": "allow\tchoria=rip\t*\t*\t*\n",
    }
)


def _parts(network: Network, node: Member, facts: dict[str, Any], audit: Witness) -> NodeParts:
    store = FactStore(FactSources(), now_ms)
    store.current = make_snapshot(facts, collected_ms=now_ms())
    return NodeParts(
        signer=node.signer,
        verify=verify_inline(Verifier(network.issuers), now_ms),
        agents=[rpcutil_agent()],
        policies=lambda: POLICIES,
        facts=store,
        requests=MemoryLog(),
        audit=audit,
        now_ms=now_ms,
    )


async def _run(
    network: Network, name: str, parts: tuple[dict[str, Any], Witness], shutdown: trio.Event,
    task_status: trio.TaskStatus[Session],
) -> None:  # fmt: skip
    node = network.member(Role.NODE, name)
    async with network.session(node) as session:
        async with trio.open_nursery() as nursery:
            serve = partial(run_node, shutdown=shutdown)
            made = _parts(network, node, *parts)
            await nursery.start(serve, session, made, NodeSettings())
            task_status.started(session)


@asynccontextmanager
async def a_fleet(audit: Witness) -> AsyncIterator[tuple[Network, trio.Event]]:
    shutdown = trio.Event()
    async with a_network() as network, trio.open_nursery() as nursery:
        for name, role in (("web1", "web"), ("web2", "web"), ("db1", "db")):
            await nursery.start(_run, network, name, ({"role": role}, audit), shutdown)
        await trio.testing.wait_all_tasks_blocked()
        yield network, shutdown
        nursery.cancel_scope.cancel()


async def ask(caller: Caller, action: str, *facts: str, **inputs: Any) -> CallResult:
    scope = Scope(network="alpha", collective="choria", filter=parse_filter(facts=facts).to_wire())
    found = await discover(caller, scope, timeout_s=2)
    what = Call(agent="rpcutil", action=action, inputs=inputs)
    return await call(caller, what, scope, found, timeout_s=5, on_answer=lambda _: None)


async def test_ask_those_who_match(autojump_clock: MockClock) -> None:
    audit = Witness()
    async with a_fleet(audit) as (network, _), network.caller() as caller:
        result = await ask(caller, "get_fact", "role=web", fact="role")
        assert [a.sender for a in result.answers] == ["web1", "web2"]
        assert [a.data for a in result.answers] == [{"fact": "role", "value": "web"}] * 2
        assert {a.grade for a in result.answers} == {AnswerGrade.SIGNED}
        assert (result.silent, result.gone) == ((), ())
        assert sorted(audit.outcomes) == ["allowed"] * 4 + ["not-matched"] + ["succeeded"] * 4
        assert trio.current_time() < 1  # complete at once: nobody was waited for in vain


async def test_somebody_else_is_denied_by_every_node(autojump_clock: MockClock) -> None:
    audit = Witness()
    async with a_fleet(audit) as (network, _), network.caller("joe") as caller:
        result = await ask(caller, "ping")
        assert len(result.failed) == 3
        assert all(
            "rpcutil.policy" in a.statusmsg or "not authorized" in a.statusmsg
            for a in result.answers
        )
        assert audit.outcomes.count("denied") == 3


async def test_a_node_that_stopped_is_gone_and_not_silent(autojump_clock: MockClock) -> None:
    async with a_fleet(Witness()) as (network, shutdown), network.caller() as caller:
        assert len((await ask(caller, "ping")).answers) == 3
        shutdown.set()
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(10)
        result = await ask(caller, "ping")
        assert result.answers == []
        assert result.silent == ()
