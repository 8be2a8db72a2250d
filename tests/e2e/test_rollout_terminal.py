"""Rollouts as an operator has them: questions at a terminal, Ctrl-C, and going on where it stopped."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import trio

from choria.programs.demo import Stage
from tests.support.fleet import a_fleet, ask, go_on, stop
from tests.support.terminal import CTRL_C, at_a_terminal

pytestmark = pytest.mark.timeout(180)
CALL = ("call", "rpcutil", "ping", "--config", "client.toml")


@pytest.fixture
async def fleet(tmp_path: Path):
    async with a_fleet(tmp_path, nodes=3) as stage:
        yield stage


async def test_a_yes_after_the_canary_goes_on_and_a_no_does_not(fleet: Stage) -> None:
    async with at_a_terminal(fleet.folder, *CALL, "--canary", "1") as terminal:
        await terminal.says("1 of 1 node in the canary succeeded. Go on with the other 2? [y/N]")
        await terminal.types("y\n")
        assert await terminal.ends() == 0
        assert "3 / 3 hosts" in terminal.said
    async with at_a_terminal(
        fleet.folder, *CALL, "--canary", "1", "--state", "rest.json"
    ) as terminal:
        await terminal.says("[y/N]")
        await terminal.types("\n")
        assert await terminal.ends() == 4
        assert "Stopped: you did not want to go on after the canary." in terminal.said
        assert "--nodes rest.json" in terminal.said
    document = await ask(fleet, "call", "rpcutil", "ping", "--nodes", "rest.json")
    assert [reply["sender"] for reply in document["replies"]] == ["node2", "node3"]
    assert document["request_stats"]["discovery_method"] == "flatfile"


async def test_a_dangerous_action_is_confirmed_or_nothing_is_sent(fleet: Stage) -> None:
    with (fleet.folder / "client.toml").open("a") as config:
        config.write('\n[rollout]\nhigh_impact = ["rpcutil.p*"]\n')
    async with at_a_terminal(fleet.folder, *CALL) as terminal:
        await terminal.says("its impact is high. Go on? [y/N]")
        await terminal.types("n\n")
        assert await terminal.ends() == 130
        assert "not confirmed: nothing was sent" in terminal.said
    step = await fleet.run(*CALL, exits=2)
    assert "add --yes" in step.errors
    assert (await fleet.run(*CALL, "--yes")).exit_code == 0
    audited = (fleet.folder / "audit" / "node1.log").read_text().splitlines()
    records = [json.loads(line) for line in audited]
    assert len({each["request_id"] for each in records if each["agent"] == "rpcutil"}) == 1


async def test_ctrl_c_names_who_was_not_waited_for_and_the_request(fleet: Stage) -> None:
    (fleet.folder / "all.txt").write_text("node1\nnode2\nnode3\n")
    stop(fleet, "node2")
    try:
        async with at_a_terminal(fleet.folder, *CALL, "--nodes", "all.txt") as terminal:
            await terminal.says("node3")
            await terminal.types(CTRL_C)
            assert await terminal.ends() == 130
            said = terminal.said
    finally:
        go_on(fleet, "node2")
    assert "Stopped: told to stop." in said
    assert "Not waited for: node2. They have the request." in said
    assert "Request ids: " in said
    assert "2 / 3 hosts" in said
    assert "Traceback" not in said


async def test_sigterm_in_a_pause_leaves_a_state_to_go_on_with(fleet: Stage) -> None:
    options = ("--batch", "1", "--batch-sleep", "600", "--state", "rest.json")
    async with at_a_terminal(fleet.folder, *CALL, *options) as terminal:
        await terminal.says("Timestamp")
        terminal.signalled(signal.SIGTERM)
        assert await terminal.ends() == 130
        assert "Not asked: node2, node3." in terminal.said
    state = json.loads((fleet.folder / "rest.json").read_text())
    assert (state["done"], state["nodes"]) == (["node1"], ["node2", "node3"])
    assert state["stopped"]["why"] == "interrupted"


async def test_ctrl_c_twice_leaves_at_once(fleet: Stage) -> None:
    """The second one while the first is being accounted for: a broker that says nothing takes time."""
    options = ("--canary", "1")
    async with at_a_terminal(fleet.folder, *CALL, *options) as terminal:
        await terminal.says("[y/N]")
        stop(fleet, "broker")
        try:
            await terminal.types(CTRL_C)
            await terminal.types(CTRL_C)
            with trio.fail_after(20):
                assert await terminal.ends() == 130
        finally:
            go_on(fleet, "broker")
        assert "Traceback" not in terminal.said


async def test_ctrl_c_before_anybody_was_asked_says_so(fleet: Stage) -> None:
    stop(fleet, "node2")
    try:
        async with at_a_terminal(
            fleet.folder, *CALL, "--discovery-timeout", "30", "--verbose"
        ) as terminal:
            await terminal.says("welcomed by")
            await terminal.types(CTRL_C)
            assert await terminal.ends() == 130
            assert "nobody was asked" in terminal.said
    finally:
        go_on(fleet, "node2")
