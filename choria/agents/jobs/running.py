"""Jobs from the event loop: start, wait, read, end."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any, Final

import trio

from choria.errors import AgentError, SpawnError
from choria.node import ActionContext
from choria.spawn import SYSTEM_PATH, clean_environment, run_program

from .model import Job, JobSpec, Phase
from .store import JobStore

_LOOK_EVERY_S: Final = 0.05
_LOOK_SELDOM_S: Final = 1.0
START_WITHIN_S: Final = 10.0
USER_PATH: Final = f"/usr/local/sbin:/usr/local/bin:{SYSTEM_PATH}"


def spec_for(
    context: ActionContext,
    job_id: str,
    what: tuple[str, str],
    argv: list[str],
    *,
    timeout_s: float = 0,
    env: Mapping[str, str] | None = None,
) -> JobSpec:
    """A job for the caller of ``context``; ``what`` is the agent and the action that start it."""
    return JobSpec(
        id=job_id,
        argv=argv,
        env={**clean_environment(USER_PATH), **(env or {})},
        timeout_s=timeout_s,
        caller=context.callerid,
        agent=what[0],
        action=what[1],
        request_id=context.request_id.hex(),
        created_ms=context.now_ms,
    )


async def start_job(store: JobStore, spec: JobSpec) -> Job:
    """Start the job; returns when its command runs, or has ended.

    Raises:
        AgentError: it could not be started.
    """
    program = await trio.to_thread.run_sync(store.prepare, spec)
    try:
        with trio.fail_after(START_WITHIN_S):
            finished = await run_program(program)
            if finished.returncode:
                raise AgentError(f"the job's keeper failed: {finished.stderr[-500:]}")
            while (job := await look(store, spec.id)).phase is Phase.STARTING:  # noqa: ASYNC110  # no child of ours
                await trio.sleep(_LOOK_EVERY_S)
    except SpawnError as wrong:
        raise AgentError(str(wrong)) from None
    except trio.TooSlowError:
        raise AgentError(f"the job did not start within {START_WITHIN_S:.0f} s") from None
    return job


async def look(store: JobStore, job_id: str) -> Job:
    """The job now."""
    return await trio.to_thread.run_sync(store.job, job_id)


async def wait_for(store: JobStore, job_id: str) -> Job:
    """The job when it has ended. Cancelling stops waiting, not the job.

    Looked at in growing intervals: a keeper is no child of the node, so nothing tells of its end.
    """
    pause = _LOOK_EVERY_S
    while (job := await look(store, job_id)).running:
        await trio.sleep(pause)
        pause = min(pause * 1.2, _LOOK_SELDOM_S)
    return job


async def end_job(store: JobStore, job_id: str, number: signal.Signals) -> bool:
    """Signal the job's process group; False when it does not run."""
    return await trio.to_thread.run_sync(store.signal, job_id, number)


async def read_output(store: JobStore, job_id: str, offsets: Mapping[str, int]) -> dict[str, Any]:
    """What each output holds from its offset on, as text, and the offsets after it."""
    found: dict[str, Any] = {}
    for name, offset in offsets.items():
        data = await trio.to_thread.run_sync(store.output, job_id, name, offset)
        whole = cut_characters(data)
        found[name] = whole.decode("utf-8", "replace")
        found[f"{name}_offset"] = offset + len(whole)
    return found


def cut_characters(data: bytes) -> bytes:
    """``data`` without the beginning of a UTF-8 character at its end, which the next piece completes."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:  # the last byte that begins a character
            length = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data if length <= back else data[:-back] or data
    return data
