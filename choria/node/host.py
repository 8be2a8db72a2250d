"""Runs actions: the one place that calls into agents.

`Host.run` takes the policy's `Authorized` and checks that it is for this very call, so that no way
through the code runs an action without the authorization step (incidents in Salt: faults.md).
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import trio

from choria.errors import AgentError
from choria.policy import Authorized

from .outcomes import End
from .ports import Action, ActionContext, Agent
from .reply import Ran, refused

log = logging.getLogger(__name__)

_STATUS_CODES: Final = range(1, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One checked call."""

    agent: Agent
    action_name: str
    action: Action
    inputs: dict[str, Any]
    context: ActionContext
    request_bytes: int


class Host:
    """Runs jobs, each in its own cancel scope, within bounds on their number and bytes."""

    def __init__(
        self, *, max_running: int, max_running_bytes: int, max_running_agent: int = 0
    ) -> None:
        self._max_running = max_running
        # One agent whose actions hang must not take every place of the node.
        self._max_agent = max_running_agent or max_running
        self._max_bytes = max_running_bytes
        self._bytes = 0
        self._of_agent: Counter[str] = Counter()
        self._scopes: set[trio.CancelScope] = set()
        self._stop_at = math.inf

    @property
    def running(self) -> int:
        """How many actions run now."""
        return len(self._scopes)

    def has_room(self, agent: str, request_bytes: int) -> bool:
        """Whether one more request of so many bytes may run in ``agent``."""
        return (
            self.running < self._max_running
            and self._of_agent[agent] < self._max_agent
            and self._bytes + request_bytes <= self._max_bytes
        )

    def stop(self, deadline: float) -> None:
        """End every action by ``deadline`` (monotonic seconds); each is still answered."""
        self._stop_at = deadline
        for scope in self._scopes:
            scope.deadline = min(scope.deadline, deadline)

    async def run(self, authorized: Authorized, job: Job) -> Ran:
        """What the action came to. Never raises for an agent's fault; cancelling cancels the action.

        Raises:
            RuntimeError: ``authorized`` is not for this call. A bug of ours.
        """
        context = job.context
        if not authorized.covers(context.callerid, job.agent.ddl.name, job.action_name):
            raise RuntimeError(f"{authorized} does not cover {job.agent.ddl.name}")
        timeout_s = job.agent.ddl.metadata.timeout
        scope = trio.CancelScope(deadline=min(trio.current_time() + timeout_s, self._stop_at))
        name = job.agent.ddl.name
        self._scopes.add(scope)
        self._of_agent[name] += 1
        self._bytes += job.request_bytes
        try:
            with scope:
                return await _run(job)
        finally:
            self._scopes.discard(scope)
            self._of_agent[name] -= 1
            self._bytes -= job.request_bytes
        return self._too_late(timeout_s)

    def _too_late(self, timeout_s: float) -> Ran:
        if trio.current_time() >= self._stop_at:
            return refused(End.TIMED_OUT, "cut off: the node is stopping")
        return refused(End.TIMED_OUT, f"no result within the agent's {timeout_s} s")


async def _run(job: Job) -> Ran:
    # The one boundary between agents and the node: whatever an agent does wrong is told to this
    # caller and to the log, and harms no other request. Cancelled is no Exception and passes.
    try:
        data: Any = await job.action(job.inputs, job.context)
    except Exception as wrong:  # noqa: BLE001  # see above
        return _failed(job, wrong)
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        return _failed(
            job, TypeError(f"the action gave {type(data).__name__}, not a dict of names")
        )
    return Ran(End.SUCCEEDED, "OK", 0, _with_defaults(job, data))


def _failed(job: Job, wrong: Exception) -> Ran:
    said = agent_error(wrong)
    text = _text_of(said)
    if said is not None and text is not None:
        code = said.statuscode if said.statuscode in _STATUS_CODES else 5
        return Ran(End.ABORTED, text, code, _named(said.data))
    name = f"{job.agent.ddl.name}#{job.action_name}"
    log.error("%s failed, request %s", name, job.context.request_id.hex(), exc_info=wrong)
    # No text of the exception: it may hold paths, queries or secrets of this machine.
    return refused(End.CRASHED, f"{name} failed; the node's log says why")


def _text_of(said: AgentError | None) -> str | None:
    """What the caller is told; None when the error is of a class whose text cannot be had."""
    try:
        return None if said is None else str(said)
    except Exception:  # noqa: BLE001  # an agent's own class: its fault, told as any other
        return None


def _named(data: Any) -> Mapping[str, Any]:
    """What an AgentError carries, which its raiser may have set to anything."""
    return data if isinstance(data, Mapping) and all(isinstance(name, str) for name in data) else {}


def agent_error(wrong: Exception) -> AgentError | None:
    """The AgentError that an agent raised, also out of nurseries; None if it raised anything else."""
    while isinstance(wrong, ExceptionGroup) and len(wrong.exceptions) == 1:
        wrong = wrong.exceptions[0]
    return wrong if isinstance(wrong, AgentError) else None


def _with_defaults(job: Job, data: Mapping[str, Any]) -> dict[str, Any]:
    outputs = job.agent.ddl.actions[job.action_name].outputs
    defaults = {name: item.default for name, item in outputs.items() if item.default is not None}
    return defaults | dict(data)
