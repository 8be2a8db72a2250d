"""A call under way: replies come out as they come in, bounded, and leaving it ends the waiting.

A call has two halves. `Run` is a task of the fleet's nursery and knows nothing of who reads. `Calling`
is the reader's handle; when the last reference to it goes, as after ``break``, the run is cancelled.
So a program needs no ``aclosing`` and no nursery of its own, and no task outlives the fleet.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

import attrs
import msgspec
import trio

from choria.client import Answer
from choria.errors import Interrupted, RepliesOverflow
from choria.net import ByteQueue

from .replies import Reply, Summary, reply_of

D = TypeVar("D", bound=Mapping[str, Any])
REPLY_BYTES = 512
"""What a reply costs besides its data."""
TAKE_AT_ONCE = 256


class Work(Protocol):
    """Asks nodes; tells of each answer; gives the account at the end."""

    def __call__(
        self, on_answer: Callable[[Answer], None], stop: trio.Event, /
    ) -> Awaitable[Summary]:
        """Runs until everybody was heard or waited for; setting ``stop`` ends it with an account."""


@attrs.frozen(kw_only=True)
class Result(Generic[D]):
    """All replies of a call, in the order they came, and the account."""

    replies: tuple[Reply[D], ...]
    summary: Summary

    @property
    def ok(self) -> bool:
        """Whether somebody was asked and everybody did it."""
        return self.summary.ok


@attrs.define(eq=False)
class Run:
    """The asking half. ``waiting`` holds the replies that nobody has read."""

    work: Work
    waiting: ByteQueue[Reply[Any]]
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    stop: trio.Event = attrs.field(factory=trio.Event)
    summary: Summary | None = None
    error: Exception | None = None

    async def run(self) -> None:
        """Ask to the end. What goes wrong is kept for the reader."""
        try:
            with self.scope:
                self.summary = await self.work(self._take, self.stop)
        except Exception as exc:  # noqa: BLE001  # the reader's, and not the nursery's
            self.error = self.error or alone(exc)
        finally:
            self.waiting.close()

    def _take(self, answer: Answer) -> None:
        size = REPLY_BYTES + len(answer.statusmsg) + len(msgspec.msgpack.encode(answer.data))
        try:
            self.waiting.put_nowait(reply_of(answer), size)
        except trio.WouldBlock:
            waiting = f"{len(self.waiting)} replies ({self.waiting.pending_bytes >> 20} MiB)"
            self.error = RepliesOverflow(
                f"{waiting} wait to be read, more than max_waiting_bytes allows: read faster, ask in "
                "batches, or allow more. The nodes that have the request carry it out"
            )
            self.scope.cancel()

    def end(self) -> Summary:
        """The account, once nothing waits. Raises what went wrong."""
        if self.error is not None:
            raise self.error
        if self.summary is None:
            raise Interrupted("the call was left before it ended: nobody knows who did what")
        return self.summary


class Calling(Generic[D]):
    """A call: iterate over it, or await it. Made by `Fleet.call`; nothing is sent before.

    Leaving it (``break``, ``aclose``, cancellation, the end of its ``async with``) stops the waiting;
    nodes that have the request carry it out. One task reads it, once.
    """

    def __init__(self, begin: Callable[[Run], None], run: Run, name: str) -> None:
        self._begin = begin
        self._run = run
        self._name = name
        self._begun = False

    async def all(self) -> Result[D]:
        """Every reply and the account. Cancel-safe: the waiting ends.

        Raises:
            ChoriaError: As iterating does.
        """
        replies = [reply async for reply in self]
        return Result(replies=tuple(replies), summary=self._run.end())

    def __await__(self) -> Generator[Any, None, Result[D]]:
        """The same as `all`."""
        return self.all().__await__()

    async def summary(self) -> Summary:
        """The account; replies that were not read are passed over. Cancel-safe.

        Raises:
            ChoriaError: As iterating does.
        """
        async for _ in self:
            pass
        return self._run.end()

    def __aiter__(self) -> AsyncIterator[Reply[D]]:
        """Replies as they come."""
        self._start()
        return self

    async def __anext__(self) -> Reply[D]:
        """The next reply. Cancel-safe: no reply is lost.

        Raises:
            AgentNotFound: Nobody hosts the agent, and its DDL is not known here.
            DDLError: The agent has no such action, or an input is refused.
            DiscoveryError: The discovery method failed.
            Interrupted: The call or its fleet was closed meanwhile.
            RepliesOverflow: Replies are read too slowly.
            UsageError: The nodes that there are cannot be asked in this way.
        """
        self._start()
        try:
            return await self._run.waiting.get()
        except trio.EndOfChannel:
            self._run.end()
            raise StopAsyncIteration from None

    async def take(self) -> list[Reply[D]]:
        """The replies that wait, at least one and at most 256; none at the end. Cancel-safe.

        Raises:
            ChoriaError: As iterating does.
        """
        self._start()
        waiting = self._run.waiting
        taken: list[Reply[D]] = []
        await waiting.wait_any()
        try:
            while len(taken) < TAKE_AT_ONCE:
                taken.append(waiting.get_nowait())
        except trio.WouldBlock:
            pass  # that was all for now
        except trio.EndOfChannel:
            if not taken:
                self._run.end()
        return taken

    def stop(self) -> None:
        """Ask nobody else and wait for nobody; iterating ends, and the summary accounts for all."""
        self._run.stop.set()

    async def aclose(self) -> None:
        """Leave it: the waiting ends at once."""
        self._begun = True
        self._run.scope.cancel()
        await trio.lowlevel.checkpoint()

    async def __aenter__(self) -> Calling[D]:
        """Ask now."""
        self._start()
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Leave it."""
        self._begun = True
        self._run.scope.cancel()

    def _start(self) -> None:
        if self._begun:
            return
        self._begun = True
        self._begin(self._run)
        token = trio.lowlevel.current_trio_token()
        weakref.finalize(self, _leave, token, self._run.scope).atexit = False

    def __del__(self) -> None:
        if not self._begun:
            warnings.warn(
                f"{self._name} was never asked of anybody: iterate over it, or await it",
                RuntimeWarning,
                stacklevel=2,
            )


def _leave(token: trio.lowlevel.TrioToken, scope: trio.CancelScope) -> None:
    """Cancel from wherever the last reference went: the garbage collector runs in any thread."""
    try:
        token.run_sync_soon(scope.cancel)
    except trio.RunFinishedError:
        return  # and so has the call


def alone(exc: BaseException) -> Exception:
    """The error inside of groups, when it is one; a group of several stays one."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    if isinstance(exc, Exception):
        return exc
    raise exc
