"""Runs a program for an agent: no shell, bounded output, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from choria.errors import AgentError

MAX_OUTPUT_BYTES: Final = 64 * 1024
_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


async def run_command(argv: Sequence[str], *, max_output_bytes: int = MAX_OUTPUT_BYTES) -> Finished:
    """Run ``argv`` to its end. ``argv[0]`` is looked up in the system's directories only.

    Cancelling kills the program and everything it started in its session.

    Raises:
        AgentError: it cannot be started, or writes more than ``max_output_bytes``.
    """
    program = shutil.which(argv[0], path=_PATH)
    if program is None:
        raise AgentError(f"{argv[0]} is not on this machine")
    outputs = Outputs(max_output_bytes)
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(partial(_run, [program, *argv[1:]]))
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            nursery.start_soon(outputs.read, name, pipe, nursery.cancel_scope)
    if outputs.overflowed:
        raise AgentError(f"{argv[0]} wrote more than {max_output_bytes} bytes")
    return Finished(process.returncode or 0, outputs.text("stdout"), outputs.text("stderr"))


class Outputs:
    """What a program wrote, up to a limit for each of its two pipes."""

    __slots__ = ("_data", "_limit", "overflowed")

    def __init__(self, limit: int) -> None:
        self._data: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._limit = limit
        self.overflowed = False

    def text(self, name: str) -> str:
        """What came through the pipe; bytes that are no UTF-8 are replaced."""
        return self._data[name].decode("utf-8", "replace")

    async def read(
        self, name: str, pipe: trio.abc.ReceiveStream | None, program: trio.CancelScope
    ) -> None:
        """Read ``pipe`` to its end; over the limit, end the program by cancelling it."""
        if pipe is None:
            return
        data = self._data[name]
        while chunk := await pipe.receive_some():
            data += chunk
            if len(data) > self._limit:
                self.overflowed = True
                program.cancel()


async def _run(
    argv: Sequence[str],
    task_status: trio.TaskStatus[trio.Process],
) -> None:
    try:
        await trio.run_process(
            list(argv),
            stdin=b"",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
            env=_environment(),
            cwd="/",
            start_new_session=True,
            deliver_cancel=_kill_session,
            task_status=task_status,
        )
    except OSError as wrong:
        raise AgentError(f"{argv[0]} cannot be run: {wrong.strerror}") from None


def _environment() -> Mapping[str, str]:
    # LANG=C: the parsers read English. Nothing of the node's own environment is handed on.
    return {"PATH": _PATH, "LANG": "C", "LC_ALL": "C", "HOME": "/"}


async def _kill_session(process: trio.Process) -> None:
    """Kill the whole process group: a shell script's children must not outlive the request."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
