"""Any node hands out the interface of an agent that it hosts, signed, and not the list of all."""

from __future__ import annotations

from trio.testing import MockClock

from choria.ddl import parse_foreign_ddl
from choria.errors import Refusal
from choria.node import BUILTIN_POLICIES
from tests.support.node_world import a_node


async def test_the_interface_of_a_hosted_agent_is_what_the_node_judges_by(
    autojump_clock: MockClock,
) -> None:
    async with a_node(policies=BUILTIN_POLICIES) as world:
        ask = world.request(agent="choria_registry", action="ddl", inputs={"name": "demo"})
        reply = await world.ask(ask)
        assert reply is not None
        assert (reply.statuscode, reply.data["name"], world.grade()) == (0, "demo", "signed")
        read = parse_foreign_ddl(reply.data["ddl"].encode(), "demo")
        assert read.actions == world.node.agents["demo"].ddl.actions


async def test_what_is_not_hosted_is_not_described(autojump_clock: MockClock) -> None:
    async with a_node(policies=BUILTIN_POLICIES) as world:
        ask = world.request(agent="choria_registry", action="ddl", inputs={"name": "other"})
        reply = await world.ask(ask)
        assert reply is not None
        assert (reply.statuscode, reply.statusmsg) == (4, "no agent other is hosted here")


async def test_the_list_of_agents_is_under_policy(autojump_clock: MockClock) -> None:
    names = {"agent": "choria_registry", "action": "names", "inputs": {}}
    async with a_node(policies=BUILTIN_POLICIES) as world:
        reply = await world.ask(world.request(**names))
        assert reply is not None
        assert reply.refusal is Refusal.DENIED
    async with a_node() as world:
        reply = await world.ask(world.request(**names))
        assert reply is not None
        assert reply.data["names"] == ["certificate", "choria_registry", "demo", "discovery"]
