"""Being told to stop: SIGTERM and SIGINT. The second signal is for the impatient."""

from __future__ import annotations

import logging
import signal
from collections.abc import Awaitable, Callable

import trio

log = logging.getLogger(__name__)


async def until_told_to_stop(program: Callable[[trio.Event], Awaitable[None]]) -> None:
    """Run ``program`` to its end; SIGTERM or SIGINT sets the event that it is given.

    From the first moment on: a node that is told to stop while it still connects must say GOODBYE
    as well. A second signal ends the process as usual. Cancelling cancels the program.
    """
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(_listen, shutdown)
        await program(shutdown)
        nursery.cancel_scope.cancel()


async def _listen(shutdown: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            log.info("%s: stopping", signal.Signals(number).name)
            shutdown.set()
            return


async def cancel_on(shutdown: trio.Event, scope: trio.CancelScope) -> None:
    """Cancel ``scope`` once ``shutdown`` is set: for programs with nothing to finish."""
    await shutdown.wait()
    scope.cancel()
