"""A session moves to a new link, make before break: with a renewed certificate, say."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.errors import LinkLost, Reason
from choria.messages import node_subject
from choria.net import Peer
from choria.trust import Role
from choria.wire import Event, Ping, Subscribe
from tests.scenario.test_session_memory import a_session, a_shell
from tests.support.network import a_network
from tests.support.switches import EchoSwitch


async def test_the_new_link_takes_over_and_the_old_one_says_goodbye(
    autojump_clock: MockClock,
) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        await session.subscribe("a/b")
        await wait_all_tasks_blocked()
        before: list[list[type]] = []

        def opened(_peer: Peer) -> bool:
            before.append([type(event) for event in switch.events])
            return False

        switch.on_opened = opened
        await session.move()
        assert session.connected
        assert session.links == 2
        await session.publish(["a/b"], b"x")
        assert (await session.incoming.get()).payload == b"x"
        await wait_all_tasks_blocked()
        assert [hello.boot for hello in switch.hellos] == [switch.hellos[0].boot] * 2
        assert before == [[Subscribe]]  # make before break: the first link had said no GOODBYE
        assert [reason for _, reason in switch.closed_peers] == [Reason.NORMAL]


async def test_what_waits_and_what_comes_meanwhile_is_not_lost(autojump_clock: MockClock) -> None:
    """CWP-18.7-9, with the real hub: every message in order, none twice."""
    async with a_network() as network:
        node, rip = network.member(Role.NODE, "web1"), network.member(Role.CLIENT, "rip")
        async with network.session(node) as session, network.session(rip) as client:
            await session.subscribe(node_subject("choria", "web1"))
            async with trio.open_nursery() as nursery:
                got: list[bytes] = []

                async def receive() -> None:
                    while True:
                        got.append((await session.incoming.get()).payload)

                nursery.start_soon(receive)
                for number in range(20):
                    receipt = await client.publish_for_receipt(
                        [node_subject("choria", "web1")], bytes([number])
                    )
                    assert receipt is not None
                    assert receipt.handed == 1
                    if number % 5 == 0:
                        await session.move()
                await trio.sleep(10)  # the links before have gone
                assert got == [bytes([number]) for number in range(20)]
                assert session.links == 5
                assert len(network.shell.engine.connections) == 2
                nursery.cancel_scope.cancel()


async def test_a_stream_of_broadcasts_meets_a_moving_node_once_each(
    autojump_clock: MockClock,
) -> None:
    """CWP-18.7-10: published at every step of the move, between HELLO and SUBSCRIBE too."""
    async with a_network() as network:
        node, rip = network.member(Role.NODE, "web1"), network.member(Role.CLIENT, "rip")
        async with network.session(node) as session, network.session(rip) as client:
            await session.subscribe("choria/agent/a")
            await client.wait_connected(5)
            await wait_all_tasks_blocked()
            got: Counter[bytes] = Counter()
            sent, moved = 0, trio.Event()

            async def receive() -> None:
                while True:
                    got[(await session.incoming.get()).payload] += 1

            async def publish_without_end() -> None:
                nonlocal sent
                while not moved.is_set():
                    await client.publish(["choria/agent/a"], sent.to_bytes(4, "big"))
                    sent += 1
                    await trio.lowlevel.checkpoint()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                nursery.start_soon(publish_without_end)
                for _ in range(5):
                    await session.move()
                    await trio.lowlevel.checkpoint()
                moved.set()
                await trio.sleep(20)  # the links before have gone
                nursery.cancel_scope.cancel()
            assert sent > 20
            assert got == Counter(number.to_bytes(4, "big") for number in range(sent))


async def test_the_old_link_stays_until_the_new_subscriptions_were_judged(
    autojump_clock: MockClock,
) -> None:
    """CWP-18.7-10: between two connections nothing else orders SUBSCRIBE before GOODBYE."""
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.subscribe("a/b")
        await session.wait_connected()
        await wait_all_tasks_blocked()
        held: list[tuple[Peer, Ping]] = []

        def on_event(peer: Peer, event: Event) -> bool:
            if isinstance(event, Ping):
                held.append((peer, event))
            return isinstance(event, Ping)

        switch.on_event = on_event
        await session.move()
        await wait_all_tasks_blocked()
        kinds = [type(event) for event in switch.events]
        assert kinds == [Subscribe, Subscribe, Ping], "no GOODBYE yet"
        switch.on_event = lambda _peer, _event: False
        ((peer, ping),) = held
        switch.received(peer, ping, trio.current_time())
        await wait_all_tasks_blocked()
        assert [reason for _, reason in switch.closed_peers] == [Reason.NORMAL]


async def test_the_old_link_does_not_wait_for_ever(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        switch.on_event = lambda _peer, event: isinstance(event, Ping)
        await session.move()
        await trio.sleep(5.5)
        assert [reason for _, reason in switch.closed_peers] == [Reason.NORMAL]


async def test_a_refused_move_leaves_the_present_link(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.subscribe("a/b")
        await session.wait_connected()
        switch.on_opened = lambda _peer: True  # is silent
        with pytest.raises(LinkLost, match="no WELCOME"):
            await session.move()
        switch.on_opened = lambda _peer: False
        assert session.links == 1
        await session.publish(["a/b"], b"x")
        assert (await session.incoming.get()).payload == b"x"


async def test_without_a_link_there_is_nothing_to_move(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    switch.on_opened = lambda _peer: True
    async with a_shell(switch) as shell, a_session(shell) as session:
        with pytest.raises(LinkLost, match="no link to move"):
            await session.move()


async def test_cancelling_a_move_leaves_the_present_link(autojump_clock: MockClock) -> None:
    switch = EchoSwitch()
    async with a_shell(switch) as shell, a_session(shell) as session:
        await session.wait_connected()
        switch.on_opened = lambda _peer: True
        with trio.move_on_after(1) as scope:
            await session.move()
        assert scope.cancelled_caught
        switch.on_opened = lambda _peer: False
        await session.subscribe("a/b")
        await session.publish(["a/b"], b"x")
        assert (await session.incoming.get()).payload == b"x"
        with trio.fail_after(60):
            await session.move()  # and the next one works
        assert session.links >= 2
