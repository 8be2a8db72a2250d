"""The hub behind the shell in memory, with sessions as members: what a ping goes through."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.broker import Hub, Permissions
from choria.errors import FrameRefused, Reason
from choria.messages import (
    PresenceEntry,
    PresenceKind,
    PresenceQuery,
    decode_page,
    encode_query,
)
from choria.net import Engine, MemoryShell, Session, SessionSettings, open_session
from choria.trust import DEFAULT_GRANTS, Principal, Role
from choria.wire import Limits

NETWORK = "alpha"
REQUEST = "7" * 32


def now_ms() -> int:
    return 1_000_000 + round(1000 * trio.current_time())


class Broker:
    """A hub and its shell."""

    def __init__(self) -> None:
        limits = Limits()
        table = Permissions(NETWORK, ("c",))
        self.hub = Hub(NETWORK, "b1", limits, table, now_ms, random.Random(1))
        self.shell = MemoryShell(Engine(self.hub, rng=random.Random(1), limits=limits))

    @asynccontextmanager
    async def session(self, role: Role, name: str) -> AsyncIterator[Session]:
        connector = self.shell.connector(Principal(NETWORK, role, name, DEFAULT_GRANTS[role]))
        settings = SessionSettings(collectives=("c",))
        rng = random.Random(2)
        async with open_session(connector, settings, rng=rng, now_ms=now_ms) as session:
            await session.wait_connected(5)
            yield session

    async def node(
        self, name: str, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Answers everything that is asked, as who it is."""
        async with self.session(Role.NODE, name) as session:
            await session.subscribe("c/agent/discovery", f"c/node/{name}")
            await wait_all_tasks_blocked()
            task_status.started()
            while True:
                asked = await session.incoming.get()
                await session.publish([f"{asked.reply}/{NETWORK}/{name}"], asked.payload)


@asynccontextmanager
async def a_fleet(count: int) -> AsyncIterator[tuple[Broker, trio.Nursery]]:
    broker = Broker()
    async with trio.open_nursery() as nursery:
        await nursery.start(broker.shell.run)
        async with trio.open_nursery() as nodes:
            for number in range(count):
                await nodes.start(broker.node, f"n{number}")
            yield broker, nodes
            nodes.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


def prefix_of(session: Session) -> str:
    return f"c/reply/{NETWORK}/{session.inbox}/{session.session_hex}/{REQUEST}"


@pytest.mark.parametrize("count", [1, 40])
async def test_every_node_is_counted_and_answers(autojump_clock: MockClock, count: int) -> None:
    async with a_fleet(count) as (broker, _), broker.session(Role.CLIENT, "rip") as client:
        with client.open_replies(REQUEST, max_bytes=1 << 20) as replies:
            prefix = prefix_of(client)
            receipt = await client.publish_for_receipt(["c/agent/discovery"], b"ping", prefix)
            assert receipt is not None
            assert (receipt.handed, receipt.partial, receipt.without) == (count, False, ())
            answers = [await replies.get() for _ in range(count)]
        assert {answer.subject for answer in answers} == {
            f"{prefix}/{NETWORK}/n{number}" for number in range(count)
        }
        assert {answer.payload for answer in answers} == {b"ping"}


async def test_who_is_missing_is_named_at_once(autojump_clock: MockClock) -> None:
    async with a_fleet(2) as (broker, _), broker.session(Role.CLIENT, "rip") as client:
        targets = ["c/node/n0", "c/node/gone", "c/node/n1"]
        receipt = await client.publish_for_receipt(targets, b"ping", prefix_of(client))
        assert receipt is not None
        assert (receipt.handed, receipt.without) == (2, (1,))


async def test_a_node_that_died_is_reported_by_the_broker(autojump_clock: MockClock) -> None:
    async with a_fleet(2) as (broker, nodes), broker.session(Role.CLIENT, "rip") as client:
        nodes.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        died_ms = now_ms()
        await trio.sleep(60)
        with client.open_replies(REQUEST, max_bytes=1 << 20) as replies:
            query = PresenceQuery(
                request_id=bytes.fromhex(REQUEST), kind=PresenceKind.DEPARTED, after="n0"
            )
            await client.publish(["sys/presence/c"], encode_query(query), prefix_of(client))
            answer = await replies.get()
        assert answer.subject == f"{prefix_of(client)}/{NETWORK}/b1"
        page = decode_page(answer.payload)
        assert [entry.identity for entry in page.entries] == ["n1"]
        assert page.entries[0].at_ms == pytest.approx(died_ms, abs=5000)
        assert isinstance(page.entries[0], PresenceEntry)


async def test_the_table_holds_behind_every_shell(autojump_clock: MockClock) -> None:
    async with a_fleet(1) as (broker, _), broker.session(Role.CLIENT, "eve") as eve:
        victim = f"c/reply/{NETWORK}/{'a' * 26}/{'5' * 32}"
        with pytest.raises(FrameRefused) as refused:
            await eve.publish_for_receipt(["c/agent/discovery"], b"ping", f"{victim}/{REQUEST}")
        assert refused.value.reason is Reason.NOT_PERMITTED
        await eve.subscribe(f"{victim}/**")
        await wait_all_tasks_blocked()
        assert len(eve.refusals) == 1
        assert broker.hub.counters.refused_frames == {Reason.NOT_PERMITTED: 2}


async def test_a_session_comes_back_to_its_name(autojump_clock: MockClock) -> None:
    """A link that broke without our noticing is the same program: nothing to brake (D9)."""
    async with a_fleet(0) as (broker, _), broker.session(Role.NODE, "web1") as node:
        await node.subscribe("c/node/web1")
        async with broker.session(Role.CLIENT, "rip") as client:
            for _ in range(5):
                await wait_all_tasks_blocked()
                (member,) = [m for m in broker.hub._members if m.principal.name == "web1"]
                member.peer.close(Reason.INTERNAL, "a test")
                await node.wait_disconnected()
                await node.wait_connected(60)
            await wait_all_tasks_blocked()
            receipt = await client.publish_for_receipt(["c/node/web1"], b"ping")
            assert receipt is not None
            assert receipt.handed == 1
            assert broker.hub.counters.takeovers == 0
            assert broker.hub.presence_of("c") == (1, 0)
