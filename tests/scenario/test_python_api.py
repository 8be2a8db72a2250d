"""`choria.Fleet` against nodes that are honest, silent or failing; in memory, virtual clock."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import choria
from choria.api.calling import Run
from choria.api.connecting import serving
from choria.api.lean import Accounted, LeanCaller
from choria.client import ClientConfig, DdlCache
from choria.errors import DDLError, Interrupted, RepliesOverflow, UsageError
from choria.net import ByteQueue
from choria.trust import Role
from tests.support.answers import an_answer
from tests.support.network import a_network, now_ms
from tests.support.scripted_node import Published, Said, honest, run_scripted, silent, unmatched

Script = Callable[[Said], Iterable[Published]]


def deaf(said: Said) -> Iterable[Published]:
    """There, and then nothing."""
    return honest(said) if said.request.is_discovery else silent(said)


def failing(said: Said) -> Iterable[Published]:
    if said.request.is_discovery:
        yield from honest(said)
    else:
        yield said.signed(said.reply({}, statuscode=1, statusmsg="no such thing"))


def large(said: Said) -> Iterable[Published]:
    if said.request.is_discovery:
        yield from honest(said)
    else:
        yield said.signed(said.reply({"pong": 1, "rest": "x" * 10_000}))


@asynccontextmanager
async def a_fleet(tmp_path: Path, **scripts: Script) -> AsyncIterator[choria.Fleet]:
    async with a_network() as network, trio.open_nursery() as nursery:
        for name, script in scripts.items():
            member = network.member(Role.NODE, name)
            await nursery.start(partial(run_scripted, network, member, script))
        async with network.caller() as caller:
            cache = DdlCache(tmp_path, now_ms)
            async with serving(caller, ClientConfig(), cache=cache) as fleet:
                yield fleet
        nursery.cancel_scope.cancel()


def asked(seen: list[str]) -> Script:
    """Honest, and notes what it was asked."""

    def script(said: Said) -> Iterable[Published]:
        request = said.request
        seen.append(f"{request.agent}.{request.action}")
        return honest(said)

    return script


async def test_replies_come_typed_and_everybody_is_accounted_for(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    scripts = {"web1": honest, "web2": failing, "web3": deaf, "db1": unmatched}
    async with a_fleet(tmp_path, **scripts) as fleet:
        calling = fleet.call("rpcutil", "ping", options=choria.Options(timeout_s=5))
        replies = [reply async for reply in calling]
        summary = await calling.summary()
    by_name = {reply.sender: reply for reply in replies}
    good, bad = by_name["web1"], by_name["web2"]
    assert (good.ok, good.statuscode, good.data, good.grade) == (True, 0, {"pong": 1}, "signed")
    assert (bad.ok, bad.statuscode, bad.statusmsg, bad.data) == (False, 1, "no such thing", {})
    assert 0 <= good.elapsed_s < 1
    assert (summary.expected, summary.replied) == (("web1", "web2", "web3"), 2)
    assert (summary.failed, summary.silent, summary.ok) == (("web2",), ("web3",), False)
    assert len(summary.request_ids) == 1


async def test_replies_come_before_the_last_one_is_in(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_fleet(tmp_path, web1=honest, web2=deaf) as fleet:
        began = trio.current_time()
        async for reply in fleet.call("rpcutil", "ping"):
            assert (reply.sender, trio.current_time() - began < 1) == ("web1", True)
            break


async def test_awaiting_a_call_is_all_of_it(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_fleet(tmp_path, web1=honest, web2=honest) as fleet:
        result = await fleet.call("rpcutil", "ping")
    assert (len(result.replies), result.ok, result.summary.ok) == (2, True, True)


async def test_nobody_found_is_not_ok(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_fleet(tmp_path, db1=unmatched) as fleet:
        result = await fleet.call("rpcutil", "ping", where=choria.where(facts="os=none"))
    assert (result.replies, result.summary.expected, result.ok) == ((), (), False)


LEAVING: dict[str, Callable[[choria.Calling[Any]], Any]] = {}


def leaving(function: Callable[[choria.Calling[Any]], Any]) -> Callable[..., Any]:
    LEAVING[function.__name__] = function
    return function


@leaving
async def by_break(calling: choria.Calling[Any]) -> None:
    async for _ in calling:
        break


@leaving
async def by_a_block(calling: choria.Calling[Any]) -> None:
    async with calling:
        await calling.__anext__()


@leaving
async def by_aclose(calling: choria.Calling[Any]) -> None:
    await calling.__anext__()
    await calling.aclose()


@leaving
async def by_a_cancel_scope(calling: choria.Calling[Any]) -> None:
    with trio.move_on_after(1) as scope:
        await calling.all()
    assert scope.cancelled_caught


@leaving
async def by_an_error(calling: choria.Calling[Any]) -> None:
    async def fails() -> None:
        async for _ in calling:
            raise LookupError

    with pytest.raises(LookupError):
        await fails()


@pytest.mark.parametrize("way", LEAVING)
async def test_who_leaves_a_call_leaves_no_task_behind(
    autojump_clock: MockClock, tmp_path: Path, way: str
) -> None:
    async with a_network() as network, trio.open_nursery() as nursery:
        for name, script in {"web1": honest, "web2": deaf}.items():
            member = network.member(Role.NODE, name)
            await nursery.start(partial(run_scripted, network, member, script))
        async with network.caller() as caller, trio.open_nursery() as calls:
            cache = DdlCache(tmp_path, now_ms)
            async with serving(caller, ClientConfig(), cache=cache) as fleet:
                fleet._at = attrs.evolve(fleet._at, begin=lambda run: calls.start_soon(run.run))
                began = trio.current_time()
                await LEAVING[way](fleet.call("rpcutil", "ping"))
                gc.collect()
                await wait_all_tasks_blocked()
                assert calls.child_tasks == set()
                assert trio.current_time() - began < 2
        nursery.cancel_scope.cancel()


async def test_a_call_that_was_left_says_so(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_fleet(tmp_path, web1=deaf) as fleet:
        calling = fleet.call("rpcutil", "ping")
        async with calling:
            pass
        with pytest.raises(Interrupted, match="was left"):
            await calling.summary()


async def test_stop_ends_with_an_account(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_fleet(tmp_path, web1=honest, web2=deaf) as fleet:
        calling = fleet.call("rpcutil", "ping")
        async for _ in calling:
            calling.stop()
        summary = await calling.summary()
    assert (summary.replied, summary.unheard) == (1, ("web2",))
    assert summary.stopped.startswith("interrupted")


async def test_a_fleet_that_is_closed_ends_its_calls(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_fleet(tmp_path, web1=deaf) as fleet:
        calling = fleet.call("rpcutil", "ping")
        await calling.__aenter__()
    with pytest.raises(Interrupted):
        await calling.__anext__()


async def test_slow_readers_are_told_and_hold_no_more_than_allowed(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    scripts = {f"web{number}": large for number in range(9)}
    async with a_fleet(tmp_path, **scripts) as fleet:
        options = choria.Options(max_waiting_bytes=40_000)
        calling = fleet.call("rpcutil", "ping", options=options)
        read = []

        async def slowly() -> None:
            async for reply in calling:
                read.append(reply)
                await trio.sleep(1)

        with pytest.raises(RepliesOverflow, match="wait to be read"):
            await slowly()
    assert 1 <= len(read) < 9


async def test_enough_room_loses_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    scripts = {f"web{number}": large for number in range(9)}
    async with a_fleet(tmp_path, **scripts) as fleet:
        read = 0
        async for reply in fleet.call("rpcutil", "ping"):
            read += len(reply.data["rest"])
            await trio.sleep(1)
    assert read == 9 * 10_000


def test_what_was_handed_on_is_not_kept() -> None:
    kept = Accounted()
    kept["web1"] = an_answer("web1", {"output": "x" * 100})
    assert (kept["web1"].sender, kept["web1"].ok, kept["web1"].data) == ("web1", True, {})


FLEET, DATA_BYTES = 50_000, 2_000


async def test_fifty_thousand_replies_are_read_in_little_memory(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """What comes is 100 MB; what is held is a line of account for each node."""

    class Caller:
        """Gives the replies of a whole fleet, as fast as they are read."""

        async def gather(self, ask: Any, *, on_answer: Any, into: Any, **_: Any) -> Any:
            for number in range(FLEET):
                answer = an_answer(f"n{number}", {"output": "x" * (DATA_BYTES + number % 7)})
                into.answers[answer.sender] = answer
                on_answer(answer)
                if not number % 64:
                    await trio.lowlevel.checkpoint()
            return into

    async def work(on_answer: Any, stop: trio.Event) -> Any:
        caller: Any = Caller()
        into = await LeanCaller(caller).gather(None, timeout_s=1, on_answer=on_answer)  # type: ignore[arg-type]
        assert len(into.answers) == FLEET
        return None

    async with trio.open_nursery() as nursery:
        run = Run(work, ByteQueue(1 << 20))
        calling: choria.Calling[Any] = choria.Calling(
            lambda run: nursery.start_soon(run.run), run, "x"
        )
        tracemalloc.start()
        try:
            read = 0
            while replies := await calling.take():
                read += len(replies)
                if read == FLEET:
                    break
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert read == FLEET
    assert peak < FLEET * DATA_BYTES / 3


async def test_given_nodes_are_asked_without_discovery(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    seen: list[str] = []
    async with a_fleet(tmp_path, web1=asked(seen), web2=asked(seen)) as fleet:
        found = await fleet.discover()
        seen.clear()
        first = await fleet.call("rpcutil", "ping", where=found)
        second = await fleet.call("rpcutil", "ping", where=fleet.nodes(["web2"]))
        nobody = await fleet.call("rpcutil", "ping", where=fleet.nodes([]))
    assert (found.names, len(found), list(found)) == (("web1", "web2"), 2, ["web1", "web2"])
    assert seen == ["rpcutil.ping"] * 3
    assert [reply.sender for reply in second.replies] == ["web2"]
    assert (len(first.replies), nobody.summary.expected) == (2, ())


async def test_ping_tells_how_fast_and_who_is_silent(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_fleet(tmp_path, web1=honest, web2=silent) as fleet:
        found = await fleet.ping(options=choria.Options(discovery_timeout_s=1))
    assert (found.names, found.silent) == (("web1",), ("web2",))
    assert found.latencies_s["web1"] < 1


@pytest.mark.parametrize(
    ("action", "inputs", "wrong"),
    [
        ("pong", {}, "has no action 'pong'"),
        ("get_fact", {}, "is required"),
        ("get_fact", {"fact": 1}, "must be a string"),
        ("ping", {"colour": "red"}, "no such input"),
    ],
)
async def test_inputs_are_judged_before_anything_is_sent(
    autojump_clock: MockClock, tmp_path: Path, action: str, inputs: dict[str, Any], wrong: str
) -> None:
    seen: list[str] = []
    async with a_fleet(tmp_path, web1=asked(seen)) as fleet:
        with pytest.raises(DDLError, match=wrong):
            await fleet.call("rpcutil", action, **inputs)
    assert seen == []


async def test_an_agent_that_nobody_hosts(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_fleet(tmp_path, db1=unmatched) as fleet:
        with pytest.raises(choria.AgentNotFound, match="nosuch"):
            await fleet.call("nosuch", "ping")


async def test_without_judging_the_node_alone_decides(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_fleet(tmp_path, web1=honest) as fleet:
        options = choria.Options(judge=False, timeout_s=3)
        result = await fleet.call("rpcutil", "anything", options=options, colour="red")
    assert len(result.replies) == 1


async def test_a_rollout_stops_after_failures(autojump_clock: MockClock, tmp_path: Path) -> None:
    scripts = {"web1": failing, "web2": honest, "web3": honest}
    async with a_fleet(tmp_path, **scripts) as fleet:
        options = choria.Options(batch=1, stop_after=1)
        result = await fleet.call("rpcutil", "ping", options=options)
    assert [reply.sender for reply in result.replies] == ["web1"]
    assert result.summary.not_asked == ("web2", "web3")
    assert result.summary.stopped.startswith("failures")


async def test_wrong_options_are_told_at_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as fleet:
        with pytest.raises(UsageError, match="stop"):
            fleet.call("rpcutil", "ping", options=choria.Options(stop_after=1))
        with pytest.raises(UsageError, match="given twice"):
            fleet.call("rpcutil", "get_fact", inputs={"fact": "a"}, fact="b")
        with pytest.raises(UsageError, match="timeout_s"):
            fleet.call("rpcutil", "ping", options=choria.Options(timeout_s=-1))


async def test_many_questions_at_the_same_time(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with a_fleet(tmp_path, web1=honest, web2=honest) as fleet, trio.open_nursery() as nursery:
        results: list[choria.Result[Any]] = []

        async def one() -> None:
            results.append(await fleet.call("rpcutil", "ping"))

        for _ in range(10):
            nursery.start_soon(one)
    assert [len(result.replies) for result in results] == [2] * 10


async def test_a_call_that_nobody_awaited_is_told(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_fleet(tmp_path) as fleet:
        with pytest.warns(RuntimeWarning, match=r"rpcutil\.ping was never asked"):
            fleet.call("rpcutil", "ping")
