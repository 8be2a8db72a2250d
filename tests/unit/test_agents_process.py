"""The process agent against processes of this test, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

from choria.agents import process_agent
from choria.ddl import check_inputs
from choria.errors import AgentError
from tests.support.agent_context import a_context

AGENT = process_agent()
MARK = "choria-process-agent-test"


async def run(action: str, **inputs: Any) -> dict[str, Any]:
    checked = check_inputs(AGENT.ddl.actions[action], inputs)
    return await AGENT.actions[action](checked, a_context())


@asynccontextmanager
async def sleeper() -> AsyncIterator[trio.Process]:
    """A process that does nothing, marked in its command line, ended with the block."""
    code = f"import sys; print('up', flush=True); sys.stdin.read()  # {MARK}"
    async with trio.open_nursery() as nursery:
        start = partial(
            trio.run_process,
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            check=False,
        )
        process: trio.Process = await nursery.start(start)
        assert process.stdout is not None
        await process.stdout.receive_some()
        yield process
        nursery.cancel_scope.cancel()


async def test_a_process_is_found_by_its_command() -> None:
    async with sleeper() as process:
        found = await run("list", pattern=MARK, limit=5)
        (one,) = found["processes"]
        assert one["pid"] == process.pid
        assert one["parent"] == os.getpid()
        assert one["rss_bytes"] > 0
        assert (found["count"], found["rss_bytes"]) == (1, one["rss_bytes"])
        assert (await run("list", pattern=MARK, user="nobody-of-this-name"))["count"] == 0
        assert (await run("list", pattern=MARK, state="zombie"))["count"] == 0


async def test_the_list_is_bounded_and_the_count_is_not() -> None:
    async with sleeper():
        found = await run("list", limit=1)
        assert len(found["processes"]) == 1
        assert found["count"] > 1
    for limit in (0, -1, 1001):
        with pytest.raises(AgentError, match="1 to 1000"):
            await run("list", limit=limit)


async def test_a_signal_goes_to_the_named_process_only() -> None:
    async with sleeper() as process:
        name = (await run("list", pattern=MARK))["processes"][0]["name"]
        with pytest.raises(AgentError, match=f"is {name}, not other"):
            await run("signal", pid=process.pid, signal="TERM", name="other")
        assert process.returncode is None
        told = await run("signal", pid=process.pid, signal="TERM", name=name)
        assert told == {"pid": process.pid, "name": name, "running": False}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"pid": 1, "signal": "TERM", "name": "init"}, "init or this node"),
        ({"pid": 0, "signal": "TERM", "name": "x"}, "init or this node"),
        ({"pid": -1, "signal": "KILL", "name": "x"}, "init or this node"),
        ({"pid": os.getpid(), "signal": "KILL", "name": "x"}, "init or this node"),
        ({"pid": 2**22 + 1, "signal": "TERM", "name": "x"}, "there is no process"),
    ],
)
async def test_whom_no_signal_reaches(inputs: dict[str, Any], said: str) -> None:
    with pytest.raises(AgentError, match=said):
        await run("signal", **inputs)


async def test_a_pattern_that_is_none() -> None:
    with pytest.raises(AgentError, match="no regular expression") as caught:
        await run("list", pattern="(")
    assert caught.value.statuscode == 4
