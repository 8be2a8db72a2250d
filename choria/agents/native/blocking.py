"""Actions that block: plain functions in worker threads, which nothing can stop from outside.

A thread that outlives its action's timeout goes on: its caller is told "timed out", and the thread
keeps its place among the few that an agent may have. So an action that hangs takes its own agent out
of service, saying so to each caller, and nothing else: the node's other agents have places of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import trio

from choria.errors import AgentError

from .misdeeds import as_exception, thread_name

log = logging.getLogger(__name__)

MAX_THREADS: Final = 4
"""Threads of one agent. Actions beyond them wait for a place, within their own time."""


class Workers:
    """The threads of one agent."""

    __slots__ = ("_agent", "_limiter", "_lost")

    def __init__(self, agent: str, threads: int = MAX_THREADS) -> None:
        self._agent = agent
        self._limiter = trio.CapacityLimiter(threads)
        self._lost = 0

    @property
    def lost(self) -> int:
        """Threads that run on although nobody waits for them any more."""
        return self._lost

    async def run(self, function: Callable[[], Any], what: str) -> Any:
        """Run ``function`` in a thread. Cancelling leaves the thread behind, and tells the log.

        Raises:
            AgentError: every thread is held by an action that has hung.
        """
        if self._lost >= self._limiter.total_tokens:
            raise AgentError(
                f"{self._lost} earlier actions of {self._agent} hang in their threads: restart the node"
            )
        watched = _Watched(self, function, what)
        try:
            return await trio.to_thread.run_sync(
                watched.run,
                limiter=self._limiter,
                abandon_on_cancel=True,
                thread_name=thread_name(self._agent),
            )
        except trio.Cancelled:
            watched.left_behind()
            raise

    def _count(self, change: int) -> None:
        self._lost += change


class _Watched:
    """One call in a thread: notes when it ends after its caller has gone."""

    __slots__ = ("_abandoned", "_function", "_running", "_token", "_what", "_workers")

    def __init__(self, workers: Workers, function: Callable[[], Any], what: str) -> None:
        self._workers, self._function, self._what = workers, function, what
        self._token = trio.lowlevel.current_trio_token()
        self._running = self._abandoned = False

    def run(self) -> Any:
        self._running = True
        try:
            return self._function()
        except BaseException as wrong:
            # ``sys.exit`` in a thread comes out of the node's loop, and would end the node.
            raise as_exception(wrong) from wrong
        finally:
            try:
                self._token.run_sync_soon(self._ended)
            except trio.RunFinishedError:
                log.info("%s ended after the node", self._what)

    def left_behind(self) -> None:
        """Called in the loop, when nobody waits for the result any more."""
        if self._running:
            self._abandoned = True
            self._workers._count(1)  # noqa: SLF001  # two halves of one thing
            log.error("%s did not end in its time; its thread runs on", self._what)

    def _ended(self) -> None:
        self._running = False
        if self._abandoned:
            self._workers._count(-1)  # noqa: SLF001  # as above
            log.warning("%s ended at last; nobody waited for it", self._what)


def in_thread(workers: Workers, what: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """``method`` as a coroutine function that runs it in one of ``workers``' threads."""

    async def run(*args: Any, **kwargs: Any) -> Any:
        return await workers.run(partial(method, *args, **kwargs), what)

    return run
