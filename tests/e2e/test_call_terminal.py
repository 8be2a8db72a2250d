"""``call`` on emulated nodes over TLS and on a real terminal: calm, exact, and the stopped are named.

A thousand of them are in tests/scenario, under a virtual clock.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from choria.programs.demo import Stage
from tests.support.fleet import a_stage, log_says, stop

pytestmark = pytest.mark.timeout(240)
NODES, STOPPED = 110, 10
ALL = NODES + STOPPED
LONG_S = 90
"""A time-out that nobody wants to wait for: whoever ends earlier ended for another reason."""


@asynccontextmanager
async def an_emulated_fleet(folder: Path) -> AsyncIterator[Stage]:
    """A broker and two emulators; the second one's nodes are ``still-...``."""
    async with a_stage(folder) as stage:
        await stage.run("ca", "init", "ca", "--network", "demo")
        issue = ("ca", "issue", "--ca", "ca", "--out", "credentials")
        await stage.run(*issue, "broker", "broker1", "--host", "127.0.0.1")
        await stage.run(*issue, "client", "operator")
        address = f"127.0.0.1:{stage.port}"
        stage.write("broker.toml", f'credentials = "credentials/broker1"\nlisten = ["{address}"]\n')
        client = f'credentials = "credentials/operator"\nbrokers = ["{address}"]\ndiscovery_timeout_s = 15\n'
        stage.write("client.toml", client)
        await stage.start("broker", "--config", "broker.toml", log="broker.log")
        emulate = ("emulate", "--ca", "ca", "--broker", address, "--nodes")
        await stage.start(*emulate, str(NODES), log="many.log")
        await stage.start(*emulate, str(STOPPED), "--prefix", "still", log="still.log")
        await log_says(stage, "still", "are connected", within_s=60)
        await log_says(stage, "many", "are connected", within_s=100)
        yield stage


@attrs.define
class Seen:
    """What a call wrote, and when; seconds since its start."""

    lines: list[tuple[float, str]] = attrs.field(factory=list)
    refreshes: list[float] = attrs.field(factory=list)
    stderr: bytes = b""
    code: int | None = None
    ended_s: float = 0.0


async def watch(stage: Stage, *args: str) -> Seen:
    """Run a command whose stderr is a terminal and whose stdout is a pipe."""
    seen, began = Seen(), trio.current_time()
    master, slave = os.openpty()
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "choria", *args], cwd=stage.folder, stdin=-3, stdout=-1, stderr=slave,
        env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(slave)

    async def read_terminal() -> None:
        stream = trio.lowlevel.FdStream(master)
        while True:
            try:
                data = await stream.receive_some()
            except (trio.BrokenResourceError, OSError):  # a terminal that nobody holds any more
                return
            seen.refreshes += [trio.current_time() - began] * data.count(b"\r\x1b[K")
            seen.stderr += data

    async def read_lines() -> None:
        assert process.stdout is not None
        rest = b""
        async for data in process.stdout:
            *whole, rest = (rest + data).split(b"\n")
            seen.lines += [(trio.current_time() - began, line.decode()) for line in whole]

    with trio.fail_after(150):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_terminal)
            nursery.start_soon(read_lines)
            seen.code = await process.wait()
    seen.ended_s = trio.current_time() - began
    return seen


async def test_emulated_nodes_on_a_terminal(tmp_path: Path) -> None:
    async with an_emulated_fleet(tmp_path) as stage:
        call = ("call", "rpcutil", "ping", "--config", "client.toml", "--timeout", str(LONG_S))
        seen = await watch(stage, *call, "--jsonl")
        assert seen.code == 0, seen.stderr[-2000:]
        documents = [(at, json.loads(line)) for at, line in seen.lines]
        results = [at for at, each in documents if each["kind"] == "result"]
        stats = documents[-1][1]
        assert (len(results), stats["responses"], stats["silent"]) == (ALL, ALL, [])
        assert seen.ended_s < LONG_S  # it ended with the last reply
        assert results[0] < results[-1]  # they came while it ran, not at the end
        assert f"/ {ALL}".encode() in seen.stderr
        # At most ten a second: the first, one each 0.1 s, and taking the line away at the end.
        assert len(seen.refreshes) <= 10 * seen.ended_s + 3

        everybody = await stage.run(*call, "--json")
        (tmp_path / "all.json").write_text(everybody.output)
        stop(stage, "still")
        short = (*call[:-1], "5")
        with (tmp_path / "all.json").open() as before:
            done = await trio.run_process(
                [sys.executable, "-m", "choria", *short, "--json"],
                cwd=stage.folder, stdin=before, capture_stdout=True, capture_stderr=True, check=False,
            )  # fmt: skip
        document = json.loads(done.stdout)
        assert done.returncode == 5
        names = [f"still-{number:02}" for number in range(1, STOPPED + 1)]
        assert document["request_stats"]["silent"] == names
        assert len(document["replies"]) == NODES
        text = await stage.run(*short, "--display", "none", exits=5)
        assert f"Silent ({STOPPED}): {', '.join(names)}" in text.output
