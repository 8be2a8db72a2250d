"""A Trio run in a thread of its own, and a way in from other threads.

The thread lives exactly as long as the block that opened it. Whoever waits for a result waits on a
future, which Ctrl-C interrupts; then what was waited for is cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Final, Generic, TypeVar

import trio

from choria.errors import ChoriaError, Interrupted

from .calling import alone

R = TypeVar("R")
O = TypeVar("O")  # noqa: E741  # what is open
CLOSE_WITHIN_S: Final = 30.0
THREAD: Final = "choria-trio"


class Portal(Generic[O]):
    """Runs ``opens`` in a thread. ``open`` and ``close`` belong together; ``run`` from any thread."""

    def __init__(self, opens: Callable[[], AbstractAsyncContextManager[O]]) -> None:
        self._opens = opens
        self._opened: Future[O] = Future()
        self._running = threading.Event()
        self._scope = trio.CancelScope()
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)

    def open(self) -> O:
        """Start, and wait until it is open. Raises what opening raises."""
        self._thread.start()
        try:
            return self._opened.result()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End everything and wait for the thread.

        Raises:
            ChoriaError: It did not end within ``CLOSE_WITHIN_S``.
        """
        if self._running.wait(CLOSE_WITHIN_S):
            self._soon(self._scope.cancel)
        self._thread.join(CLOSE_WITHIN_S)
        if self._thread.is_alive():
            raise ChoriaError(f"the connection did not end within {CLOSE_WITHIN_S:g} s")

    def run(self, work: Callable[[], Awaitable[R]]) -> R:
        """The result of ``work``, run in the thread. Ctrl-C here cancels it there.

        Raises:
            Interrupted: Everything was closed meanwhile.
        """
        future: Future[R] = Future()
        scope = trio.CancelScope()

        def begin() -> None:
            if self._nursery is None:
                future.set_exception(_closed())
            else:
                self._nursery.start_soon(_serve, work, future, scope)

        if not self._soon(begin):
            raise _closed()
        try:
            return future.result()
        except BaseException:
            if not future.done():
                self._soon(scope.cancel)
            raise

    def _soon(self, action: Callable[[], object]) -> bool:
        try:
            self._token.run_sync_soon(action)
        except trio.RunFinishedError:
            return False
        return True

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as exc:  # noqa: BLE001  # whoever waits for it has it
            if not self._opened.done():
                self._opened.set_exception(_only(exc))

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._nursery: trio.Nursery | None = None
        self._running.set()
        with self._scope:
            async with self._opens() as opened, trio.open_nursery() as nursery:
                self._nursery = nursery
                try:
                    self._opened.set_result(opened)
                    await trio.sleep_forever()
                finally:
                    self._nursery = None
        if not self._opened.done():
            raise _closed()


async def _serve(
    work: Callable[[], Awaitable[R]], future: Future[R], scope: trio.CancelScope
) -> None:
    """Run ``work`` for a thread that waits; whatever happens, it hears of it."""
    try:
        with scope:
            future.set_result(await work())
    except Exception as exc:  # noqa: BLE001  # it is the waiting thread's
        future.set_exception(exc)
    finally:
        if not future.done():
            future.set_exception(_closed())


def _only(exc: BaseException) -> BaseException:
    return alone(exc) if isinstance(exc, BaseExceptionGroup) else exc


def _closed() -> Interrupted:
    return Interrupted("the connection was closed")
