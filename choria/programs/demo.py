"""A fleet on this machine: real processes, real certificates, real answers.

Each step is a command that a user would have typed, run as a process of its own; what it printed is
shown and checked. Ctrl-C at any moment stops every process: they live in one nursery, and leaving it
terminates and then kills them within a time limit.
"""

from __future__ import annotations

import shlex
import socket
import subprocess  # the demo runs the commands it shows
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import attrs
import trio

from choria.errors import ChoriaError

COMMAND_WITHIN_S = 60.0
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 5.0
NETWORK = "demo"


@attrs.frozen(kw_only=True)
class Step:
    """One command that was run, what it printed (stdout, stderr), and whether that was expected."""

    command: str
    exit_code: int
    output: str
    expected: bool
    errors: str = ""
    why: str = ""


class DemoFailed(ChoriaError):  # noqa: N818  # a fact
    """A step did not do what it should; the text says which and why."""


@attrs.define(kw_only=True)
class Stage:
    """The demo's folder, its processes and what has been shown so far.

    Attributes:
        show: Gets each step as it is done.
        processes: What is kept running, by the name of its log without the suffix.
        lenient: A process that ends by itself is nobody's failure (``--keep``: the user kills them).
    """

    folder: Path
    nodes: int
    port: int
    show: Callable[[Step], None]
    nursery: trio.Nursery
    processes: dict[str, trio.Process] = attrs.field(factory=dict)
    lenient: bool = False

    async def run(self, *args: str, exits: int = 0, contains: Sequence[str] = ()) -> Step:
        """Run ``choria-trio ARGS`` to its end and check it.

        Raises:
            DemoFailed: Another exit code, or a text that is missing.
        """
        with trio.move_on_after(COMMAND_WITHIN_S):
            done = await trio.run_process(
                _argv(args), cwd=self.folder, capture_stdout=True, capture_stderr=True, check=False
            )
            step = Step(
                command=_typed(args),
                exit_code=done.returncode,
                output=done.stdout.decode(errors="replace"),
                errors=done.stderr.decode(errors="replace"),
                expected=True,
            )
            return self._judge(step, exits, contains)
        raise DemoFailed(f"{_typed(args)}: not done within {COMMAND_WITHIN_S:g} s")

    def _judge(self, step: Step, exits: int, contains: Sequence[str]) -> Step:
        printed = step.output + step.errors
        missing = [text for text in contains if text not in printed]
        if step.exit_code != exits:
            step = attrs.evolve(
                step, expected=False, why=f"exit code {step.exit_code} instead of {exits}"
            )
        elif missing:
            step = attrs.evolve(step, expected=False, why=f"{missing[0]!r} is not in the output")
        self.show(step)
        if not step.expected:
            raise DemoFailed(f"{step.command}: {step.why}: {printed.strip()[-2000:]}")
        return step

    async def start(self, *args: str, log: str) -> None:
        """Start ``choria-trio ARGS`` and keep it running until the demo ends; it logs to ``log``."""
        await self.nursery.start(partial(self._keep, args, self.folder / log))
        self.show(Step(command=f"{_typed(args)} &", exit_code=0, output="", expected=True))

    async def _keep(
        self, args: Sequence[str], log: Path, *, task_status: trio.TaskStatus[None]
    ) -> None:
        with log.open("wb") as sink:
            process = await trio.lowlevel.open_process(
                _argv(args), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )
            self.processes[log.stem] = process
            try:
                task_status.started()
                await process.wait()
            finally:
                await _stop(process)
        if not self.lenient:
            raise DemoFailed(
                f"{_typed(args)} ended by itself with {process.returncode}: {_tail(log)}"
            )

    def write(self, name: str, text: str) -> None:
        """Write a file of the demo."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


async def _stop(process: trio.Process) -> None:
    """SIGTERM, then SIGKILL: bounded, and shielded so that a cancelled demo leaves nothing behind."""
    if process.returncode is not None:
        return
    process.terminate()
    with trio.move_on_after(STOP_WITHIN_S, shield=True):
        await process.wait()
    if process.returncode is None:
        process.kill()
        with trio.move_on_after(STOP_WITHIN_S, shield=True):
            await process.wait()


def _argv(args: Sequence[str]) -> list[str]:
    """The command as this very interpreter runs it, so that nothing depends on PATH."""
    return [sys.executable, "-m", "choria", *args]


def _typed(args: Sequence[str]) -> str:
    return f"choria-trio {shlex.join(args)}"


def _tail(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-3:])


def free_port() -> int:
    """A loopback port that nobody listens on now. The broker says so clearly if it is taken since."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
