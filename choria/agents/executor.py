"""The executor agent: every job of the node, whoever began it, with Choria's names (choria.md 1.6).

Refused unless an ``executor.policy`` allows it: it shows what everybody ran.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from choria.errors import AgentError
from choria.node import ActionContext

from .jobs import Job, JobStore, end_job, look, read_output
from .library import ShippedAgent, own_ddl

_SIGNALS: Final = frozenset(signal.Signals)


def executor_agent(store: JobStore) -> ShippedAgent:
    """The agent over ``store``."""

    async def list_jobs(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        jobs = await trio.to_thread.run_sync(lambda: list(store.jobs()))
        wanted = _wanted(inputs, context.node.identity)
        return {"jobs": {job.spec.id: job.outputs() for job in jobs if wanted(job)}}

    async def status(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        outputs = (await look(store, inputs["id"])).outputs()
        return {name: value for name, value in outputs.items() if name != "id"}

    async def output(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        job = await look(store, inputs["id"])
        offsets = {name: max(0, inputs[f"{name}_offset"]) for name in ("stdout", "stderr")}
        return await read_output(store, job.spec.id, offsets) | {"running": job.running}

    async def send(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        if inputs["signal"] not in _SIGNALS:
            raise AgentError(f"there is no signal {inputs['signal']}", statuscode=4)
        await end_job(store, inputs["id"], signal.Signals(inputs["signal"]))
        job = await look(store, inputs["id"])
        return {"pid": job.kept.pid, "running": job.running}

    actions = {"list": list_jobs, "status": status, "output": output, "signal": send}
    return ShippedAgent(own_ddl("executor"), actions)


def _wanted(inputs: Mapping[str, Any], identity: str) -> Callable[[Job], bool]:
    """Whether a job is asked for: each input that is given must agree. Times in unix seconds."""
    tests: dict[str, Callable[[Job, Any], bool]] = {
        "action": lambda job, value: job.spec.action == value,
        "agent": lambda job, value: job.spec.agent == value,
        "before": lambda job, value: job.spec.created_ms < value * 1000,
        "since": lambda job, value: job.spec.created_ms >= value * 1000,
        "caller": lambda job, value: job.spec.caller == value,
        "command": lambda job, value: value in job.spec.argv,
        "completed": lambda job, value: job.running is not value,
        "running": lambda job, value: job.running is value,
        "identity": lambda _job, value: identity == value,
        "requestid": lambda job, value: job.spec.request_id == value,
    }
    return lambda job: all(tests[name](job, value) for name, value in inputs.items())
