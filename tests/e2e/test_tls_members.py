"""What welcomed members may try, over real sockets: the link that does it ends, others are served."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from choria.errors import BrokerUnreachable, Reason
from choria.net import (
    Endpoint,
    EngineSettings,
    Session,
    SessionSettings,
    StaticEndpoints,
    TlsConnector,
    open_session,
    wall_clock_ms,
)
from choria.wire import (
    Goodbye,
    Hello,
    Limits,
    Ping,
    Pong,
    Publish,
    Subscribe,
    encode_frame,
    tail_of,
)
from tests.support.seeds import seeded
from tests.support.switches import EchoSwitch
from tests.support.tls13 import record_maker
from tests.support.tls_world import Credentialed, Port, a_port, a_raw_member, a_tls_session


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Credentialed:
    return Credentialed(tmp_path_factory.mktemp("members"))


@asynccontextmanager
async def a_served_member(
    world: Credentialed, switch: EchoSwitch, **port_facts
) -> AsyncIterator[tuple[Port, Session]]:
    with trio.fail_after(15):
        async with a_port(switch, world.broker, **port_facts) as port:
            async with a_tls_session(port.number, world.of("client", "rip")) as session:
                await session.wait_connected(5)
                await session.subscribe("a/b")
                yield port, session
                receipt = await session.publish_for_receipt(["a/b"], b"still here")
                assert receipt is not None
                assert receipt.handed == 1
                assert session.links == 1


async def _until_closed(switch: EchoSwitch, count: int = 1) -> None:
    while len(switch.closed_peers) < count:  # noqa: ASYNC110  # the switch is no Trio code
        await trio.sleep(0.005)


async def test_messages_of_all_sizes_arrive_whole_and_in_order(world: Credentialed) -> None:
    switch = EchoSwitch()
    sizes = [0, 1, 23, 24, 255, 256, 16_383, 16_384, 16_385, 65_536, 300_000, 1 << 20, 5, 0]
    async with a_served_member(world, switch) as (_, session):
        for number, size in enumerate(sizes):
            await session.publish(["a/b"], bytes([number]) * size)
        for number, size in enumerate(sizes):
            assert (await session.incoming.get()).payload == bytes([number]) * size


async def test_hello_publish_and_ping_in_one_record(world: Credentialed) -> None:
    """E6: what came with the last byte of the stranger's phase is not lost."""
    switch = EchoSwitch()
    async with a_served_member(world, switch) as (port, session):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            publish = Publish(subjects=("a/b",), tail=tail_of(b"together"))
            await member.send_plain(member.link.send(Ping(token=9)) + member.link.send(publish))
            assert (await session.incoming.get()).payload == b"together"
            await member.until_pong()


BAD_FRAMES = {
    "over-long": (b"\x5a\x7f\xff\xff\xff", Reason.FRAME_TOO_LARGE),
    "deep-nesting": (b"\x58\x29" + b"\x81" * 40 + b"\x00", Reason.MALFORMED),
    "duplicate-keys": (b"\x47\x82\x03\xa2\x01\x01\x01\x02", Reason.MALFORMED),
    "trailing-bytes": (b"\x44\x82\x03\x00\x00", Reason.MALFORMED),
    "forbidden-tag": (b"\x44\x82\x03\xc1\x00", Reason.MALFORMED),
    "unknown-type": (b"\x43\x81\x18\x63", Reason.UNKNOWN_FRAME),
    "second-hello": (None, Reason.ILLEGAL_STATE),
}


@pytest.mark.parametrize(("data", "reason"), BAD_FRAMES.values(), ids=BAD_FRAMES)
async def test_bad_frame(world: Credentialed, data: bytes | None, reason: Reason) -> None:
    switch = EchoSwitch()
    async with a_served_member(world, switch) as (port, _):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            await member.send_plain(data or encode_frame(switch.hellos[0]))
            assert (await member.farewell()).reason is reason
        await _until_closed(switch)
        assert switch.closed_peers == [("web1", reason)]


