"""Serving a broker's port: who lives inside whom, and in which order it ends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import trio

from .engine import Engine
from .greeter import Greeter
from .pump import Pump
from .stranger import Door

DEFAULT_GRACE_S: Final = 10.0


async def serve_broker_port(
    listeners: Sequence[trio.SocketListener],
    engine: Engine,
    door: Door,
    *,
    shutdown: trio.Event,
    grace_s: float = DEFAULT_GRACE_S,
    task_status: trio.TaskStatus[Greeter] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``shutdown`` is set; members then get ``grace_s`` seconds to drain.

    Cancelling drops every link as it is. Closes the listeners. Links in memory of the same engine
    are carried as well, and drained with the others.

    Args:
        listeners: Bound sockets.
        engine: Of the switch that members are linked to.
        door: TLS context and trust.
        shutdown: Set at the first SIGTERM.
        grace_s: For what waits to be sent, seconds.
        task_status: Gets the greeter, for its counts and a new ``door`` when files were reloaded.
    """
    async with trio.open_nursery() as services:
        pump = Pump(engine)
        await services.start(pump.run)
        greeter = Greeter(pump, door, engine.new_link)
        async with trio.open_nursery() as strangers:
            async with trio.open_nursery() as accept:
                # On EMFILE it waits 100 ms, with the listener's backlog for a queue.
                await accept.start(
                    partial(
                        trio.serve_listeners,
                        greeter.greet,
                        list(listeners),
                        handler_nursery=strangers,
                    )
                )
                task_status.started(greeter)
                await shutdown.wait()
                accept.cancel_scope.cancel()  # 1. nobody new
            strangers.cancel_scope.deadline = trio.current_time() + grace_s
            greeter.close()  # 2. strangers are told, members get their data, then GOODBYE
            engine.drain()
            await engine.wait_empty()  # 3. the pump empties its queues, while there is grace
        services.cancel_scope.cancel()  # 4. the pump last (E9)
