"""Programs under test as processes: started with an environment that says what is wanted of them."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, STDOUT
from typing import Final

import trio

from .verdicts import Failed, Skipped

UNSUPPORTED: Final = 127
_STARTED_WITHIN_S: Final = 60.0
_STOPPED_WITHIN_S: Final = 5.0


def free_port() -> int:
    """A TCP port of the loopback interface that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@asynccontextmanager
async def program(
    command: tuple[str, ...], environment: Mapping[str, str], log: Path
) -> AsyncIterator[trio.Process]:
    """A process that is stopped when the block is left: SIGTERM, and SIGKILL to those who ignore it."""
    if not command:
        raise Skipped("no --command starts the program under test")
    # No nursery: one program serves many cases, and is started by the first that needs it.
    with log.open("ab") as output:
        process = await trio.lowlevel.open_process(
            list(command), env={**os.environ, **environment}, stdin=DEVNULL,
            stdout=output.fileno(), stderr=STDOUT,
        )  # fmt: skip
    try:
        yield process
    finally:
        with trio.CancelScope(shield=True):
            await stop(process)


async def stop(process: trio.Process) -> None:
    """End it, kindly first."""
    if process.poll() is None:
        process.terminate()
        with trio.move_on_after(_STOPPED_WITHIN_S):
            await process.wait()
    if process.poll() is None:
        process.kill()
        await process.wait()


async def wait_listening(address: tuple[str, int], process: trio.Process) -> None:
    """Wait until the port is open. Raises Failed when the program ends before, or takes too long."""
    with trio.move_on_after(_STARTED_WITHIN_S):
        while process.poll() is None:
            try:
                stream = await trio.open_tcp_stream(*address)
            except OSError:
                await trio.sleep(0.05)
            else:
                await stream.aclose()
                return
        if process.returncode == UNSUPPORTED:
            raise Skipped("the program says that it does not support this")
        raise Failed(f"the program ended with {process.returncode} before it listened")
    raise Failed("the program did not listen in time")
