"""``facts``, ``inventory``, ``tool`` and ``plugin`` on real nodes, as an operator types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from choria.programs.demo import Stage
from tests.support.fleet import a_fleet, ask, kill

pytestmark = pytest.mark.timeout(180)
CONFIG = ("--config", "client.toml")


@pytest.fixture
async def fleet(tmp_path: Path):
    async with a_fleet(tmp_path, nodes=3) as stage:
        yield stage


async def test_facts_are_counted_and_their_nodes_named(fleet: Stage) -> None:
    plain = await fleet.run("facts", "kernel", *CONFIG)
    assert plain.output == "Report for fact: kernel\n\n  Linux  found 3 times\n"
    assert "3 / 3 hosts" in plain.errors
    document = await ask(fleet, "facts", "kernel")
    assert document["values"] == [
        {"value": "Linux", "count": 3, "nodes": ["node1", "node2", "node3"]}
    ]
    assert [each["sender"] for each in document["replies"]] == ["node1", "node2", "node3"]
    named = await fleet.run("facts", "nosuch.fact", "--names", "-I", "node2", *CONFIG)
    assert "  (not set)  found 1 time\n      node2\n" in named.output
    table = await fleet.run("facts", "kernel", "--table", *CONFIG)
    assert table.output.splitlines() == ["Value  Nodes", "-----  -----", "Linux  3"]
    assert (
        await fleet.run("facts", "kernel", "-F", "kernel=Plan9", *CONFIG, exits=3)
    ).exit_code == 3
    refused = await fleet.run("facts", "x" * 300, *CONFIG, exits=4)
    assert "Failed: node1: " in refused.errors


async def test_one_node_tells_all_about_itself_and_one_that_is_gone_nothing(fleet: Stage) -> None:
    told = (await fleet.run("inventory", "node1", *CONFIG)).output
    for text in (
        "Inventory for node1:",
        "Main Collective: choria",
        "  Agents:\n",
        "rpcutil",
        "Linux",
    ):
        assert text in told
    assert "Facts:" not in (await fleet.run("inventory", "node1", "--no-facts", *CONFIG)).output
    document = await ask(fleet, "inventory", "node1")
    assert document["inventory"]["facts"]["kernel"] == "Linux"
    assert document["statistics"]["pid"] == fleet.processes["node1"].pid
    await kill(fleet, "node3")
    gone = await fleet.run("inventory", "node3", *CONFIG, exits=5)
    assert (gone.output, gone.errors) == ("", "node3 is not connected\n")
    assert (await ask(fleet, "inventory", "node3", exits=5))["gone"]
    nobody = await fleet.run("inventory", *CONFIG, exits=2)
    assert "or --collectives" in nobody.errors
    both = await fleet.run("inventory", "node1", "--collectives", *CONFIG, exits=2)
    assert "leave NODE away" in both.errors


async def test_collectives_are_counted(fleet: Stage) -> None:
    counted = await fleet.run("inventory", "--collectives", *CONFIG)
    assert counted.output == "Collective  Nodes\nchoria      3\n"
    document = await ask(fleet, "inventory", "--collectives")
    assert document["collectives"] == {"choria": ["node1", "node2", "node3"]}


async def test_who_may_not_look_is_told_so(fleet: Stage) -> None:
    guest = ("--credentials", "credentials/guest", *CONFIG)
    assert "not authorized" in (await fleet.run("inventory", "node1", *guest, exits=7)).errors
    assert (await fleet.run("facts", "kernel", *guest, exits=7)).exit_code == 7


async def test_a_file_of_the_fleet_finds_nodes_and_is_brought_up_to_date(fleet: Stage) -> None:
    path = fleet.folder / "fleet.json"
    first = await fleet.run("tool", "inventory", "fleet.json", *CONFIG)
    assert first.output.startswith("fleet.json: 3 nodes written\nNext: ")
    method = ("--dm", "inventory", "--do", "file=fleet.json")
    found = await fleet.run("discover", *method, "-F", "kernel=Linux", *CONFIG)
    assert found.output.split() == ["node1", "node2", "node3"]
    document = json.loads(path.read_text())
    document["groups"] = [{"name": "two", "filter": {"identities": ["node1", "node2"]}}]
    document["nodes"][2]["classes"] = ["remembered"]
    path.write_text(json.dumps(document))
    again = await fleet.run("tool", "inventory", "fleet.json", *CONFIG, exits=2)
    assert "add --update" in again.errors
    group = ("-I", "group:two", *method)
    updated = await fleet.run("tool", "inventory", "fleet.json", "--update", *group, *CONFIG)
    assert "2 nodes written, 1 node as before" in updated.output
    kept = json.loads(path.read_text())
    assert {node["name"]: node["classes"] for node in kept["nodes"]}["node3"] == ["remembered"]
    assert kept["groups"] == document["groups"]
    usable = await fleet.run("tool", "inventory", "fleet.json", "--validate", *CONFIG)
    assert usable.output == "fleet.json: 3 nodes, 1 groups, usable\n"
    before = path.read_bytes()
    guest = ("--credentials", "credentials/guest")
    nothing = await fleet.run(
        "tool", "inventory", "fleet.json", "--update", *guest, *CONFIG, exits=2
    )
    assert "nothing was written" in nothing.errors
    assert path.read_bytes() == before


async def test_status_says_who_we_are_and_how_long(fleet: Stage) -> None:
    told = (await fleet.run("tool", "status", *CONFIG)).output
    for text in ("client operator (choria=operator in policies)", "broker1, connected in", "fleet"):
        assert text in told
    document = await ask(fleet, "tool", "status", "--days", "4000", exits=1)
    assert document["certificate_ends_soon"] is True
    assert (document["broker"], document["nodes"]) == ("broker1", 3)
    await kill(fleet, "broker")
    unreachable = await fleet.run("tool", "status", "--json", *CONFIG, exits=8)
    assert json.loads(unreachable.errors)["exit_code"] == 8


async def test_documents_of_agents_and_a_new_one(fleet: Stage) -> None:
    known = (await fleet.run("plugin", "doc", *CONFIG)).output
    assert "rpcutil" in known
    text = (await fleet.run("plugin", "doc", "rpcutil", *CONFIG)).output
    assert "rpcutil get_fact: " in text
    page = (await fleet.run("plugin", "doc", "choria_registry", "--markdown", *CONFIG)).output
    assert page.startswith("# choria\\_registry\n")  # only the fleet knows it
    source = await ask(fleet, "plugin", "doc", "rpcutil")
    assert source["metadata"]["name"] == "rpcutil"
    words = ("plugin", "generate", "ddl", "motd", "--action", "get=The text", "--folder", ".")
    assert (await fleet.run(*words)).output == "motd.json\n"
    assert "exists already" in (await fleet.run(*words, exits=2)).errors
    with (fleet.folder / "client.toml").open("a") as config:
        config.write('ddl_folders = ["."]\n')
    assert "motd get: The text" in (await fleet.run("plugin", "doc", "motd", *CONFIG)).output
