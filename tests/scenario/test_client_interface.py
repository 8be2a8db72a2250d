"""The interface of an agent from the fleet: three nodes are asked, signed, and odd ones are named."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from choria.client import AgentNotFound, Call, Scope, ask_fleet, discover, make_ask
from choria.errors import DDLError, Refusal
from choria.messages import refuse
from choria.trust import Role
from tests.support.network import Member, Network, a_network
from tests.support.scripted_node import Said, honest, run_scripted, silent, unmatched

SCOPE = Scope(network="alpha", collective="choria")


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with a_network() as made:
        yield made


def node(network: Network, name: str) -> Member:
    return network.member(Role.NODE, name)


def ddl(name: str = "demo", version: str = "1.0") -> str:
    metadata = {"name": name, "timeout": 5, "version": version}
    return json.dumps({"metadata": metadata, "actions": [{"action": "say"}]})


def hands_out(text: object):
    def script(said: Said):
        if said.request.is_discovery:
            return honest(said)
        assert said.request.agent == "choria_registry"
        return [said.signed(said.reply({"ddl": text}))]

    return script


async def fetched(network: Network, **scripts):
    async with trio.open_nursery() as nursery, network.caller() as caller:
        for name, script in scripts.items():
            await nursery.start(partial(run_scripted, network, node(network, name), script))
        handed = await ask_fleet(caller, SCOPE, "demo", timeout_s=2)
        nursery.cancel_scope.cancel()
    return handed


async def test_the_first_three_are_asked_and_nobody_else(
    autojump_clock: MockClock, network: Network
) -> None:
    asked: list[str] = []

    def note(said: Said):
        if not said.request.is_discovery:
            asked.append(said.node.principal.name)
        return hands_out(ddl())(said)

    handed = await fetched(network, **{f"web{number}": note for number in range(8)})
    assert (list(handed.ddl.actions), len(asked), handed.others) == (["say"], 3, ())
    assert sorted(handed.kept.nodes) == sorted(asked)


async def test_one_that_differs_is_outvoted_and_named(
    autojump_clock: MockClock, network: Network
) -> None:
    odd, usual = hands_out(ddl(version="9.9")), hands_out(ddl())
    handed = await fetched(network, web1=odd, web2=usual, web3=usual)
    assert handed.ddl.metadata.version == "1.0"
    assert handed.others == ("web1",)


async def test_of_two_the_newer_version_counts(autojump_clock: MockClock, network: Network) -> None:
    handed = await fetched(
        network, web1=hands_out(ddl(version="1.9")), web2=hands_out(ddl(version="1.10"))
    )
    assert handed.ddl.metadata.version == "1.10"


async def test_nobody_hosts_it(autojump_clock: MockClock, network: Network) -> None:
    with pytest.RaisesGroup(
        pytest.RaisesExc(AgentNotFound, match="hosts an agent demo"), flatten_subgroups=True
    ):
        await fetched(network, web1=unmatched, web2=silent)


async def test_an_unsigned_interface_is_not_believed(
    autojump_clock: MockClock, network: Network
) -> None:
    def unsigned(said: Said):
        if said.request.is_discovery:
            return honest(said)
        return [said.bare(said.reply({"ddl": ddl()}))]

    with pytest.RaisesGroup(
        pytest.RaisesExc(AgentNotFound, match="did not answer"), flatten_subgroups=True
    ):
        await fetched(network, web1=unsigned)


async def test_why_it_is_not_handed_out_is_said(
    autojump_clock: MockClock, network: Network
) -> None:
    def denies(said: Said):
        if said.request.is_discovery:
            return honest(said)
        return [said.signed(refuse(said.reply(), Refusal.DENIED, "registry.policy:3"))]

    with pytest.RaisesGroup(
        pytest.RaisesExc(AgentNotFound, match="registry.policy:3"), flatten_subgroups=True
    ):
        await fetched(network, web1=denies)


HOSTILE = [
    ("{", "not JSON"),
    (ddl("other"), "one of other came"),
    (" " * (300 << 10), "at most"),
    ('{"metadata": {"name": "demo"}, "actions": [{"action": "a", "input": {"\\u001b[2J": {"type": "string"}}}]}', "odd name"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "why"), HOSTILE, ids=[row[1] for row in HOSTILE])
async def test_a_strangers_text_is_read_strictly(
    autojump_clock: MockClock, network: Network, text: str, why: str
) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(DDLError, match=why), flatten_subgroups=True):
        await fetched(network, web1=hands_out(text))


async def test_a_call_that_nobody_waits_for_is_handed_to_those_who_are_there(
    autojump_clock: MockClock, network: Network
) -> None:
    ran: list[str] = []

    def note(said: Said):
        if not said.request.is_discovery:
            ran.append(said.node.principal.name)
        return honest(said)

    async with trio.open_nursery() as nursery, network.caller() as caller:
        for name in ("web1", "web2"):
            await nursery.start(partial(run_scripted, network, node(network, name), note))
        found = await discover(caller, SCOPE, timeout_s=2)
        sent_ids: list[bytes] = []
        ask = make_ask(Call(agent="rpcutil", action="ping"), SCOPE, found)
        sent = await caller.send(ask, lambda request: sent_ids.append(request.id))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert (sent.handed, sent.answers, sent.without) == (2, {}, [])
    assert sent_ids == sent.request_ids
    assert sorted(ran) == ["web1", "web2"]
