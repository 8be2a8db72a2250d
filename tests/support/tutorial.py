"""Does what a document says: writes its files, types its commands, compares what they print.

In a document a fence after ``<!-- file: NAME -->`` is a file. In a ``console`` fence each line after ``$`` is a
command, and the lines below it must stand in its output, in this order; ``# exits N`` tells a code
that is not 0. What runs until it is told to stop is a broker or a node: it is started and waited for.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

COMMAND_WITHIN_S = 120
READY_WITHIN_S = 60.0
_PART = re.compile(
    r"(?:^<!-- file: (?P<file>[\w./-]+) -->\n```\w+\n(?P<text>.*?)^```)|(?:^```console\n(?P<console>.*?)^```)",
    re.MULTILINE | re.DOTALL,
)
_EXITS = re.compile(r"\s+# exits (\d+)$")


@attrs.frozen
class File:
    name: str
    text: str


@attrs.frozen
class Command:
    line: str
    exits: int
    prints: tuple[str, ...]

    @property
    def lasts(self) -> bool:
        return self.line.startswith(("choria-trio broker ", "choria-trio node "))


def parts_of(document: str) -> Iterator[File | Command]:
    """Files and commands in the order of the document."""
    for match in _PART.finditer(document):
        if match["file"]:
            yield File(match["file"], match["text"])
        else:
            yield from _commands(match["console"])


def _commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, *prints = part.splitlines()
        exits = _EXITS.search(line)
        yield Command(_EXITS.sub("", line), int(exits[1]) if exits else 0, tuple(prints))


@attrs.define
class Reader:
    """Somebody who types a document, in ``folder``, at home there too."""

    folder: Path
    port: int
    started: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    def follow(self, document: str) -> int:
        """Do all of it; how many commands were typed."""
        typed = 0
        for part in parts_of(document):
            if isinstance(part, File):
                self._write(part)
            else:
                typed += 1
                self._start(part) if part.lasts else self._run(part)
        return typed

    def _write(self, file: File) -> None:
        path = self.folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text.replace("127.0.0.1:7422", f"127.0.0.1:{self.port}"))
        path.chmod(0o755 if file.text.startswith("#!") else 0o644)

    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8", "TZ": "UTC"}

    def _run(self, command: Command) -> None:
        done = subprocess.run(  # noqa: S602  # as it would be typed
            command.line, shell=True, cwd=self.folder, env=self._environment(),
            capture_output=True, text=True, timeout=COMMAND_WITHIN_S, check=False,
        )  # fmt: skip
        printed = done.stdout + done.stderr
        assert done.returncode == command.exits, f"{command.line}: {done.returncode}: {printed}"
        at = 0
        for expected in command.prints:
            found = printed.find(expected, at)
            assert found >= 0, f"{command.line}: {expected!r} is not in {printed!r}"
            at = found + len(expected)

    def _start(self, command: Command) -> None:
        """A broker is ready when it listens, a node when it takes requests; each says so in its log."""
        log = self.folder / f"terminal{len(self.started)}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                shlex.split(command.line), cwd=self.folder, env=self._environment(), stdout=sink,
                stderr=sink, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.started.append(process)
        ready = "listens on" if " broker " in command.line else "serving "
        deadline = time.monotonic() + READY_WITHIN_S
        while ready not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"{command.line}: {log.read_text()}"
            time.sleep(0.05)

    def stop(self) -> None:
        for process in self.started:
            process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@contextmanager
def a_reader(folder: Path, port: int) -> Iterator[Reader]:
    """Everything that was started is stopped when the block is left."""
    reader = Reader(folder, port)
    try:
        yield reader
    finally:
        reader.stop()
