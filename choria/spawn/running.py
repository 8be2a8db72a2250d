"""Starting, reading, and ending programs.

Each program leads a session of its own, and with it a process group: what it starts is killed with
it, whether it ends, fails or is cancelled (`Program.leave_children` excepted). What leaves the group
with ``setsid`` is out of reach, as it is for a shell.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import IO, Final, TypeAlias

import trio

from choria.errors import SpawnError

from .program import Finished, Program, clean_environment

MAX_OUTPUT_BYTES: Final = 64 * 1024
DRAIN_S: Final = 0.5
"""How long pipes are read after the program has ended: a child of it may hold them for ever."""
_REAP_WITHIN_S: Final = 5.0

Sink: TypeAlias = Callable[[str, bytes], Awaitable[None]]
"""Gets each piece of output with the name of its pipe, ``stdout`` or ``stderr``."""


@contextlib.asynccontextmanager
async def open_program(program: Program) -> AsyncIterator[trio.Process]:
    """The program, running, with three pipes. Leaving the block ends it and its process group.

    Raises:
        SpawnError: it is not there, or cannot be run.
    """
    process = await _start(program)
    try:
        yield process
    finally:
        await _end(program, process)


async def run_program(
    program: Program, *, max_output_bytes: int = MAX_OUTPUT_BYTES, sink: Sink | None = None
) -> Finished:
    """Run ``program`` to its end. Cancelling kills it and everything in its process group.

    Args:
        program: what to run.
        max_output_bytes: of each pipe; more ends the program.
        sink: gets the output as it comes, in place of `Finished`; then nothing is kept here.

    Raises:
        SpawnError: it cannot be started, or writes more than ``max_output_bytes``.
    """
    kept = _Kept(max_output_bytes)
    async with open_program(program) as process, trio.open_nursery() as nursery:
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            nursery.start_soon(_read, name, pipe, sink or kept.take)
        nursery.start_soon(_feed, process.stdin, program.stdin)
        with kept.scope:
            await process.wait()
        nursery.cancel_scope.deadline = trio.current_time() + (DRAIN_S if not kept.full else 0)
    if kept.full:
        raise SpawnError(f"{program.name} wrote more than {max_output_bytes} bytes")
    return Finished(process.returncode or 0, kept.text("stdout"), kept.text("stderr"))


async def run_detached(
    program: Program,
    *,
    limiter: trio.CapacityLimiter,
    max_output_bytes: int = MAX_OUTPUT_BYTES,
) -> Finished:
    """Run ``program`` to its end, and let it go on when whoever waits for it is cancelled.

    For what must not be stopped halfway, such as a package manager: it writes to files, so that
    it does not even notice. The last ``max_output_bytes`` of each are given.

    Args:
        program: what to run.
        limiter: how many may run at the same time; one that was left running keeps its place.
        max_output_bytes: of each of its two outputs.

    Raises:
        SpawnError: it cannot be started.
    """
    # In a thread that is left behind, so that somebody waits for the process and reaps it.
    return await trio.to_thread.run_sync(
        _run_blocking, program, max_output_bytes, limiter=limiter, abandon_on_cancel=True
    )


def _run_blocking(program: Program, limit: int) -> Finished:
    argv = _argv(program)
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        try:
            returncode = subprocess.run(  # noqa: S603  # argv is the caller's own, and no shell reads it
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**clean_environment(program.path), **program.env},
                cwd=program.cwd,
                start_new_session=True,
                check=False,
            ).returncode
        except (OSError, ValueError) as wrong:
            raise _cannot(program, wrong) from None
        return Finished(returncode, _end_of(stdout, limit), _end_of(stderr, limit))


def _end_of(file: IO[bytes], limit: int) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - limit))
    return file.read().decode("utf-8", "replace")


class _Kept:
    """What came through the pipes, up to a limit for each."""

    def __init__(self, limit: int) -> None:
        self._data: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._limit = limit
        self.full = False
        self.scope = trio.CancelScope()

    def text(self, name: str) -> str:
        """Bytes that are no UTF-8 are replaced."""
        return self._data[name].decode("utf-8", "replace")

    async def take(self, name: str, chunk: bytes) -> None:
        """Keep ``chunk``; over the limit, stop waiting for the program."""
        data = self._data[name]
        data += chunk[: self._limit - len(data) + 1]
        if len(data) > self._limit:
            self.full = True
            self.scope.cancel()
        await trio.lowlevel.checkpoint()


def _argv(program: Program) -> list[str]:
    found = shutil.which(program.argv[0], path=program.path)
    if found is None:
        raise SpawnError(f"{program.argv[0]} is not on this machine")
    return [found, *program.argv[1:]]


def _cannot(program: Program, wrong: OSError | ValueError) -> SpawnError:
    said = (
        wrong.strerror if isinstance(wrong, OSError) else wrong
    )  # ValueError: a NUL in an argument
    return SpawnError(f"{program.name} cannot be run: {said}")


async def _start(program: Program) -> trio.Process:
    argv = _argv(program)
    try:
        return await trio.lowlevel.open_process(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if program.inherit_stderr else subprocess.PIPE,
            env={**clean_environment(program.path), **program.env},
            cwd=program.cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as wrong:
        raise _cannot(program, wrong) from None


async def _end(program: Program, process: trio.Process) -> None:
    if process.returncode is None or not program.leave_children:
        kill_group(process.pid)
    with trio.move_on_after(_REAP_WITHIN_S, shield=True):
        await process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            await trio.aclose_forcefully(pipe)


def kill_group(leader: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Signal a process group; nothing when it has gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


async def _read(name: str, pipe: trio.abc.ReceiveStream | None, sink: Sink) -> None:
    if pipe is not None:
        async for chunk in pipe:
            await sink(name, bytes(chunk))


async def _feed(pipe: trio.abc.SendStream | None, data: bytes) -> None:
    """Write all of it and close; a program need not read what it is given."""
    if pipe is None:
        return
    with contextlib.suppress(trio.BrokenResourceError):
        async with pipe:
            await pipe.send_all(data)
