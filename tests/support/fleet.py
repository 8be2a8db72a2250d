"""A fleet of real processes, with the demo's own stage: what a user would type, bounded and stopped."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from choria.programs.demo import Stage, Step, free_port
from choria.programs.demo_story import set_up, start_fleet

EVENT_WITHIN_S = 30.0


def _unseen(step: Step) -> None:
    del step


@asynccontextmanager
async def a_stage(folder: Path, nodes: int = 3) -> AsyncIterator[Stage]:
    """A folder and a nursery for processes; everything is stopped when the block is left."""
    async with trio.open_nursery() as nursery:
        yield Stage(
            folder=folder,
            nodes=nodes,
            port=free_port(),
            show=_unseen,
            nursery=nursery,
            lenient=True,
        )
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_fleet(folder: Path, nodes: int = 3) -> AsyncIterator[Stage]:
    """One broker and ``nodes`` nodes, connected."""
    async with a_stage(folder, nodes) as stage:
        await set_up(stage)
        await start_fleet(stage)
        yield stage


async def ask(stage: Stage, *args: str, exits: int = 0) -> dict[str, Any]:
    """Run a command with ``--json`` as the operator; its document."""
    step = await stage.run(*args, "--json", "--config", "client.toml", exits=exits)
    document = json.loads(step.output)
    assert isinstance(document, dict)
    return document


async def kill(stage: Stage, name: str) -> None:
    """kill -9, and wait until it is dead."""
    process = stage.processes[name]
    process.kill()
    await process.wait()


def stop(stage: Stage, name: str) -> None:
    stage.processes[name].send_signal(signal.SIGSTOP)


def go_on(stage: Stage, name: str) -> None:
    stage.processes[name].send_signal(signal.SIGCONT)


async def log_says(
    stage: Stage, name: str, text: str, times: int = 1, within_s: float = EVENT_WITHIN_S
) -> None:
    """Wait until a process's log holds ``text`` so often: other processes offer no event."""
    log = stage.folder / f"{name}.log"
    with trio.fail_after(within_s):
        while log.read_text(errors="replace").count(text) < times:  # noqa: ASYNC110
            await trio.sleep(0.05)
