"""A found agent's own event loop, in a thread of its own, so that whatever it does stays its own.

Why not in the node's loop: an ``async def`` that calls something blocking stops every task of its
loop, one that shields itself cannot be cancelled, and a system task that it leaks takes the whole
loop down when it raises. Here the node's loop only waits, with a deadline. A hop costs about 0.1 ms
(`tests/bench/bench_agents.py`), little beside a signature. Agents that ship with us run in the node's loop.

A call that does not end when it is cancelled is left behind; the agent refuses calls until it has
ended, and says so. The thread is a daemon: it does not keep the node from stopping.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import attrs
import trio

from choria.errors import AgentError

from .misdeeds import as_exception, thread_name

log = logging.getLogger(__name__)

STUBBORN_S: Final = 1.0
"""How long a cancelled call may take to end before it counts as one that does not."""
START_WITHIN_S: Final = 5.0


def _nothing() -> None:
    """Somebody still waits for the call: there is nobody else to tell."""


@attrs.define(eq=False)
class _Call:
    """One call, seen from both loops. Written in the agent's, read in the node's after ``ended``."""

    function: Callable[[], Awaitable[Any]]
    what: str
    node: trio.lowlevel.TrioToken
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ended: trio.Event = attrs.field(factory=trio.Event)
    result: Any = None
    wrong: BaseException | None = None
    on_late: Callable[[], None] = _nothing

    def finish(self) -> None:
        """Called in the node's loop, when the function has ended."""
        self.ended.set()
        self.on_late()


class AgentLoop:
    """Runs coroutine functions of one agent in its own thread and loop, started at the first call."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._loop: _Loop | None = None
        self._hanging: set[_Call] = set()

    @property
    def hanging(self) -> int:
        """Calls that nobody waits for any more and that have not ended."""
        return len(self._hanging)

    async def run(self, function: Callable[[], Awaitable[Any]], what: str) -> Any:
        """The result of ``await function()`` in the agent's loop. Cancelling cancels it there.

        Raises:
            AgentError: an earlier call of this agent hangs, or its loop cannot be started.
            Exception: whatever ``function`` raises.
        """
        if self._hanging:
            stuck = next(iter(self._hanging)).what
            raise AgentError(f"{stuck} hangs in this agent: nothing of it runs until that ends")
        loop = await self._started()
        call = _Call(function, what, trio.lowlevel.current_trio_token())
        loop.submit(call)
        try:
            await call.ended.wait()
        except trio.Cancelled:
            await self._give_up(loop, call)
            raise
        if call.wrong is not None:
            raise as_exception(call.wrong)
        return call.result

    async def _started(self) -> _Loop:
        if self._loop is None or not self._loop.alive:
            self._loop = _Loop(self._agent)
            # A replaced or removed agent's thread ends with the last call that holds the agent.
            weakref.finalize(self, self._loop.stop)
            with trio.move_on_after(START_WITHIN_S):
                await self._loop.start()
                return self._loop
            raise AgentError(f"the thread of {self._agent} did not start")
        return self._loop

    async def _give_up(self, loop: _Loop, call: _Call) -> None:
        loop.cancel(call)
        with trio.move_on_after(STUBBORN_S, shield=True):
            await call.ended.wait()
        if not call.ended.is_set():
            call.on_late = partial(self._back, call)
            self._hanging.add(call)
            log.error("%s does not end when it is cancelled; the agent is fenced off", call.what)

    def _back(self, call: _Call) -> None:
        self._hanging.discard(call)
        log.warning("%s ended at last; the agent is back in service", call.what)


class _Loop:
    """One thread with ``trio.run`` in it."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._thread = threading.Thread(target=self._main, name=thread_name(agent), daemon=True)
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._calls: set[_Call] = set()
        self._over = False

    @property
    def alive(self) -> bool:
        """False once the loop has ended, of itself or by an agent that broke it."""
        return self._thread.is_alive() and not self._over

    async def start(self) -> None:
        """Start the thread; returns when its loop takes calls."""
        ready, node = trio.Event(), trio.lowlevel.current_trio_token()
        self._ready = partial(node.run_sync_soon, ready.set)
        self._thread.start()
        await ready.wait()

    def submit(self, call: _Call) -> None:
        """Run ``call`` in the loop."""
        self._calls.add(call)
        self._in_loop(lambda: self._spawn(call), call)

    def cancel(self, call: _Call) -> None:
        """Cancel ``call`` in the loop."""
        self._in_loop(call.scope.cancel, call)

    def stop(self) -> None:
        """End the loop and what runs in it."""
        if self._token is not None and self._nursery is not None:
            try:
                self._token.run_sync_soon(self._nursery.cancel_scope.cancel)
            except trio.RunFinishedError:
                log.debug("the thread of %s had ended", self._agent)

    def _in_loop(self, function: Callable[[], Any], call: _Call) -> None:
        if self._token is None:
            raise RuntimeError("a loop that was not started")  # a bug of ours
        try:
            self._token.run_sync_soon(function)
        except trio.RunFinishedError:
            self._end(call, RuntimeError(f"the event loop of {self._agent} has ended"))

    def _main(self) -> None:
        # The outermost boundary of an agent: a loop that it breaks ends its calls, and nothing else.
        wrong: BaseException = RuntimeError(f"the event loop of {self._agent} has ended")
        try:
            trio.run(self._serve)
        except BaseException as broken:
            log.exception(
                "agent %s broke its event loop; the next call gets a new one", self._agent
            )
            wrong = broken
        self._over = True
        for call in tuple(self._calls):
            self._end(call, wrong)

    async def _serve(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery, self._token = nursery, trio.lowlevel.current_trio_token()
            self._ready()
            await trio.sleep_forever()

    def _spawn(self, call: _Call) -> None:
        if self._nursery is None:
            raise RuntimeError("a loop that was not started")  # a bug of ours
        self._nursery.start_soon(self._take, call)

    async def _take(self, call: _Call) -> None:
        try:
            with call.scope:
                call.result = await call.function()
        except trio.Cancelled:  # the whole loop ends; `_main` says why
            raise
        except BaseException as wrong:  # noqa: BLE001  # told to the caller, as an agent's fault
            self._end(call, wrong)
        else:
            self._end(call, None)

    def _end(self, call: _Call, wrong: BaseException | None) -> None:
        if call not in self._calls:
            return
        self._calls.discard(call)
        call.wrong = wrong
        try:
            call.node.run_sync_soon(call.finish)
        except trio.RunFinishedError:
            log.info("%s ended after the node", call.what)


def in_loop(
    loop: AgentLoop, what: str, method: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    """``method`` as a coroutine function that runs it in ``loop``."""

    async def run(*args: Any, **kwargs: Any) -> Any:
        return await loop.run(partial(method, *args, **kwargs), what)

    return run
