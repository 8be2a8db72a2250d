"""A command at a terminal: a real pty, real keys, a real controlling terminal for Ctrl-C."""

from __future__ import annotations

import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

SAYS_WITHIN_S = 40.0
CTRL_C = "\x03"


class Terminal:
    """One command at its terminal; ``said`` is all that it has shown."""

    def __init__(self, pid: int, master: int) -> None:
        self.pid = pid
        self.said = ""
        self._master = master
        self._code: int | None = None

    async def says(self, text: str) -> None:
        """Wait until ``text`` was shown."""
        with trio.move_on_after(SAYS_WITHIN_S) as scope:
            while text not in self.said:
                if not await self._read():
                    raise AssertionError(f"it ended without saying {text!r}:\n{self.said}")
        assert not scope.cancelled_caught, f"it does not say {text!r}:\n{self.said}"

    async def types(self, keys: str) -> None:
        await trio.to_thread.run_sync(os.write, self._master, keys.encode())

    def signalled(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def ends(self) -> int:
        """Its exit code; by a signal, as a shell says it."""
        with trio.fail_after(SAYS_WITHIN_S):
            while await self._read():
                pass
            status = (await trio.to_thread.run_sync(os.waitpid, self.pid, 0))[1]
        self._code = os.waitstatus_to_exitcode(status)
        return 128 - self._code if self._code < 0 else self._code

    async def _read(self) -> bool:
        await trio.lowlevel.wait_readable(self._master)
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: nobody holds the other end any more
            return False
        self.said += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)

    def close(self) -> None:
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        os.close(self._master)


@asynccontextmanager
async def at_a_terminal(folder: Path, *args: str) -> AsyncIterator[Terminal]:
    """Run ``choria-trio ARGS`` in ``folder``; killed when the block is left."""
    program = [sys.executable, "-m", "choria", *args]
    pid, master = pty.fork()
    if pid == 0:  # the child: nothing but exec, since other threads are not here
        os.chdir(folder)
        env = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
        os.execve(program[0], program, env)  # noqa: S606  # its arguments are the test's own
    terminal = Terminal(pid, master)
    try:
        yield terminal
    finally:
        terminal.close()
