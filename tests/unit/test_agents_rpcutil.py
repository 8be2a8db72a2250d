"""rpcutil: what it says about the node, under the names of its DDL."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Any

import pytest

from choria.agents import rpcutil_agent, shipped_agents, shipped_ddl
from choria.ddl import parse_ddl
from choria.errors import AgentError
from choria.node import ActionContext, NodeInfo
from choria.node.counters import NAMES
from choria.trust import Principal, Role

FACTS = {
    "os": {"family": "Debian", "release": {"major": "12"}},
    "list": [1, {"a": 2.5}],
    "none": None,
}
RPCUTIL = rpcutil_agent()


def a_context() -> ActionContext:
    node = NodeInfo(
        identity="web1",
        version="0.1.0",
        started_ms=1_800_000_000_000,
        collectives=("choria", "dmz"),
        main_collective="choria",
        config_file="/etc/choria-trio/node.toml",
        agents=lambda: [agent.ddl for agent in shipped_agents()],
        classes=lambda: ("apache",),
        counters=lambda: dict.fromkeys(NAMES, 3),
    )
    return ActionContext(
        request_id=b"r" * 16,
        callerid="choria=rip",
        principal=Principal("alpha", Role.CLIENT, "rip"),
        collective="choria",
        facts=MappingProxyType(FACTS),  # as the node hands them out
        node=node,
        now_ms=1_800_000_060_500,
    )


async def run(action: str, **inputs: Any) -> dict[str, Any]:
    return await RPCUTIL.actions[action](inputs, a_context())


@pytest.mark.parametrize("agent", shipped_agents(), ids=lambda agent: agent.ddl.name)
def test_ddl_and_functions_name_the_same_actions(agent: Any) -> None:
    assert set(agent.ddl.actions) == set(agent.actions)
    assert agent.ddl.warnings == ()
    for action in agent.ddl.actions.values():
        for aggregate in action.aggregates:
            assert aggregate.output in action.outputs


def test_ddls_are_found_by_name_only() -> None:
    for agent in shipped_agents():
        found = shipped_ddl(agent.ddl.name)
        assert found is not None
        assert parse_ddl(found.source) == found
    for name in ("nope", "../ddl/rpcutil", "", "rpcutil.json"):
        assert shipped_ddl(name) is None


@pytest.mark.parametrize(
    "action", ["ping", "inventory", "agent_inventory", "daemon_stats", "collective_info"]
)
async def test_outputs_are_those_of_the_ddl(action: str) -> None:
    assert set(await run(action)) == set(RPCUTIL.ddl.actions[action].outputs)


async def test_ping_and_collectives() -> None:
    assert await run("ping") == {"pong": 1_800_000_060}
    assert await run("collective_info") == {
        "main_collective": "choria",
        "collectives": ["choria", "dmz"],
    }


async def test_inventory() -> None:
    inventory = await run("inventory")
    assert inventory["agents"] == [
        "choria_util", "file", "package", "process", "puppet", "rpcutil", "service",
    ]  # fmt: skip
    assert inventory["facts"] == FACTS
    assert inventory["classes"] == ["apache"]


async def test_agents_with_their_metadata() -> None:
    package = (await run("agent_inventory"))["agents"][2]
    assert (package["agent"], package["timeout"], package["license"]) == (
        "package",
        180,
        "Apache-2.0",
    )


async def test_daemon_stats() -> None:
    stats = await run("daemon_stats")
    assert (stats["pid"], stats["validated"], stats["starttime"]) == (os.getpid(), 3, 1_800_000_000)
    assert stats["times"]["utime"] > 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("os.family", "Debian"),
        ("os", {"family": "Debian", "release": {"major": "12"}}),
        ("list", [1, {"a": 2.5}]),
        ("list.1.a", 2.5),
        ("list.#", 2),
        ("none", None),
        ("nope.nope", None),
    ],
)
async def test_facts_by_path(path: str, value: Any) -> None:
    assert await run("get_fact", fact=path) == {"fact": path, "value": value}


async def test_several_facts() -> None:
    values = (await run("get_facts", facts="os.family, list.0 ,nope"))["values"]
    assert values == {"os.family": "Debian", "list.0": 1, "nope": None}


@pytest.mark.parametrize("path", ["a|" * 200, "***", "{os,list}", "x" * 300])
async def test_paths_that_could_harm_are_invalid_data(path: str) -> None:
    with pytest.raises(AgentError) as refused:
        await run("get_fact", fact=path)
    assert refused.value.statuscode == 4