async def test_frames_before_a_bad_one_count(world: Credentialed) -> None:
    switch = EchoSwitch()
    async with a_served_member(world, switch) as (port, session):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            good = member.link.send(Publish(subjects=("a/b",), tail=tail_of(b"good")))
            await member.send_plain(good + b"\xff")
            assert (await member.farewell()).reason is Reason.MALFORMED
        assert (await session.incoming.get()).payload == b"good"


async def test_truncated_frame_then_close_delivers_nothing(world: Credentialed) -> None:
    switch = EchoSwitch()
    async with a_served_member(world, switch) as (port, session):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            data = member.link.send(Publish(subjects=("a/b",), tail=tail_of(b"x" * 1000)))
            await member.send_plain(data[:-1])
        await _until_closed(switch)
        assert switch.closed_peers == [("web1", None)]
        assert len(session.incoming) == 0


async def test_reset_mid_frame(world: Credentialed) -> None:
    switch = EchoSwitch()
    async with a_served_member(world, switch) as (port, session):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            data = member.link.send(Publish(subjects=("a/b",), tail=tail_of(b"x" * 1000)))
            await member.send_plain(data[:-1])
            peer = switch.peer_of("web1")
            member.reset()
        await _until_closed(switch)
        assert switch.closed_peers == [("web1", None)]
        assert len(session.incoming) == 0
        assert port.engine.failures == 0
        assert not hasattr(peer, "tls")  # 23 KB that would wait in the wheel for 25 s
        assert peer.pending_bytes == 0


async def test_broken_tls_record_gets_an_alert(world: Credentialed) -> None:
    switch = EchoSwitch()
    async with a_served_member(world, switch) as (port, _):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            await member.stream.send_all(b"\x17\x03\x03\x00\x20" + b"\x00" * 32)
            with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
                await member.receive()
        await _until_closed(switch)


async def test_key_update_flood_is_cut_while_others_are_answered(
    world: Credentialed, tmp_path: Path
) -> None:
    """E1: 7 MB of KeyUpdates froze an SSLSocket for 6.3 s; here they cost one link."""
    switch = EchoSwitch()
    credentials = world.of("node", "web1")
    context = credentials.member_context()
    context.keylog_filename = str(tmp_path / "keys")
    async with a_served_member(world, switch) as (port, session):
        async with a_raw_member(port.number, credentials, context=context) as member:
            await member.log_in()
            maker = record_maker(member.tls, tmp_path / "keys", sent=member.records_sent)
            flood = b"".join([maker.key_update() for _ in range(12_000)])
            slowest = 0.0
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send_until_broken, member.stream, flood)
                while not switch.closed_peers:
                    started = trio.current_time()
                    assert await session.publish_for_receipt(["a/b"], b"x") is not None
                    slowest = max(slowest, trio.current_time() - started)
                goodbye = await member.farewell()
                nursery.cancel_scope.cancel()
        assert goodbye.reason is Reason.FLOOD
        assert switch.closed_peers == [("web1", Reason.FLOOD)]
        assert slowest < 0.5  # steps of 16 KiB are 22 ms at worst; CI machines are slow


