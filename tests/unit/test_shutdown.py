"""Signals reach a program from its first moment on, and only once as an event."""

from __future__ import annotations

import os
import signal

import pytest
import trio

from choria.programs.shutdown import cancel_on, until_told_to_stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_before_anything_else_has_begun(number: signal.Signals) -> None:
    told: list[bool] = []

    async def program(shutdown: trio.Event) -> None:
        os.kill(os.getpid(), number)
        await shutdown.wait()
        told.append(True)

    with trio.fail_after(10):
        await until_told_to_stop(program)
    assert told == [True]


async def test_a_program_that_ends_by_itself_ends_the_waiting() -> None:
    async def program(shutdown: trio.Event) -> None:
        await trio.lowlevel.checkpoint()

    with trio.fail_after(10):
        await until_told_to_stop(program)


async def test_nothing_to_finish_is_cancelled() -> None:
    shutdown = trio.Event()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel_on, shutdown, nursery.cancel_scope)
            nursery.start_soon(trio.sleep_forever)
            shutdown.set()
    assert nursery.cancel_scope.cancelled_caught
