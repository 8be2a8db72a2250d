"""A session over the shell in memory, with a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.errors import BrokersRefuse, BrokerUnreachable, FrameRefused, LocalProtocolError, Reason
from choria.net import Engine, MemoryShell, Session, SessionSettings, open_session
from choria.wire import Error, Goodbye, Limits, Publish, Routed, Subscribe, tail_of
from tests.support.seeds import seeded
from tests.support.switches import EchoSwitch, a_principal

FRAME_AFTER_HELLO = 1


@asynccontextmanager
async def a_shell(switch: EchoSwitch) -> AsyncIterator[MemoryShell]:
    engine = Engine(switch, rng=seeded(1), limits=Limits())
    shell = MemoryShell(engine)
    async with trio.open_nursery() as nursery:
        await nursery.start(shell.run)
        yield shell
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_session(shell: MemoryShell, name: str = "rip", **settings) -> AsyncIterator[Session]:
    async with open_session(
        shell.connector(a_principal(name)),
        SessionSettings(**settings),
        rng=seeded(2),
        now_ms=lambda: 400,
    ) as session:
        yield session


async def test_is_welcomed_and_knows_broker_and_clock(autojump_clock: MockClock) -> None:
    # CWP-6.2-6
    async with a_shell(EchoSwitch()) as shell, a_session(shell) as session:
        await session.wait_connected(5)
        assert session.broker == "b1"
        assert session.time_offset_ms == 600


async def test_messages_arrive_in_order(autojump_clock: MockClock) -> None:
    async with a_shell(EchoSwitch()) as shell, a_session(shell) as session:
        await session.wait_connected()
        await session.subscribe("choria/agent/rpcutil")
        for number in range(50):
            await session.publish(["choria/agent/rpcutil"], bytes([number]), reply="choria/reply/x")
        got = [await session.incoming.get() for _ in range(50)]
        assert [each.payload[0] for each in got] == list(range(50))
        assert got[0].subject == "choria/agent/rpcutil"
        assert got[0].reply == "choria/reply/x"


async def test_receipt_counts(autojump_clock: MockClock) -> None:
    async with a_shell(EchoSwitch()) as shell, a_session(shell) as session:
        await session.subscribe("a/b")
        receipt = await session.publish_for_receipt(["a/b", "a/c"], b"x")
        assert receipt is not None
        assert receipt.handed == 1


async def test_no_receipt_is_none_after_its_deadline(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    switch.on_event = lambda _peer, frame: isinstance(frame, Publish)
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        started = trio.current_time()
        assert await session.publish_for_receipt(["a/b"], b"x") is None
        assert trio.current_time() - started == pytest.approx(2.5)


async def test_no_receipt_when_the_link_is_lost(autojump_clock: MockClock) -> None:
    # CWP-9-9
    switch = EchoSwitch()

    def cut(peer, frame) -> bool:
        if isinstance(frame, Publish):
            peer.close(Reason.INTERNAL, "a test")
        return isinstance(frame, Publish)

    switch.on_event = cut
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        started = trio.current_time()
        assert await session.publish_for_receipt(["a/b"], b"x") is None
        assert trio.current_time() - started < 0.1


async def test_refused_publish_raises_what_the_broker_said(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()

    def refuse(peer, frame) -> bool:
        if isinstance(frame, Publish):
            number = FRAME_AFTER_HELLO
            peer.write_control(
                peer.link.send(
                    Error(reason=Reason.NOT_PERMITTED, frame=number, index=1, text="not yours")
                )
            )
        return isinstance(frame, Publish)

    switch.on_event = refuse
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        with pytest.raises(FrameRefused, match="publish on a/b: not permitted: not yours") as info:
            await session.publish_for_receipt(["a/b", "a/c"], b"x")
        assert info.value.reason is Reason.NOT_PERMITTED
        assert info.value.index == 1


async def test_refused_subscription_is_told(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()

    def refuse(peer, frame) -> bool:
        if isinstance(frame, Subscribe):
            number = FRAME_AFTER_HELLO
            error = Error(reason=Reason.NOT_PERMITTED, frame=number, index=0, text="no grant")
            peer.write_control(peer.link.send(error))
        return isinstance(frame, Subscribe)

    switch.on_event = refuse
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        await session.subscribe("c/service/aaa", group="aaa")
        await wait_all_tasks_blocked()
        assert session.refusals == ["subscribe to c/service/aaa: not permitted: no grant"]
        assert "no grant" in session.last_error
        assert session.connected


async def test_replies_go_to_the_request_they_answer(autojump_clock: MockClock) -> None:
    async with a_shell(EchoSwitch()) as shell, a_session(shell) as ours:
        async with a_session(shell, "other") as other:
            await ours.wait_connected()
            await other.wait_connected()
            prefix = f"choria/reply/alpha/{ours.inbox}/{ours.session_hex}"
            with (
                ours.open_replies("aa", max_bytes=10_000) as first,
                ours.open_replies("bb", max_bytes=10_000) as second,
            ):
                await wait_all_tasks_blocked()
                for token, payload in (("bb", b"2"), ("cc", b"3"), ("aa", b"1")):
                    await other.publish([f"{prefix}/{token}/alpha/web1"], payload)
                assert (await first.get()).payload == b"1"
                assert (await second.get()).payload == b"2"
                assert ours.late_replies == 1
            assert len(ours.incoming) == 0


async def test_replies_over_the_bound_are_counted(autojump_clock: MockClock) -> None:
    async with a_shell(EchoSwitch()) as shell, a_session(shell) as session:
        await session.wait_connected()
        prefix = f"choria/reply/alpha/{session.inbox}/{session.session_hex}"
        with session.open_replies("aa", max_bytes=3000) as replies:
            for _ in range(5):
                await session.publish([f"{prefix}/aa/alpha/web1"], b"x" * 1000)
            await wait_all_tasks_blocked()
            assert len(replies) == 2
            assert replies.dropped == 3


async def test_reconnects_resubscribes_and_keeps_its_token(autojump_clock: MockClock) -> None:
    # CWP-10.3-4, CWP-6.7-6
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        await session.subscribe("a/b", "a/c")
        await session.subscribe("a/gone")
        await session.unsubscribe("a/gone")
        for _ in range(3):
            switch.peer_of("rip").close(Reason.INTERNAL, "a test")
            await session.wait_disconnected()
            await session.wait_connected(30)
        await wait_all_tasks_blocked()
        assert session.links == 4
        assert {hello.session for hello in switch.hellos} == {bytes.fromhex(session.session_hex)}
        assert sorted(switch.peers[switch.peer_of("rip")]) == ["a/b", "a/c"]
        assert session.last_error.endswith("broker said goodbye: internal: a test")


async def test_publishes_wait_while_there_is_no_broker(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    switch.on_opened = lambda peer: bool(peer.close(Reason.BUSY, "full")) or True
    async with a_shell(switch) as shell, a_session(shell, max_outbound_bytes=5000) as session:
        await session.subscribe("a/b")
        await session.publish(["a/b"], b"early")
        while session.pending_bytes + 200 < 5000:
            session.publish_nowait(["a/b"], b"x" * 100)
        with pytest.raises(trio.WouldBlock):
            session.publish_nowait(["a/b"], b"x" * 5000)
        await trio.sleep(60)
        assert not session.connected
        assert "busy: full" in session.last_error
        switch.on_opened = lambda _peer: False
        assert (await session.incoming.get()).payload == b"early"


async def test_unreachable_says_why_at_each_broker(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    switch.on_opened = lambda peer: bool(peer.close(Reason.IDENTITY_REFUSED, "revoked")) or True
    async with a_shell(switch) as shell, a_session(shell) as session:
        with pytest.raises(BrokerUnreachable, match=r"memory:7422: .*identity refused: revoked"):
            await session.wait_connected(10)


@pytest.mark.parametrize(
    ("reason", "at_once"),
    [
        (Reason.REVOKED, True), (Reason.NOT_PERMITTED, True), (Reason.UNSUPPORTED_VERSION, True),
        (Reason.BUSY, False), (Reason.DRAINING, False), (Reason.DUPLICATE_IDENTITY, False),
    ],
)  # fmt: skip
async def test_waiting_ends_when_it_is_no_use(
    autojump_clock: MockClock, reason: Reason, at_once: bool
) -> None:
    """CWP-12-3: whoever waits for a broker learns at once what time does not heal."""
    switch = EchoSwitch()
    switch.on_opened = lambda peer: bool(peer.close(reason, "so it is")) or True
    async with a_shell(switch) as shell, a_session(shell) as session:
        began = trio.current_time()
        with pytest.raises(BrokerUnreachable, match="so it is") as told:
            await session.wait_connected(10)
        assert isinstance(told.value, BrokersRefuse) is at_once
        assert (trio.current_time() - began < 1) is at_once
        if at_once:  # a broker that has changed its mind is found all the same
            switch.on_opened = lambda _peer: False
            await session.wait_connected()
            await session.wait_connected(0.1)


async def test_wrong_network_is_left_at_once(autojump_clock: MockClock) -> None:
    switch = EchoSwitch(network="beta")
    async with a_shell(switch) as shell, a_session(shell) as session:
        with pytest.raises(BrokerUnreachable, match="is of network beta, we are of alpha"):
            await session.wait_connected(5)
        goodbyes = [event for event in switch.events if isinstance(event, Goodbye)]
        assert goodbyes[0].reason is Reason.WRONG_NETWORK


async def test_silent_broker_is_given_up_after_10_s(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    switch.on_opened = lambda _peer: True
    async with a_shell(switch) as shell, a_session(shell) as session:
        with pytest.raises(BrokerUnreachable, match="no WELCOME within 10 s"):
            await session.wait_connected(10.1)


async def test_retry_after_is_honoured(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        gone_at = trio.current_time()
        switch.peer_of("rip").close(Reason.DRAINING, "restart", retry_after_s=120.0)
        await session.wait_disconnected()
        await session.wait_connected()
        assert 120 <= trio.current_time() - gone_at < 145


async def test_retry_after_is_capped_at_ten_minutes(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        gone_at = trio.current_time()
        switch.peer_of("rip").close(Reason.DRAINING, "restart", retry_after_s=86_400.0)
        await session.wait_disconnected()
        await session.wait_connected()
        assert 600 <= trio.current_time() - gone_at < 625


async def test_idle_link_lives_on_pings(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        await trio.sleep(3600)
        assert session.links == 1
        assert switch.closed_peers == []


async def test_mute_broker_is_declared_dead(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        shell.engine.turn = lambda: None  # type: ignore[method-assign]  # hangs, as if stopped
        with trio.fail_after(80):
            await session.wait_disconnected()
        assert "timeout" in session.last_error


async def test_leaving_sends_what_waits_and_says_goodbye(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        async with a_session(shell) as session:
            await session.wait_connected()
            for _ in range(10):
                session.publish_nowait(["a/b"], b"x" * 50_000)
        assert sum(isinstance(event, Publish) for event in switch.events) == 10
        assert isinstance(switch.events[-1], Goodbye)
        await wait_all_tasks_blocked()
        assert switch.closed_peers == [("rip", Reason.NORMAL)]


async def test_an_exception_of_the_block_comes_out_bare(autojump_clock: MockClock) -> None:
    async with a_shell(EchoSwitch()) as shell:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012  # the block is what is tested
            async with a_session(shell) as session:
                await session.wait_connected()
                raise ZeroDivisionError


async def test_cancelling_the_block_leaves_no_link(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        with trio.move_on_after(5):
            async with a_session(shell) as session:
                await session.wait_connected()
                await trio.sleep_forever()
        await wait_all_tasks_blocked()
        assert switch.peers == {}
        assert [name for name, _ in switch.closed_peers] == ["rip"]


async def test_cancelled_while_a_full_queue_stops_reading(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell:
        with trio.move_on_after(5):
            async with a_session(shell, max_incoming_bytes=1000) as session:
                await session.subscribe("a/b")
                for _ in range(20):
                    await session.publish(["a/b"], b"x" * 900)
                await trio.sleep_forever()
        await wait_all_tasks_blocked()
        assert switch.peers == {}


async def test_payload_over_the_limit_is_refused_before_sending(autojump_clock: MockClock) -> None:
    async with a_shell(EchoSwitch()) as shell, a_session(shell) as session:
        await session.wait_connected()
        with pytest.raises(LocalProtocolError, match="1048577 bytes of payload") as info:
            session.publish_nowait(["a/b"], b"x" * ((1 << 20) + 1))
        assert info.value.reason is Reason.PAYLOAD_TOO_LARGE
        with pytest.raises(LocalProtocolError, match="0 subjects"):
            session.publish_nowait([], b"x")


async def test_routed_messages_and_their_receipts(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        routed = Routed(
            origin="b1", sequence=1, receipt_id=7, remaining_ms=500, pairs=((0, "a/b"),),
            tail=tail_of(b"x"),
        )  # fmt: skip
        peer = switch.peer_of("rip")
        peer.write(peer.link.send(routed))
        message = await session.routed.get()
        assert message.frame == routed
        await session.answer_receipt(message, handed=3, without=[0])
        await wait_all_tasks_blocked()
        assert switch.events[-1].handed == 3  # type: ignore[union-attr]
        peer.write(peer.link.send(routed))
        message = await session.routed.get()
        peer.close(Reason.INTERNAL, "a test")
        await session.wait_disconnected()
        await session.wait_connected()
        count = len(switch.events)
        await session.answer_receipt(message, handed=3)
        await wait_all_tasks_blocked()
        assert len(switch.events) == count  # it was for a link that is gone
