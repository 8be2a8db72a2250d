"""The main job with real processes over TLS: nodes that hang, die and leave, a broker that dies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio

from tests.support.fleet import a_fleet, ask, go_on, kill, log_says, stop

pytestmark = pytest.mark.timeout(120)


async def test_a_stopped_node_is_named_silent_and_comes_back(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as stage:
        stop(stage, "node2")
        document = await ask(stage, "ping", exits=5)
        assert document["silent"] == ["node2"]
        assert {node["sender"] for node in document["nodes"]} == {"node1", "node3"}
        text = await stage.run("ping", "--config", "client.toml", exits=5)
        assert "Silent (1): node2" in text.output
        assert "2 / 3 hosts in" in text.output
        go_on(stage, "node2")
        assert len((await ask(stage, "ping"))["nodes"]) == 3


async def test_a_killed_node_is_gone_and_when_one_that_leaves_is_no_failure(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as stage:
        await kill(stage, "node2")
        await log_says(stage, "broker", "node2")
        document = await ask(stage, "ping", exits=5)
        assert [(node["sender"], node["planned"]) for node in document["gone"]] == [
            ("node2", False)
        ]
        assert document["gone"][0]["left_utc"].startswith("20")
        await stage.start("node", "--config", "node2.toml", log="node2.log")
        await log_says(stage, "node2", "serving ")
        stage.processes["node3"].terminate()
        await stage.processes["node3"].wait()
        assert stage.processes["node3"].returncode == 0
        document = await ask(stage, "ping")
        assert [(node["sender"], node["planned"]) for node in document["gone"]] == [("node3", True)]


async def test_all_nodes_are_back_after_the_broker_was_killed(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as stage:
        await kill(stage, "broker")
        await stage.run(
            "ping", "--config", "client.toml", "--json", exits=8, contains=["cannot connect"]
        )
        await stage.start("broker", "--config", "broker.toml", log="broker2.log")
        for number in (1, 2, 3):
            await log_says(stage, f"node{number}", "welcomed by", times=2)
        assert len((await ask(stage, "ping"))["nodes"]) == 3


async def test_nodes_are_chosen_by_expressions(tmp_path: Path) -> None:
    async with a_fleet(tmp_path, nodes=2) as stage:
        everybody = 'with("rpcutil") and "package" in agents and fact("identity") == nil'
        found = await ask(stage, "discover", "-S", everybody)
        assert {node["sender"] for node in found["nodes"]} == {"node1", "node2"}
        nobody = await ask(stage, "ping", "--select", 'fact("missing") > 1', exits=3)
        assert nobody["nodes"] == []
        await ask(stage, "ping", "-W", "missing=1 /apache/", exits=3)
        one = ["-S", "not false", "-S", 'len(classes) == 0 or "x" not in classes', "-I", "node1"]
        document = await ask(stage, "call", "rpcutil", "ping", *one)
        assert [reply["sender"] for reply in document["replies"]] == ["node1"]
        wrong = await stage.run("ping", "-S", "1 +", "--config", "client.toml", exits=2)
        assert "character 4 of the expression" in wrong.errors


async def test_the_broker_stops_in_order(tmp_path: Path) -> None:
    async with a_fleet(tmp_path, nodes=1) as stage:
        stage.processes["broker"].terminate()
        with trio.fail_after(20):
            await stage.processes["broker"].wait()
        assert stage.processes["broker"].returncode == 0
        await log_says(stage, "node1", "draining")


async def test_a_call_tells_the_machine_s_truth_in_choria_s_shape(tmp_path: Path) -> None:
    asked = (
        ["dpkg-query", "-W", "-f=${Version}", "bash"]
        if shutil.which("dpkg-query")
        else ["rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}", "bash"]
    )
    truth = (await trio.run_process(asked, capture_stdout=True)).stdout.decode()
    async with a_fleet(tmp_path) as stage:
        document = await ask(stage, "call", "package", "status", "package=bash")
        assert [reply["data"]["ensure"] for reply in document["replies"]] == [truth] * 3
        reply = document["replies"][0]
        assert {"sender", "statuscode", "statusmsg", "data", "action", "time_utc"} <= reply.keys()
        assert (reply["grade"], reply["network"]) == ("signed", "demo")
        stats = document["request_stats"]
        assert (stats["discovered"], stats["responses"], stats["ok"], stats["failed"]) == (
            3,
            3,
            3,
            0,
        )
        assert document["summaries"]["ensure"]
