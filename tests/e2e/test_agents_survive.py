"""Rows 29 and 30 of the matrix of faults, with real processes: a node that is killed during a long
action, and actions that hang, fork, flood and print into a closed standard output."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from choria.programs.demo import Stage
from choria.programs.demo_story import set_up, start_fleet
from tests.support.fleet import a_fleet, a_stage, ask, kill, log_says
from tests.support.hosting_node import external_ddl, put

pytestmark = pytest.mark.timeout(300)

ALLOW = "policy default deny\nallow\tchoria=operator\t*\t*\t*\n"
LONG = "echo begun; until [ -e {gate} ]; do sleep 0.1; done; echo done"


@asynccontextmanager
async def a_shell(folder: Path) -> AsyncIterator[Stage]:
    """A node whose policies let the operator run commands."""
    async with a_stage(folder, nodes=1) as stage:
        await set_up(stage)
        for agent in ("shell", "executor"):
            stage.write(f"policies/{agent}.policy", ALLOW)
        await start_fleet(stage)
        yield stage


async def reply(stage: Stage, *call: str, exits: int = 0) -> dict[str, Any]:
    """The one node's reply."""
    document = await ask(stage, "call", *call, exits=exits)
    (only,) = document["replies"]
    return dict(only)


async def data(stage: Stage, *call: str) -> dict[str, Any]:
    return dict((await reply(stage, *call))["data"])


async def killed_and_back(stage: Stage, dead: str, again: str) -> None:
    """kill -9, and start the node once more, with another log, by whose name it goes then."""
    await kill(stage, dead)
    await stage.start("node", "--config", "node1.toml", log=f"{again}.log")
    await log_says(stage, again, "serving ")


async def ended(stage: Stage, job: str) -> dict[str, Any]:
    """What the shell agent says of a job that has ended, bounded."""
    with trio.fail_after(60):
        while True:
            said = await data(stage, "shell", "output", f"id={job}")
            if not said["running"]:
                return said
            await trio.sleep(0.2)


async def test_a_job_survives_the_death_of_its_node_and_is_found_again(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with a_shell(tmp_path) as stage:
        command = f"command={LONG.format(gate=gate)}"
        job = (await data(stage, "shell", "start", command, "timeout=600"))["id"]
        await killed_and_back(stage, "node1", "again")
        status = await data(stage, "executor", "status", f"id={job}")
        assert (status["running"], status["caller"]) == (True, "choria=operator")
        assert list((await data(stage, "executor", "list", "running=true"))["jobs"]) == [job]
        said = await data(stage, "shell", "output", f"id={job}")
        assert (said["stdout"], said["running"]) == ("begun\n", True)
        gate.touch()
        said = await ended(stage, job)
        assert (said["stdout"], said["exitcode"]) == ("begun\ndone\n", 0)
        await killed_and_back(stage, "again", "once_more")
        status = await data(stage, "executor", "status", f"id={job}")
        assert (status["running"], status["exit_code"]) == (False, 0)


async def test_a_call_whose_node_dies_is_told_and_its_command_is_known_afterwards(
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"
    async with a_shell(tmp_path) as stage:
        documents = []

        async def run() -> None:
            command = f"command={LONG.format(gate=gate)}"
            args = ("shell", "run", command, "timeout=600", "--timeout", "15")
            documents.append(await ask(stage, "call", *args, exits=5))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            with trio.fail_after(60):
                while not list((tmp_path / "state/node1").glob("jobs/*/stdout")):  # noqa: ASYNC110
                    await trio.sleep(0.1)
            await killed_and_back(stage, "node1", "again")
        assert documents[0]["replies"] == []  # nobody claims what nobody said
        jobs = (await data(stage, "executor", "list", "agent=shell"))["jobs"]
        ((job, known),) = jobs.items()
        assert (known["running"], known["action"]) == (True, "run")
        gate.touch()
        assert (await ended(stage, job))["exitcode"] == 0


PROGRAM = """#!/bin/sh
case $CHORIA_EXTERNAL_PROTOCOL in
  *activation_request) echo '{"activate": true}' > $CHORIA_EXTERNAL_REPLY; exit 0 ;;
esac
sleep 1000 & echo $$ $! >> PIDS; BODY
"""
NATIVE = '''
from choria.agents import About, Agent, action

class Printer(Agent):
    """Prints."""

    about = About(version="1.0", timeout_s=20)

    @action(display="always")
    def run(self) -> dict[str, int]:
        """Print a lot."""
        for number in range(1000):
            print("line", number)
        print("the last one")
        return {"done": 1}
'''


@pytest.mark.parametrize(
    "body", ["wait", "yes", "yes >&2", "trap '' TERM INT; while :; do :; done"]
)
async def test_an_action_that_does_not_end_is_killed_with_its_children(
    body: str, tmp_path: Path
) -> None:
    folder, pids = tmp_path / "agents", tmp_path / "pids"
    async with a_fleet(tmp_path, nodes=1) as stage:
        folder.mkdir(mode=0o755, exist_ok=True)
        put(folder / "odd", PROGRAM.replace("PIDS", str(pids)).replace("BODY", body), 0o755)
        put(folder / "odd.json", external_ddl("odd", "external", 2))
        await log_says(stage, "node1", "agent odd 1.0 is hosted")
        said: list[dict[str, Any]] = []

        async def call() -> None:
            said.append(await reply(stage, "odd", "run", exits=4))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            assert (await reply(stage, "rpcutil", "ping"))["statuscode"] == 0
        assert said[0]["statuscode"] == 5
        assert "no result within the agent's 2 s" in said[0]["statusmsg"]
        with trio.fail_after(30):
            while any(map(alive, pids.read_text().split())):  # noqa: ASYNC110  # no children of ours
                await trio.sleep(0.05)
        assert (await reply(stage, "odd", "run", exits=4))[
            "statuscode"
        ] == 5  # a slot is free again
        assert (await reply(stage, "rpcutil", "ping"))["statuscode"] == 0


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_agents_print_although_standard_output_is_closed(tmp_path: Path) -> None:
    async with a_fleet(tmp_path, nodes=1) as stage:
        await kill(stage, "node1")
        folder = tmp_path / "agents"
        folder.mkdir(mode=0o755, exist_ok=True)
        put(folder / "printer.py", NATIVE)
        line = f"exec {sys.executable} -m choria node --config node1.toml >&- 2>closed.log"
        (tmp_path / "closed.log").touch()
        process = await trio.lowlevel.open_process(
            ["/bin/sh", "-c", line], cwd=tmp_path, stdin=subprocess.DEVNULL
        )
        try:
            await log_says(stage, "closed", "serving ")
            await log_says(stage, "closed", "agent printer 1.0 is hosted")
            assert await data(stage, "printer", "run") == {"done": 1}
            await log_says(stage, "closed", "agent printer printed: the last one")
            assert process.poll() is None
        finally:
            process.kill()
            await process.wait()
