"""Jobs as values: what was started for whom, and how it is."""

from __future__ import annotations

import enum
from typing import Any

import msgspec


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is run, and on whose word. Written once, as ``job.json``.

    Attributes:
        timeout_s: the process group is killed then; 0: never.
        request_id: of the request that started it, hexadecimal.
    """

    id: str
    argv: list[str]
    env: dict[str, str]
    cwd: str = "/"
    timeout_s: float = 0
    caller: str = ""
    agent: str = ""
    action: str = ""
    request_id: str = ""
    created_ms: int = 0


class Kept(msgspec.Struct, kw_only=True):
    """What the keeper wrote, ``state.json``. ``ended_ms`` 0: it has not ended."""

    pid: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    exit_code: int = 0
    reason: str = ""


class Phase(enum.StrEnum):
    """Where a job is. LOST: its keeper was killed, and nobody knows how the command ended."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job now."""

    spec: JobSpec
    kept: Kept
    phase: Phase
    stdout_bytes: int
    stderr_bytes: int

    @property
    def running(self) -> bool:
        """Whether it may still write output."""
        return self.phase in (Phase.STARTING, Phase.RUNNING)

    def outputs(self) -> dict[str, Any]:
        """With the names that Choria's executor agent uses."""
        return {
            "id": self.spec.id,
            "command": self.spec.argv[0],
            "args": self.spec.argv[1:],
            "agent": self.spec.agent,
            "action": self.spec.action,
            "caller": self.spec.caller,
            "requestid": self.spec.request_id,
            "pid": self.kept.pid,
            "running": self.running,
            "started": self.phase is not Phase.STARTING,
            "start_time": self.kept.started_ms // 1000,
            "terminate_time": self.kept.ended_ms // 1000,
            "exit_code": self.kept.exit_code,
            "exit_reason": "lost" if self.phase is Phase.LOST else self.kept.reason,
            "stdout_bytes": self.stdout_bytes,
            "stderr_bytes": self.stderr_bytes,
        }
