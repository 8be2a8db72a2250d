"""The engine's rules, in memory and under the virtual clock; the pump's are the same ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.errors import Reason
from choria.net import Engine, EngineSettings, MemoryShell
from choria.net.memory import MemoryWire
from choria.wire import (
    Event,
    Frame,
    Goodbye,
    Hello,
    Limits,
    Link,
    Publish,
    Side,
    Subscribe,
    Welcome,
    tail_of,
)
from tests.support.seeds import seeded
from tests.support.switches import EchoSwitch, a_principal


class Member:
    """A link's other end, by hand."""

    def __init__(self, wire: MemoryWire) -> None:
        self.wire = wire
        self.link = Link(Side.MEMBER, Limits(), now=trio.current_time())

    async def send(self, *frames: Frame) -> None:
        await self.wire.send_all(b"".join(self.link.send(frame) for frame in frames))

    async def receive(self) -> list[Event]:
        while data := await self.wire.receive_some():
            if events := self.link.receive(data, trio.current_time()):
                return events
        return []

    async def log_in(self) -> None:
        session = b"\x01" * 16
        await self.send(Hello(versions=(1,), session=session, boot=session, collectives=("c",)))
        assert isinstance((await self.receive())[0], Welcome)

    async def farewell(self) -> Goodbye:
        events: list[Event] = []
        while more := await self.receive():
            events = more
        assert isinstance(events[-1], Goodbye)
        return events[-1]


@asynccontextmanager
async def a_shell(
    switch: EchoSwitch, settings: EngineSettings | None = None
) -> AsyncIterator[MemoryShell]:
    shell = MemoryShell(Engine(switch, rng=seeded(1), limits=Limits(), settings=settings))
    async with trio.open_nursery() as nursery:
        await nursery.start(shell.run)
        yield shell
        nursery.cancel_scope.cancel()


async def a_member(shell: MemoryShell, name: str = "web1") -> Member:
    connector = shell.connector(a_principal(name))
    member = Member(await connector.connect((await connector.lookup())[0]))
    await member.log_in()
    return member


def _publish(subject: str, payload: bytes) -> Publish:
    return Publish(subjects=(subject,), tail=tail_of(payload))


async def test_stranger_without_hello_is_refused_and_the_switch_never_knew(
    autojump_clock: MockClock,
) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        connector = shell.connector(a_principal())
        member = Member(await connector.connect((await connector.lookup())[0]))
        assert (await member.farewell()).reason is Reason.TIMEOUT
        assert switch.closed_peers == []
        assert shell.engine.connections == {}


async def test_cap_cuts_a_slow_reader(autojump_clock: MockClock) -> None:
    # CWP-10.2-3
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        slow, fast = await a_member(shell, "slow"), await a_member(shell, "fast")
        switch.peer_of("slow").max_pending_bytes = 10_000
        await slow.send(Subscribe(patterns=("a/b",)))
        for _ in range(20):
            await fast.send(_publish("a/b", b"x" * 1000))
        await wait_all_tasks_blocked()
        assert switch.closed_peers == [("slow", Reason.SLOW_CONSUMER)]
        goodbye = await slow.farewell()
        assert goodbye.reason is Reason.SLOW_CONSUMER
        assert "10000 may" in goodbye.text
        assert shell.engine.outbound_bytes == 0


async def test_who_takes_nothing_for_10_s_is_cut(autojump_clock: MockClock) -> None:
    # CWP-10.2-3
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        slow, fast = await a_member(shell, "slow"), await a_member(shell, "fast")
        await slow.send(Subscribe(patterns=("a/b",)))
        await fast.send(_publish("a/b", b"x" * 1000))
        await trio.sleep(9.9)
        assert switch.closed_peers == []
        await trio.sleep(0.5)
        assert switch.closed_peers == [("slow", Reason.SLOW_CONSUMER)]


