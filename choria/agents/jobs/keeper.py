"""Keeps one job: starts its command, waits for it, writes down how it ended.

A program of its own, standard library only, so that a job outlives a restart of the node that
began it: it leaves the node's session, and holds a lock on the job's folder as long as it lives, by which
anybody can tell a job that runs from one whose keeper was killed.

    python -I -S keeper.py FOLDER

FOLDER holds ``job.json``; ``stdout``, ``stderr`` and ``state.json`` are written there.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MAX_OUTPUT_BYTES = 256 << 20
"""Of each file that the command writes through us; the kernel ends one that goes beyond."""


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Replace ``state.json`` in one step, so that nobody reads half of it."""
    fresh = folder / "state.json.new"
    fresh.write_text(json.dumps(state))
    fresh.replace(folder / "state.json")


def start(folder: Path, job: dict[str, Any]) -> subprocess.Popen[bytes]:
    """The command, in a session of its own, with nothing of ours but its two files."""
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        return subprocess.Popen(  # noqa: S603  # what a job is
            job["argv"],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=job["env"],
            cwd=job["cwd"],
            start_new_session=True,
        )


def wait(process: subprocess.Popen[bytes], timeout_s: float) -> str:
    """Wait for the end; kill the process group at the end of its time. Returns why it ended."""
    try:
        process.wait(timeout_s or None)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return "timeout"
    return "signal" if process.returncode < 0 else "exit"


def keep(folder: Path) -> None:
    """Run the job of ``folder`` to its end."""
    job = json.loads((folder / "job.json").read_text())
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES))
    state: dict[str, Any] = {"started_ms": now_ms(), "pid": 0}
    try:
        process = start(folder, job)
    except OSError as wrong:
        write_state(folder, state | {"ended_ms": now_ms(), "reason": str(wrong), "exit_code": 127})
        return
    state["pid"] = process.pid
    write_state(folder, state)
    reason = wait(process, job["timeout_s"])
    write_state(
        folder,
        state | {"ended_ms": now_ms(), "reason": reason, "exit_code": process.returncode},
    )


def now_ms() -> int:
    """Wall clock in milliseconds."""
    return time.time_ns() // 1_000_000


def main() -> None:
    """Leave whoever started us, take the lock, and keep the job."""
    folder = Path(sys.argv[1])
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # before the fork: the child has it when the parent returns
    if os.fork():
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    keep(folder)


if __name__ == "__main__":
    main()
