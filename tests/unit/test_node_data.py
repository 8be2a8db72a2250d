"""Data plugins: what filters and rpcutil read, and how agents' own are collected ahead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from choria.agents import Agent, action, build_agent, data, rpcutil_agent
from choria.errors import AgentError, DDLError, FilterError
from choria.filters import Facts, Subject, judge_filter, parse_filter
from choria.node import DataSource, DataStore, NodeConfig, config_items
from choria.node.data import COLLECT_WITHIN_S
from choria.node.own_data import own_plugins
from tests.support.agent_context import a_context
from tests.support.node_world import an_agent

BEGIN_MS = 1_800_000_000_000


def now_ms() -> int:
    return BEGIN_MS + round(trio.current_time() * 1000)


class Bringing:
    """An agent with data plugins, and nothing else to it."""

    def __init__(self, name: str, *sources: DataSource) -> None:
        plain = an_agent(name)
        self.ddl, self.actions, self.data = plain.ddl, plain.actions, sources


Collect = Callable[[str], Awaitable[Mapping[str, Any]]]


def a_source(collect: Collect, name: str = "backup", *queries: str) -> DataSource:
    return DataSource(agent="demo", name=name, description="", collect=collect, queries=queries)


def a_store(*sources: DataSource, max_age_s: float = 900) -> DataStore:
    plugins = own_plugins(a_context().node, {"grace_s": 5.0}, now_ms)
    store = DataStore(plugins, now_ms, max_age_s=max_age_s)
    store.host([Bringing("demo", *sources)])
    return store


def judged(store: DataStore, text: str) -> str:
    """``yes``, ``no``, or why it cannot be said."""
    subject = Subject(identity="web1", facts=Facts({}), functions=store.functions)
    found = judge_filter(parse_filter(compounds=[text]), subject)
    return found.why or ("yes" if found.holds else "no")


async def once(_query: str) -> dict[str, Any]:
    return {"age_days": 2, "sets": ["a"]}


async def test_a_filter_reads_what_was_collected_before(autojump_clock: MockClock) -> None:
    store = a_store(a_source(once))
    assert "backup() has not been collected yet" in judged(store, "backup().age_days < 3")
    await store.refresh()
    assert judged(store, "backup().age_days < 3") == "yes"
    assert judged(store, '"a" in backup().sets and backup().age_days > 3') == "no"
    assert store.ages_s() == {"backup": 0}


async def test_each_declared_query_has_an_answer_ready(autojump_clock: MockClock) -> None:
    async def free(query: str) -> dict[str, Any]:
        return {"free": len(query)}

    store = a_store(a_source(free, "mount", "/", "/var"))
    await store.refresh()
    assert judged(store, 'mount("/var").free == 4 and mount("/").free == 1') == "yes"
    assert "mount() knows /, /var, not '/tmp'" in judged(store, 'mount("/tmp").free > 0')


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("backup('x')", "backup() takes nothing, not 1 values"),
        ("config_item()", "config_item() takes one text, not 0 values"),
        ("config_item(1)", "config_item() takes a text"),
        ("choria().versio == nil", "yes"),
        ("absent()", "this machine has no data plugin absent()"),
    ],
)
async def test_calls_that_cannot_be_judged(autojump_clock: MockClock, text: str, why: str) -> None:
    assert why in judged(a_store(a_source(once)), text)


async def test_what_fails_later_counts_until_it_is_too_old(autojump_clock: MockClock) -> None:
    works = True

    async def sometimes(_query: str) -> dict[str, Any]:
        if not works:
            raise OSError("gone")
        return {"ok": True}

    store = a_store(a_source(sometimes), max_age_s=100)
    await store.refresh()
    works = False
    await trio.sleep(99)
    await store.refresh()
    assert judged(store, "backup().ok") == "yes"
    await trio.sleep(2)
    assert "backup() was last collected 101 s ago" in judged(store, "backup().ok")


async def test_one_that_hangs_holds_up_neither_others_nor_its_own_next_time(
    autojump_clock: MockClock,
) -> None:
    async def never(_query: str) -> dict[str, Any]:
        await trio.sleep(10**9)
        return {}

    hangs = replace(a_source(never, "hangs"), agent="other")
    store = a_store(hangs, a_source(once))
    with trio.fail_after(COLLECT_WITHIN_S + 1):
        await store.refresh()
    assert judged(store, "backup().age_days == 2") == "yes"
    assert "not been collected" in judged(store, "hangs()")


@pytest.mark.parametrize("bad", [["a"], None, {"x": float("inf")}, {1: {2: object()}}])
async def test_whatever_a_plugin_gives_the_store_holds_plain_values(
    autojump_clock: MockClock, bad: Any
) -> None:
    async def odd(_query: str) -> Any:
        return bad

    store = a_store(a_source(odd))
    await store.refresh()
    if isinstance(bad, dict):
        assert all(isinstance(key, str) for key in store.plugins["backup"].read())
    else:
        with pytest.raises(FilterError):
            store.plugins["backup"].read()


async def test_new_agents_are_collected_at_once_and_removed_ones_are_forgotten(
    autojump_clock: MockClock,
) -> None:
    store = a_store()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.run, 300)
        await trio.testing.wait_all_tasks_blocked()
        store.host([Bringing("demo", a_source(once))])
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == pytest.approx(0, abs=1)
        assert judged(store, "backup().age_days == 2") == "yes"
        store.host([])
        assert "no data plugin backup" in judged(store, "backup().age_days == 2")
        nursery.cancel_scope.cancel()


async def test_names_are_taken_once_and_never_from_the_node(autojump_clock: MockClock) -> None:
    async def fake(_query: str) -> dict[str, Any]:
        return {"version": "9"}

    store = a_store()
    store.host(
        [Bringing("b", a_source(fake)), Bringing("a", a_source(once), a_source(fake, "choria"))]
    )
    await store.refresh()
    assert judged(store, "backup().age_days == 2") == "yes"  # of a, the first by name
    assert judged(store, 'choria().version == "0.1.0"') == "yes"


async def test_the_nodes_own(autojump_clock: MockClock) -> None:
    store = a_store()
    assert set(store.plugins["choria"].read()) == set(store.plugins["choria"].outputs)
    assert judged(store, 'choria().identity == "web1" and choria().uptime == 0') == "yes"
    assert judged(store, 'config_item("grace_s").value == 5') == "yes"
    assert judged(store, 'config_item("gone").present') == "no"


def test_configuration_as_items_and_no_secret_among_them() -> None:
    config = NodeConfig(facts_commands=[["/x", "--password=hunter2"]], state=Path("/s"))
    items = config_items(config)
    assert items["audit.when_unwritable"] == "refuse"
    assert items["state"] == "/s"
    assert items["facts_commands"] == "[masked]"
    assert "hunter2" not in str(items)


class Storage(Agent):
    """Disks."""

    @action()
    async def check(self) -> dict[str, int]:
        """Check them."""
        return {}

    @data()
    async def raid(self) -> dict[str, Any]:
        """How the RAID is."""
        return {"degraded": False}

    @data(name="mount", queries=["/", "/var"])
    async def file_systems(self, path: str) -> dict[str, Any]:
        """Room on a file system."""
        return {"free": len(path)}


async def test_an_agent_declares_plugins(autojump_clock: MockClock) -> None:
    built = build_agent(Storage())
    assert set(built.actions) == {"check"}
    assert {(each.name, each.queries, each.description) for each in built.data} == {
        ("raid", (), "How the RAID is."),
        ("mount", ("/", "/var"), "Room on a file system."),
    }


async def test_plugins_of_a_real_agent_are_collected_in_its_own_loop() -> None:
    store = a_store()
    store.host([build_agent(Storage())])
    with trio.fail_after(10):
        await store.refresh()
    assert judged(store, 'not raid().degraded and mount("/var").free == 4') == "yes"


def declared(**members: Any) -> type[Agent]:
    return type("Odd", (Storage,), members)


async def _two(self: Any, a: str, b: str) -> dict[str, Any]:
    return {a: b}


def _plain(self: Any) -> dict[str, Any]:
    return {}


async def _none(self: Any) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        (_two, {"name": "x", "queries": ["a"]}, "takes 2 values; with its queries it must take 1"),
        (_plain, {"name": "x"}, "a data plugin is an async def"),
        (_none, {"name": "x", "queries": ["a"]}, "takes 0 values"),
        (_none, {"name": "with"}, "no data plugin can be called 'with'"),
        (_none, {"name": "Big"}, "no data plugin can be called 'Big'"),
        (_none, {"name": "x", "queries": ["a"] * 65}, "65 queries, at most 64"),
        (_none, {"name": "x", "queries": [""]}, "an empty query"),
    ],
)
def test_declarations_that_will_not_do(method: Any, options: dict[str, Any], said: str) -> None:
    method.__dict__.clear()
    with pytest.raises(DDLError, match=said):
        build_agent(declared(odd=data(**options)(method))())


async def ask_rpcutil(action_name: str, store: DataStore, **inputs: Any) -> dict[str, Any]:
    plain = a_context()
    context = replace(plain, node=replace(plain.node, data=lambda: store.plugins))
    return await rpcutil_agent().actions[action_name](inputs, context)


async def test_rpcutil_gives_what_plugins_give(autojump_clock: MockClock) -> None:
    store = a_store(a_source(once))
    await store.refresh()
    assert (await ask_rpcutil("get_data", store, source="backup"))["age_days"] == 2
    found = await ask_rpcutil("get_data", store, source="config_item", query="grace_s")
    assert found == {"present": True, "value": 5.0}
    config = await ask_rpcutil("get_config_item", store, item="grace_s")
    assert config == {"item": "grace_s", "value": 5.0}
    inventory = await ask_rpcutil("inventory", store)
    assert inventory["data_plugins"] == ["backup", "choria", "config_item"]


@pytest.mark.parametrize(
    ("action_name", "inputs", "code", "said"),
    [
        ("get_data", {"source": "gone"}, 4, "no data plugin gone here; there are backup, choria"),
        ("get_data", {"source": "config_item"}, 4, "config_item needs a query: a key such as"),
        ("get_data", {"source": "choria", "query": "x"}, 4, "choria takes no query"),
        ("get_data", {"source": "backup"}, 1, "has not been collected yet"),
        ("get_config_item", {"item": "gone"}, 1, "the configuration has no key gone"),
    ],
)
async def test_what_rpcutil_cannot_give(
    autojump_clock: MockClock, action_name: str, inputs: dict[str, str], code: int, said: str
) -> None:
    with pytest.raises(AgentError, match=said) as refused:
        await ask_rpcutil(action_name, a_store(a_source(once)), **inputs)
    assert refused.value.statuscode == code