async def test_who_takes_a_little_is_not_cut(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        slow, fast = await a_member(shell, "slow"), await a_member(shell, "fast")
        await slow.send(Subscribe(patterns=("a/b",)))
        for _ in range(10):
            await fast.send(_publish("a/b", b"x" * 100_000))
        for _ in range(8):
            await trio.sleep(9)
            await slow.wire.receive_some()
        assert [name for name, _ in switch.closed_peers] in ([], ["fast"])


async def test_all_together_over_the_budget_the_largest_is_cut(autojump_clock: MockClock) -> None:
    # CWP-11.1-3
    switch = EchoSwitch()
    async with a_shell(switch, EngineSettings(max_outbound_bytes=50_000)) as shell:
        little, large, fast = [await a_member(shell, name) for name in ("little", "large", "fast")]
        await little.send(Subscribe(patterns=("a/b",)))
        await large.send(Subscribe(patterns=("a/b", "a/c")))
        await fast.send(_publish("a/b", b"x" * 10_000))
        await fast.send(_publish("a/c", b"x" * 40_000))
        await wait_all_tasks_blocked()
        assert switch.closed_peers == [("large", Reason.SLOW_CONSUMER)]


async def test_partial_frames_over_the_budget_cut_the_largest(autojump_clock: MockClock) -> None:
    # CWP-11.1-3
    switch = EchoSwitch()
    async with a_shell(switch, EngineSettings(max_inbound_bytes=100_000)) as shell:
        little, large = await a_member(shell, "little"), await a_member(shell, "large")
        for member, size in ((little, 30_000), (large, 60_000)):
            data = member.link.send(_publish("a/b", b"x" * 300_000))
            await member.wire.send_all(data[:size])
            member.rest = data[size:]  # type: ignore[attr-defined]
        await large.wire.send_all(large.rest[:50_000])  # type: ignore[attr-defined]
        assert (await large.farewell()).reason is Reason.BUSY
        assert switch.closed_peers == [("large", Reason.BUSY)]


async def test_a_pause_holds_frames_of_the_same_read_and_the_sender(
    autojump_clock: MockClock,
) -> None:
    switch = EchoSwitch()
    seen: list[int] = []

    def note(peer, frame: Event) -> bool:
        if isinstance(frame, Publish):
            seen.append(frame.tail[-1])
            if len(seen) in (1, 3):
                peer.pause()
        return True

    async with a_shell(switch) as shell:
        member = await a_member(shell)
        switch.on_event = note
        await member.send(*[_publish("a/b", bytes([n])) for n in range(4)])
        with trio.move_on_after(5) as waiting:
            await member.send(_publish("a/b", bytes([4])))
        assert waiting.cancelled_caught
        assert seen == [0]
        peer = switch.peer_of("web1")
        peer.resume()
        await wait_all_tasks_blocked()
        assert seen == [0, 1, 2]
        peer.resume()
        await wait_all_tasks_blocked()
        assert seen == [0, 1, 2, 3]


async def test_a_paused_link_is_not_declared_dead(autojump_clock: MockClock) -> None:
    """D5: its PONGs are not read, which is our doing."""
    switch = EchoSwitch()
    async with a_shell(switch, EngineSettings(stalled_after_s=1e6)) as shell:
        await a_member(shell)
        switch.peer_of("web1").pause()
        await trio.sleep(3600)
        assert switch.closed_peers == []


async def test_close_flushes_first_and_tells_the_switch_once(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        member = await a_member(shell)
        await member.send(Subscribe(patterns=("a/b",)))
        await member.send(_publish("a/b", b"first"))
        peer = switch.peer_of("web1")
        peer.close(Reason.DRAINING, "enough", retry_after_s=1.5)
        peer.close(Reason.INTERNAL, "again")
        peer.write(b"dropped")
        assert switch.closed_peers == []  # never from within
        await wait_all_tasks_blocked()
        assert switch.closed_peers == [("web1", Reason.DRAINING)]
        events = await member.receive()
        assert [type(event).__name__ for event in events] == ["Deliver", "Goodbye"]
        assert events[1].retry_after_ms == 1500  # type: ignore[union-attr]
        assert await member.receive() == []


async def test_goodbye_of_a_member_is_answered(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        member = await a_member(shell)
        await member.send(Goodbye(reason=Reason.NORMAL))
        assert (await member.farewell()).reason is Reason.NORMAL
        assert switch.closed_peers == [("web1", Reason.NORMAL)]


async def test_drain_empties_the_engine(autojump_clock: MockClock) -> None:
    # CWP-10.3-3
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        members = [await a_member(shell, f"web{n}") for n in range(5)]
        shell.engine.drain()
        assert [(await member.farewell()).reason for member in members] == [Reason.DRAINING] * 5
        await shell.engine.wait_empty()
        assert len(switch.closed_peers) == 5


async def test_tick_is_called_again_when_it_says(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    times: list[float] = []

    def tick(now: float) -> float | None:
        times.append(round(now))
        return (now, now + 5, now + 100, None)[min(len(times), 4) - 1]

    async with a_shell(switch) as shell:
        start = round(trio.current_time())
        switch.on_tick = tick
        shell.engine.wake()
        await trio.sleep(1000)
        assert [time - start for time in times] == [0, 0, 5, 105]


async def test_a_raising_tick_does_not_spin(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()

    def tick(_now: float) -> float | None:
        raise KeyError

    async with a_shell(switch) as shell:
        switch.on_tick = tick
        shell.engine.wake()
        await trio.sleep(10)
        assert 50 < shell.engine.failures < 150


async def test_an_idle_engine_sleeps(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    ticks = 0

    def tick(_now: float) -> float | None:
        nonlocal ticks
        ticks += 1
        return None

    async with a_shell(switch):
        switch.on_tick = tick
        await trio.sleep(3600)
        assert ticks < 3
