"""Two machines on one: each has a HOME of its own, and everything is a process that a user would run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

WITHIN_S = 60.0


@attrs.frozen
class Machine:
    """One HOME. Processes are started under a nursery and ended with it."""

    home: Path
    nursery: trio.Nursery

    @property
    def config(self) -> Path:
        return self.home / ".config" / "choria-trio"

    @property
    def env(self) -> dict[str, str]:
        """XDG's variables too: as root the defaults would be folders of this very machine."""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        xdg = {"XDG_CONFIG_HOME": f"{self.home}/.config", "XDG_DATA_HOME": f"{self.home}/.local"}
        return kept | xdg | {"HOME": str(self.home)}

    async def run(self, *words: str, stdin: str = "", exits: int = 0) -> tuple[str, str]:
        """Run ``choria-trio WORDS`` to its end; what it printed, and what to stderr."""
        with trio.fail_after(WITHIN_S):
            done = await trio.run_process(
                [sys.executable, "-m", "choria", *words],
                stdin=stdin.encode(),
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env=self.env,
                cwd=self.home,
            )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == exits, (words, done.returncode, out, err)
        assert "Traceback" not in err
        return out, err

    async def start(self, *words: str, log: str, stdin: str = "") -> trio.Process:
        """Start ``choria-trio WORDS``; it logs to ``log`` in the HOME."""
        path = self.home / log
        with path.open("wb") as sink:
            process = await trio.lowlevel.open_process(
                [sys.executable, "-m", "choria", *words],
                stdin=subprocess.PIPE, stdout=sink, stderr=sink, env=self.env, cwd=self.home,
            )  # fmt: skip
        self.nursery.start_soon(_until_cancelled, process)
        assert process.stdin is not None
        await process.stdin.send_all(stdin.encode())
        await process.stdin.aclose()
        return process

    async def log_says(self, log: str, text: str) -> None:
        """Wait until a log holds ``text``: other processes offer no event."""
        path = self.home / log
        with trio.fail_after(WITHIN_S):
            while text not in path.read_text(errors="replace"):  # noqa: ASYNC110
                await trio.sleep(0.05)


async def _until_cancelled(process: trio.Process) -> None:
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@asynccontextmanager
async def machines(folder: Path, count: int = 2) -> AsyncIterator[Sequence[Machine]]:
    async with trio.open_nursery() as nursery:
        homes = [folder / f"machine{number + 1}" for number in range(count)]
        for home in homes:
            home.mkdir()
        yield [Machine(home, nursery) for home in homes]
        nursery.cancel_scope.cancel()


def typed_after(line: str, program: str = "choria-trio") -> tuple[list[str], str]:
    """What a line feeds to ``program`` after its installation: its words, and its standard input."""
    words = shlex.split(line)
    pipe = words.index("|")
    assert words[pipe - 2] == "echo"
    assert words[pipe + 1].endswith(f"/bin/{program}")
    return words[pipe + 2 :], words[pipe - 1] + "\n"
