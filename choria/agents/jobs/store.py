"""The jobs of a node: one folder each, with a keeper that outlives the node.

Everything here blocks on small files; callers run it in a thread. Nothing is remembered in memory, so
a node that restarts knows its jobs as before.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from choria.errors import AgentError
from choria.spawn import Program, kill_group

from .model import Job, JobSpec, Kept, Phase

MAX_RUNNING: Final = 64
MAX_KEPT: Final = 500
KEEP_MS: Final = 24 * 3600 * 1000
"""Ended jobs are forgotten after a day, or when there are more than ``MAX_KEPT``."""
MAX_READ_BYTES: Final = 64 * 1024
_ID: Final = re.compile(r"[0-9a-f]{32}")
_KEEPER: Final = Path(__file__).with_name("keeper.py")


class JobStore:
    """Jobs under ``folder``, which is ours alone. ``now_ms`` is the wall clock."""

    def __init__(self, folder: Path, now_ms: Callable[[], int]) -> None:
        self._folder = folder
        self._now_ms = now_ms

    def prepare(self, spec: JobSpec) -> Program:
        """Write the job down, and return the program that starts it and ends at once.

        Raises:
            AgentError: the id is none or taken, or too many jobs run.
        """
        self.prune()
        if sum(job.running for job in self.jobs()) >= MAX_RUNNING:
            raise AgentError(f"{MAX_RUNNING} jobs run on this node already")
        folder = self._path(spec.id)
        try:
            folder.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise AgentError(f"there is a job {spec.id} already") from None
        (folder / "job.json").write_bytes(msgspec.json.encode(spec))
        argv = (sys.executable, "-I", "-S", str(_KEEPER), str(folder))
        return Program(argv=argv, leave_children=True)

    def jobs(self) -> Iterator[Job]:
        """Every job that is known, the oldest first."""
        folders = self._folder.iterdir() if self._folder.is_dir() else ()
        read = (_read(folder) for folder in folders if _ID.fullmatch(folder.name))
        found = [job for job in read if job is not None]
        yield from sorted(found, key=lambda job: (job.spec.created_ms, job.spec.id))

    def job(self, job_id: str) -> Job:
        """One job. Raises AgentError when there is none."""
        found = _read(self._path(job_id))
        if found is None:
            raise AgentError(f"there is no job {job_id}", statuscode=3)
        return found

    def output(self, job_id: str, name: str, offset: int) -> bytes:
        """Up to ``MAX_READ_BYTES`` of ``stdout`` or ``stderr`` from ``offset``; empty at the end."""
        try:
            with (self._path(job_id) / name).open("rb") as file:
                file.seek(offset)
                return file.read(MAX_READ_BYTES)
        except FileNotFoundError:
            return b""

    def signal(self, job_id: str, number: signal.Signals) -> bool:
        """Signal the job's process group; False when it does not run."""
        job = self.job(job_id)
        if job.phase is not Phase.RUNNING:
            return False
        kill_group(job.kept.pid, number)
        return True

    def remove(self, job_id: str) -> None:
        """Forget an ended job."""
        shutil.rmtree(self._path(job_id), ignore_errors=True)

    def prune(self) -> None:
        """Forget jobs that ended long ago, and the oldest beyond ``MAX_KEPT``."""
        ended = [job for job in self.jobs() if not job.running]
        for place, job in enumerate(reversed(ended)):
            age_ms = self._now_ms() - (job.kept.ended_ms or job.spec.created_ms)
            if place >= MAX_KEPT or age_ms > KEEP_MS:
                self.remove(job.spec.id)

    def _path(self, job_id: str) -> Path:
        """The job's folder. An id comes from callers: it must not lead anywhere else."""
        if not _ID.fullmatch(job_id):
            raise AgentError(f"{job_id[:40]!r} is no id of a job", statuscode=4)
        return self._folder / job_id


def _read(folder: Path) -> Job | None:
    try:
        spec = msgspec.json.decode((folder / "job.json").read_bytes(), type=JobSpec)
        locked = _is_locked(folder)  # before the state: it may end in between, never begin
        kept = _kept(folder)
    except (OSError, msgspec.DecodeError):
        return None  # half made, or being removed
    return Job(
        spec=spec,
        kept=kept,
        phase=_phase(kept, locked=locked),
        stdout_bytes=_size(folder / "stdout"),
        stderr_bytes=_size(folder / "stderr"),
    )


def _kept(folder: Path) -> Kept:
    try:
        return msgspec.json.decode((folder / "state.json").read_bytes(), type=Kept)
    except FileNotFoundError:
        return Kept()


def _phase(kept: Kept, *, locked: bool) -> Phase:
    if kept.ended_ms:
        return Phase.ENDED
    if not locked:
        return Phase.LOST
    return Phase.RUNNING if kept.pid else Phase.STARTING


def _is_locked(folder: Path) -> bool:
    """Whether the keeper lives: it holds the lock until it dies, however it dies."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
