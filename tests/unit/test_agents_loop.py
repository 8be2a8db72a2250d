"""What a native agent does wrong stays in its own thread: a table of misbehaviour, one row a case."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio

from choria.agents import Agent, action, build_agent
from choria.agents.native.blocking import MAX_THREADS
from choria.errors import AgentError
from tests.support.agent_context import a_context


class Odd(Agent):
    """Misbehaves on request."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.ended = threading.Event()

    @action()
    async def fine(self) -> dict[str, int]:
        """Give an answer."""
        await trio.lowlevel.checkpoint()
        return {"answer": 42}

    @action()
    def fine_in_a_thread(self) -> dict[str, int]:
        """Give an answer."""
        return {"answer": 42}

    @action()
    async def hang(self) -> None:
        """Wait for ever, and end when told to."""
        try:
            await trio.sleep_forever()
        finally:
            self.ended.set()

    @action()
    async def shield(self) -> None:
        """Wait until released, whatever is said."""
        with trio.CancelScope(shield=True):
            while not self.release.is_set():  # noqa: ASYNC110  # released by another thread
                await trio.sleep(0.01)

    @action()
    async def block(self) -> None:
        """Block the loop that it runs in."""
        self.release.wait(30)

    @action()
    def block_thread(self) -> None:
        """Block a worker thread."""
        self.release.wait(30)

    @action()
    async def leave(self) -> None:
        """Try to end the process."""
        sys.exit(3)

    @action()
    async def leak(self) -> None:
        """Start a task that nobody owns, which breaks the loop."""

        async def broken() -> None:
            await trio.lowlevel.checkpoint()
            raise ValueError("leaked")

        trio.lowlevel.spawn_system_task(broken)  # what an agent could do
        await trio.sleep_forever()

    @action()
    async def abort(self) -> None:
        """Fail with a code."""
        raise AgentError("no such thing", statuscode=3)


async def run(agent: Any, name: str) -> dict[str, Any]:
    result: dict[str, Any] = await agent.actions[name]({}, a_context())
    return result


async def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread, bounded by the test's own deadline."""
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110  # another thread makes it true
            await trio.sleep(0.005)


async def back_in_service(agent: Any, name: str) -> None:
    """Return when the agent answers again, bounded."""

    async def answers() -> bool:
        try:
            return await run(agent, name) == {"answer": 42}
        except AgentError:
            return False

    with trio.fail_after(20):
        while not await answers():  # noqa: ASYNC110  # another thread ends it
            await trio.sleep(0.01)


async def ended_after_cancel(agent: Any, name: str) -> None:
    """Call, cancel when it runs, and return: the call does not hold its caller."""
    with trio.fail_after(20), trio.move_on_after(0.2) as scope:
        await run(agent, name)
    assert scope.cancelled_caught


async def test_good_calls_are_answered_from_their_own_threads() -> None:
    agent = build_agent(Odd())
    assert await run(agent, "fine") == {"answer": 42}
    assert await run(agent, "fine_in_a_thread") == {"answer": 42}
    assert any(thread.name == "agent-odd" for thread in threading.enumerate())


async def test_a_cancelled_call_is_cancelled_in_the_agent() -> None:
    odd = Odd()
    agent = build_agent(odd)
    await ended_after_cancel(agent, "hang")
    assert odd.ended.is_set()
    assert await run(agent, "fine") == {"answer": 42}


@pytest.mark.parametrize("name", ["shield", "block"])
async def test_one_that_does_not_end_fences_its_agent_off_until_it_does(name: str) -> None:
    odd = Odd()
    agent, other = build_agent(odd), build_agent(Odd())
    await ended_after_cancel(agent, name)
    with pytest.raises(AgentError, match=f"odd#{name} hangs"):
        await run(agent, "fine")
    assert await run(other, "fine") == {"answer": 42}  # nobody else is harmed
    odd.release.set()

    await back_in_service(agent, "fine")


async def test_a_blocking_action_holds_one_of_its_agents_threads_only() -> None:
    odd = Odd()
    agent, other = build_agent(odd), build_agent(Odd())
    for _ in range(MAX_THREADS):
        await ended_after_cancel(agent, "block_thread")
    with pytest.raises(AgentError, match="restart the node"):
        await run(agent, "fine_in_a_thread")
    assert await run(agent, "fine") == {"answer": 42}
    assert await run(other, "fine_in_a_thread") == {"answer": 42}
    odd.release.set()

    await back_in_service(agent, "fine_in_a_thread")


async def test_leaving_is_a_failure_of_the_call() -> None:
    agent = build_agent(Odd())
    with pytest.raises(RuntimeError, match="SystemExit"):
        await run(agent, "leave")
    assert await run(agent, "fine") == {"answer": 42}


async def test_a_leaked_task_that_breaks_the_loop_ends_its_calls_and_the_next_gets_a_new_loop() -> (
    None
):
    agent = build_agent(Odd())
    with trio.fail_after(20), pytest.raises(trio.TrioInternalError):
        await run(agent, "leak")
    assert await run(agent, "fine") == {"answer": 42}


async def test_the_thread_ends_with_its_agent() -> None:
    before = set(threading.enumerate())
    agent = build_agent(Odd())
    await run(agent, "fine")
    (thread,) = set(threading.enumerate()) - before
    del agent
    await until(lambda: not thread.is_alive())


async def test_a_failure_with_a_code_comes_through() -> None:
    with pytest.raises(AgentError, match="no such thing") as caught:
        await run(build_agent(Odd()), "abort")
    assert caught.value.statuscode == 3


async def test_the_nodes_loop_goes_on_while_an_agent_blocks_its_own() -> None:
    odd, ticks = Odd(), 0
    agent = build_agent(odd)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, agent, "block")
        begun = time.monotonic()
        while ticks < 20:
            await trio.sleep(0.001)
            ticks += 1
        assert time.monotonic() - begun < 25  # `block` would have held the loop for 30 s
        odd.release.set()
