"""The shell agent: command lines of the operator's, run by ``/bin/sh`` as the node's user.

Refused unless a ``shell.policy`` allows it (`choria.node.BUILTIN_POLICIES`). Each command is a job
(`choria.agents.jobs`), so its output can be read while it runs, and it is still known when the node was
restarted. A job is its caller's alone.
"""

from __future__ import annotations

import signal
from typing import Any, Final

import trio

from choria.errors import AgentError
from choria.node import Action, ActionContext

from .jobs import Job, JobStore, end_job, look, read_output, spec_for, start_job, wait_for
from .library import ShippedAgent, own_ddl

MAX_TIMEOUT_S: Final = 86_400
_SHELL: Final = "/bin/sh"
_END_WITHIN_S: Final = 5.0
_START: Final = {"stdout": 0, "stderr": 0}


def shell_agent(store: JobStore) -> ShippedAgent:
    """The agent, keeping its jobs in ``store``."""
    shell = _Shell(store)
    actions: dict[str, Action] = {
        "run": shell.run, "start": shell.start, "output": shell.output, "kill": shell.kill,
        "list": shell.list,
    }  # fmt: skip
    return ShippedAgent(own_ddl("shell"), actions)


class _Shell:
    def __init__(self, store: JobStore) -> None:
        self._store = store

    async def run(self, inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        """Run to the end. Cancelled, as by the agent's timeout, the command is killed."""
        job = await self._begin("run", inputs, context)
        job_id = job.spec.id
        try:
            job = await wait_for(self._store, job_id)
            said = await read_output(self._store, job_id, _START)
        except trio.Cancelled:
            with trio.move_on_after(_END_WITHIN_S, shield=True):
                await end_job(self._store, job_id, signal.SIGKILL)
            raise
        await trio.to_thread.run_sync(self._store.remove, job_id)
        cut = job.stdout_bytes > said["stdout_offset"] or job.stderr_bytes > said["stderr_offset"]
        return _end(job) | {"stdout": said["stdout"], "stderr": said["stderr"], "truncated": cut}

    async def start(self, inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        """Start, and return the job's id at once."""
        job = await self._begin("start", inputs, context)
        return {"id": job.spec.id, "pid": job.kept.pid}

    async def output(self, inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        """What the job wrote since the offsets. Its end is told with the last of it, never before."""
        job = await self._own(inputs["id"], context)
        offsets = {name: inputs[f"{name}_offset"] for name in _START}
        if min(offsets.values()) < 0:
            raise AgentError("an offset is not negative", statuscode=4)
        said = await read_output(self._store, job.spec.id, offsets)
        rest = job.stdout_bytes > said["stdout_offset"] or job.stderr_bytes > said["stderr_offset"]
        return said | _end(job) | {"running": job.running or rest}

    async def kill(self, inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        """Signal the job's whole process group."""
        job = await self._own(inputs["id"], context)
        number = signal.Signals[f"SIG{inputs['signal']}"]
        return {"signalled": await end_job(self._store, job.spec.id, number)}

    async def list(self, _inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        """The caller's own jobs."""
        jobs = await trio.to_thread.run_sync(lambda: list(self._store.jobs()))
        return {"jobs": [job.outputs() for job in jobs if _is_own(job, context)]}

    async def _begin(self, action: str, inputs: dict[str, Any], context: ActionContext) -> Job:
        timeout_s = inputs["timeout"]
        if not 0 < timeout_s <= MAX_TIMEOUT_S:
            raise AgentError(f"timeout {timeout_s}: 1 to {MAX_TIMEOUT_S} seconds", statuscode=4)
        argv = [_SHELL, "-c", inputs["command"]]
        # Named by its request, which nobody can send twice: so one signed question about a job serves
        # every node that the request went to, and a job can be ended whose start nobody heard of.
        job_id = context.request_id.hex()
        spec = spec_for(context, job_id, ("shell", action), argv, timeout_s=timeout_s)
        return await start_job(self._store, spec)

    async def _own(self, job_id: str, context: ActionContext) -> Job:
        job = await look(self._store, job_id)
        if not _is_own(job, context):
            raise AgentError(
                f"there is no job {job_id}", statuscode=3
            )  # nor is it said whose it is
        return job


def _is_own(job: Job, context: ActionContext) -> bool:
    return job.spec.caller == context.callerid and job.spec.agent == "shell"


def _end(job: Job) -> dict[str, Any]:
    return {
        "running": job.running,
        "exitcode": None if job.running else job.kept.exit_code,
        "reason": job.outputs()["exit_reason"],
    }