async def _send_until_broken(stream: trio.SocketStream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        return


async def test_a_few_key_updates_are_welcome(world: Credentialed, tmp_path: Path) -> None:
    switch = EchoSwitch()
    credentials = world.of("node", "web1")
    context = credentials.member_context()
    context.keylog_filename = str(tmp_path / "keys")
    async with a_served_member(world, switch) as (port, session):
        async with a_raw_member(port.number, credentials, context=context) as member:
            await member.log_in()
            maker = record_maker(member.tls, tmp_path / "keys", sent=member.records_sent)
            for number in range(20):
                publish = Publish(subjects=("a/b",), tail=tail_of(bytes([number])))
                records = maker.key_update(answer_wanted=True) + maker.data(
                    member.link.send(publish)
                )
                await member.stream.send_all(records)
            got = [(await session.incoming.get()).payload[0] for _ in range(20)]
            assert got == list(range(20))
            await member.stream.send_all(maker.data(member.link.send(Subscribe(patterns=("z/z",)))))
            await session.publish(["z/z"], b"and back")
            events = await member.receive()
            assert events[0].subject == "z/z"  # type: ignore[union-attr]


async def test_member_that_reads_nothing_is_cut_by_the_cap(world: Credentialed) -> None:
    switch = EchoSwitch()

    def small(peer) -> bool:
        peer.max_pending_bytes = 1 << 20
        return False

    switch.on_opened = small
    settings = EngineSettings(close_within_s=0.2)
    async with a_served_member(world, switch, settings=settings) as (port, session):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            await member.send(Subscribe(patterns=("big/one",)))
            while not switch.closed_peers:
                await session.publish(["big/one"], b"x" * 500_000)
                await session.publish_for_receipt(["a/b"], b"served meanwhile")
        assert switch.closed_peers == [("web1", Reason.SLOW_CONSUMER)]
        while port.engine.outbound_bytes:  # noqa: ASYNC110  # the frame that was begun is dropped with the link
            await trio.sleep(0.01)


async def test_member_that_stops_reading_is_cut_by_the_deadline(world: Credentialed) -> None:
    switch = EchoSwitch()
    settings = EngineSettings(stalled_after_s=0.3, close_within_s=0.2)
    async with a_served_member(world, switch, settings=settings) as (port, session):
        peak = 0

        def roomy(peer) -> bool:
            peer.max_pending_bytes = 64 << 20
            return False

        switch.on_opened = roomy
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            await member.send(Subscribe(patterns=("big/one",)))
            peer = switch.peer_of("web1")
            while not peer.pending_bytes:
                await session.publish(["big/one"], b"x" * 500_000)
                await session.publish_for_receipt(["a/b"], b"served meanwhile")
            peak = peer.pending_bytes
            await _until_closed(switch)
            goodbye = None
            async for events in _all(member):
                goodbye = events[-1]
        assert peak < 64 << 20
        assert switch.closed_peers == [("web1", Reason.SLOW_CONSUMER)]
        assert goodbye is None or isinstance(goodbye, Goodbye) or goodbye.TYPE == 10


async def _all(member) -> AsyncIterator:
    try:
        while events := await member.receive():
            yield events
    except (ssl.SSLError, trio.BrokenResourceError):
        return


async def test_paused_member_that_resets_does_not_spin(world: Credentialed) -> None:
    """E5: epoll reports HUP and ERR with an empty mask."""
    switch = EchoSwitch()
    async with a_served_member(world, switch) as (port, _):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            switch.peer_of("web1").pause()
            await member.send(Ping(token=1))
            member.reset()
        await _until_closed(switch)
        rounds = 0
        turn = port.engine.turn

        def counted() -> float | None:
            nonlocal rounds
            rounds += 1
            return turn()

        port.engine.turn = counted  # type: ignore[method-assign]
        await trio.sleep(0.1)
        assert rounds < 10


async def test_frames_behind_a_pause_wait_in_order(world: Credentialed) -> None:
    switch = EchoSwitch()
    paused = []

    def pause_once(peer, frame) -> bool:
        if isinstance(frame, Publish) and not paused:
            paused.append(peer)
            peer.pause()
        return False

    async with a_served_member(world, switch) as (port, session):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            switch.on_event = pause_once
            frames = [Publish(subjects=("a/b",), tail=tail_of(bytes([n]))) for n in range(5)]
            await member.send_plain(b"".join(member.link.send(frame) for frame in frames[:3]))
            for frame in frames[3:]:
                await member.send(frame)
            assert (await session.incoming.get()).payload == b"\x00"
            assert await session.publish_for_receipt(["x/x"], b"") is not None
            assert len(session.incoming) == 0
            paused[0].resume()
            assert [(await session.incoming.get()).payload[0] for _ in range(4)] == [1, 2, 3, 4]


@pytest.mark.parametrize("call", ["received", "opened", "closed"])
async def test_a_failing_switch_costs_one_link(world: Credentialed, call: str) -> None:
    """E3: whatever the switch raises, one link ends and the pump goes on."""
    switch = EchoSwitch()

    def fail(peer, *_: object) -> bool:
        if switch.principals[peer].name == "web1":
            raise KeyError(call)
        return False

    async with a_served_member(world, switch) as (port, _):
        setattr(
            switch,
            {"received": "on_event", "opened": "on_opened", "closed": "on_closed"}[call],
            fail,
        )
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.shake()
            await member.send(
                Hello(
                    versions=(1,), session=b"\x05" * 16, boot=b"\x06" * 16, collectives=("choria",)
                )
            )
            if call != "opened":
                await member.receive()
                await member.send(Ping(token=1))
            if call != "closed":
                assert (await member.farewell()).reason is Reason.INTERNAL
        await _until_closed(switch)
        assert port.engine.failures == 1


async def test_a_failing_tick_is_retried_and_harms_nobody(world: Credentialed) -> None:
    switch = EchoSwitch()

    def fail(_now: float) -> float | None:
        raise KeyError("tick")

    async with a_served_member(world, switch) as (port, _):
        switch.on_tick = fail
        await trio.sleep(0.05)
        port.engine.wake()
        await trio.sleep(0.05)
        switch.on_tick = lambda _now: None
        assert 0 < port.engine.failures < 10


async def test_failing_transport_costs_one_link(world: Credentialed) -> None:
    switch = EchoSwitch()
    async with a_served_member(world, switch) as (port, _):
        async with a_raw_member(port.number, world.of("node", "web1")) as member:
            await member.log_in()
            broken = switch.peer_of("web1")
            broken.tls = SimpleNamespace(out=SimpleNamespace(pending=0))  # type: ignore[attr-defined]  # whatever it is, it raises
            broken.write(encode_frame(Pong(token=1)))
            await _until_closed(switch)
        assert switch.closed_peers[0][0] == "web1"


async def test_shutdown_says_goodbye_and_session_comes_back(world: Credentialed) -> None:
    first, second = EchoSwitch(broker="b1"), EchoSwitch(broker="b2")
    other = world.of("broker", "b2", dns=["localhost"], ips=["127.0.0.1"])
    with trio.fail_after(10):
        async with a_port(first, world.broker) as one, a_port(second, other) as two:
            rng = seeded(9)
            endpoints = StaticEndpoints(
                [Endpoint("127.0.0.1", one.number), Endpoint("127.0.0.1", two.number)], rng=rng
            )
            connector = TlsConnector(endpoints, world.of("client", "rip"))
            async with open_session(
                connector, SessionSettings(), rng=rng, now_ms=wall_clock_ms
            ) as session:
                await session.wait_connected(5)
                before = session.broker
                (one if before == "b1" else two).shutdown.set()
                await session.wait_disconnected()
                await session.wait_connected(5)
                assert session.broker != before
                assert "draining: the broker stops" in session.last_error


async def test_cancelling_the_port_closes_every_socket(world: Credentialed) -> None:
    with trio.fail_after(5):
        async with a_port(EchoSwitch(), world.broker) as port:
            member_at = a_raw_member(port.number, world.of("client", "rip"))
            member = await member_at.__aenter__()
            await member.log_in()
        with contextlib.suppress(ssl.SSLError, trio.BrokenResourceError):
            assert await member.receive() == []
        await member_at.__aexit__(None, None, None)


async def test_silent_member_is_dropped(world: Credentialed) -> None:
    switch = EchoSwitch()
    with trio.fail_after(10):
        limits = Limits(hello_within_s=1.0, ping_interval_s=0.1)
        async with a_port(switch, world.broker, limits=limits) as port:
            async with a_raw_member(port.number, world.of("node", "web1")) as member:
                await member.log_in()
                assert (await member.farewell()).reason is Reason.TIMEOUT
        assert switch.closed_peers == [("web1", Reason.TIMEOUT)]


async def test_nothing_listens(world: Credentialed) -> None:
    async with a_tls_session(1, world.of("client", "rip")) as session:
        with pytest.raises(
            BrokerUnreachable, match=r"127\.0\.0\.1:1: cannot connect: Connection refused"
        ):
            await session.wait_connected(0.5)
