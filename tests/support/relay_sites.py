"""Networks in memory behind gates, for walks: what is published, and what is routed to a relay, waits."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Final

import attrs
import trio
import trio.testing
from typing_extensions import override

from choria.broker.member import Member as Linked
from choria.net import RoutedMessage, Session, SessionSettings, open_session
from choria.net.bytequeue import ByteQueue
from choria.trust import Role
from choria.wire import Publish, split_tail
from tests.support.network import Member, Network, a_network, now_ms

AGENT: Final = "choria/agent/discovery"
NODE: Final = "web1"


class HeldBack(ByteQueue[RoutedMessage]):
    """A relay's incoming messages; each waits until it is chosen."""

    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.waiting: list[RoutedMessage] = []

    @override
    async def put(self, item: RoutedMessage, size: int) -> None:
        await trio.lowlevel.checkpoint()
        self.waiting.append(item)

    def choose(self, payload: bytes) -> None:
        """Let one message with ``payload`` go on."""
        item = self.find(payload)
        self.waiting.remove(item)
        self.put_nowait(item, 1)

    def find(self, payload: bytes) -> RoutedMessage:
        return next(one for one in self.waiting if split_tail(one.frame.tail).payload == payload)


@attrs.define(eq=False)
class Site:
    """One network: its hub behind a gate, its client and its node."""

    network: Network
    client: Session
    node: Session
    gate: list[tuple[Linked, Publish]] = attrs.field(factory=list)

    def close_gate(self) -> None:
        handlers = dict(self.network.hub._handlers)
        handlers[Publish] = lambda member, frame, _now: self.gate.append((member, frame))
        self.network.hub._handlers = handlers

    def find(self, payload: bytes) -> tuple[Linked, Publish]:
        return next(held for held in self.gate if split_tail(held[1].tail).payload == payload)

    def release(self, payload: bytes, *, unchecked: bool = False) -> None:
        """Let the hub take one message; ``unchecked`` as a hostile broker would."""
        member, frame = self.find(payload)
        self.gate.remove((member, frame))
        hub, now = self.network.hub, trio.current_time()
        if unchecked:
            hub._delivery.publish(member, frame, now)
        else:
            hub._publish(member, frame, now)


@asynccontextmanager
async def a_session(member: Member, seed: int) -> AsyncIterator[Session]:
    rng = random.Random(seed)
    async with open_session(member.connector, SessionSettings(), rng=rng, now_ms=now_ms) as session:
        await session.wait_connected(30)
        yield session


@cache
def relay_member(network: Network, far: str, number: int) -> Member:
    """A relay's certificate: made once a network, since keys take time."""
    return network.member(Role.RELAY, f"r{number}-{far}", [f"relay:{far}"])


@asynccontextmanager
async def joined(names: tuple[str, ...]) -> AsyncIterator[dict[str, Site]]:
    """Networks with a client and a node each, for any number of walks."""
    async with AsyncExitStack() as stack:
        sites = {}
        for name in names:
            network = await stack.enter_async_context(a_network(name))
            members = network.member(Role.CLIENT, "rip"), network.member(Role.NODE, NODE)
            client, node = [await stack.enter_async_context(a_session(m, 7)) for m in members]
            await node.subscribe(AGENT)
            sites[name] = Site(network, client, node)
        await trio.testing.wait_all_tasks_blocked()
        for site in sites.values():
            site.close_gate()
        yield sites
