"""``run`` on real nodes: output as it comes, Ctrl-C that ends commands, and a node that refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import trio

from choria.client import Exit
from choria.programs.demo import Stage
from choria.programs.demo_story import set_up, start_fleet
from tests.support.fleet import a_stage, go_on, stop
from tests.support.terminal import CTRL_C, at_a_terminal

pytestmark = pytest.mark.timeout(180)
RUN = ("run", "--config", "client.toml")
POLICY = "allow\tchoria=operator\tstart output kill\t*\t*\n"


@pytest.fixture
async def fleet(tmp_path: Path):
    async with a_stage(tmp_path, nodes=3) as stage:
        await set_up(stage)
        stage.write("policies/shell.policy", POLICY)
        await start_fleet(stage)
        yield stage


async def test_outputs_are_grouped_streamed_counted_and_say_how_it_went(fleet: Stage) -> None:
    same = await fleet.run(*RUN, "--", "echo out; echo err >&2; exit 3", exits=4)
    assert same.output.startswith(
        "node1, node2, node3 (3 nodes): exit 3\n  out\n  stderr:\n    err\n\n"
        "3 nodes exit 3: node1 node2 node3\n3 / 3 hosts in "
    )
    lines = await fleet.run(*RUN, "--stream", "--", "printf 'one\\ntwo'")
    assert sorted(lines.output.splitlines()) == sorted(
        f"node{n}: {line}" for n in (1, 2, 3) for line in ("one", "two")
    )
    assert "3 nodes exit 0\n" in lines.errors
    alone = await fleet.run(*RUN, "-I", "node2", "--", "printf", "%s|", "a b", "$HOME", "*")
    assert alone.output == "a b|$HOME|*|\n"
    assert (await fleet.run(*RUN, "--", "true")).exit_code == 0
    late = await fleet.run(*RUN, "-t", "1", "-I", "node1", "--", "sleep 100", exits=4)
    assert "node1: timed out\n" in late.errors


async def test_json_is_exact_and_names_nodes_for_the_next_command(fleet: Stage) -> None:
    raw = r"printf 'a\033[2J\tb\r\n'"
    document = json.loads((await fleet.run(*RUN, "--json", "--", raw)).output)
    assert document["schema"] == "choria-trio/run/1"
    assert document["command"] == raw
    assert [each["data"]["stdout"] for each in document["replies"]] == ["a\x1b[2J\tb\r\n"] * 3
    assert (await fleet.run(*RUN, "-I", "node1", "--", raw)).output == "a\\x1b[2J\tb\\r\n"
    lines = (await fleet.run(*RUN, "--jsonl", "-I", "node1", "--", raw)).output.splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds == ["discovery", "output", "result", "stats"]
    (fleet.folder / "some.json").write_text(
        json.dumps(document | {"replies": document["replies"][:1]})
    )
    step = await fleet.run(*RUN, "--nodes", "some.json", "--", "echo", "hi")
    assert step.output == "hi\n"


def _lives(process: psutil.Process) -> bool:
    """An orphan that is dead may wait for whoever inherited it."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def test_ctrl_c_ends_the_command_on_every_node(fleet: Stage) -> None:
    command = "trap '' HUP; echo pid $$; sleep 1000 & wait"
    async with at_a_terminal(fleet.folder, *RUN, "--stream", "--", command) as terminal:
        for n in (1, 2, 3):
            await terminal.says(f"node{n}: pid ")
        pids = [int(pid) for pid in re.findall(r"pid (\d+)", terminal.said)]
        children = [child for pid in pids for child in psutil.Process(pid).children()]
        assert len(pids) == len(children) == 3
        await terminal.types(CTRL_C)
        assert await terminal.ends() == 130
        said = terminal.said
    assert "Ending the command on 3 nodes; Ctrl-C again leaves at once" in said
    assert "3 nodes killed by SIGTERM: node1 node2 node3" in said
    assert "Traceback" not in said
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not any(_lives(child) for child in children)


async def test_a_reader_that_has_seen_enough_ends_the_command(fleet: Stage) -> None:
    command = "echo $$; while sleep 0.1; do echo more; done"
    program = [sys.executable, "-m", "choria", *RUN, "--stream", "--", command]
    process = await trio.lowlevel.open_process(
        program, cwd=fleet.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    said = b""
    with trio.fail_after(60):
        while len(pids := re.findall(rb": (\d+)\n", said)) < 3:
            said += await process.stdout.receive_some()
        await process.stdout.aclose()
        assert await process.wait() == Exit.BROKEN_PIPE
    assert not any(psutil.pid_exists(int(pid)) for pid in pids)


async def test_ctrl_c_twice_leaves_at_once(fleet: Stage) -> None:
    """The first one waits for a node that hangs."""
    async with at_a_terminal(fleet.folder, *RUN, "--stream", "--", "echo on; sleep 60") as terminal:
        for n in (1, 2, 3):
            await terminal.says(f"node{n}: on")
        stop(fleet, "node2")
        try:
            await terminal.types(CTRL_C)
            await terminal.says("Ctrl-C again leaves at once")
            await terminal.types(CTRL_C)
            assert await terminal.ends() == 130
        finally:
            go_on(fleet, "node2")
        assert "hosts in" not in terminal.said  # no summary: that would have waited
        assert "Traceback" not in terminal.said


async def test_a_node_without_a_policy_for_it_refuses_and_says_which_line_would_do(
    tmp_path: Path,
) -> None:
    async with a_stage(tmp_path, nodes=2) as stage:
        await set_up(stage)  # its default.policy lets the operator do everything
        await start_fleet(stage)
        mark = tmp_path / "ran"
        refused = await stage.run(*RUN, "--", f"touch {mark}", exits=7)
        assert "node1, node2 (2 nodes): denied" in refused.output
        assert "(shell.policy:1)" in refused.output
        line = re.search(r"^  (printf .*) >> \S+/shell.policy$", refused.output, re.MULTILINE)
        assert line is not None
        assert line[1] == f"printf '{POLICY.encode('unicode_escape').decode()}'"
        error = json.loads((await stage.run(*RUN, "-j", "--", "true", exits=7)).output)
        assert error["policy_line"] == POLICY.removesuffix("\n")
        assert not mark.exists()
