"""A network that takes nothing holds back those who publish to it, and nothing is lost. CWP-14.3-7."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

from choria.broker import BrokerSettings
from choria.broker.member import Member as Linked
from choria.federation import run_relay
from choria.net import Session, SessionSettings, open_session
from choria.trust import Role
from tests.support.network import Network, a_network, now_ms

SMALL = SessionSettings(max_outbound_bytes=100_000, max_incoming_bytes=100_000)
HOLD_BYTES = 200_000
MESSAGES = [number.to_bytes(2, "big") * 5_000 for number in range(100)]
AWAY = "federation/beta/choria/agent/demo"


@attrs.frozen
class Joined:
    alpha: Network
    beta: Network
    client: Session
    other: Session
    node: Session

    def link(self, network: Network, name: str) -> Linked:
        return next(m for m in network.hub._members if m.principal.name == name)


@asynccontextmanager
async def joined() -> AsyncIterator[Joined]:
    """A client in alpha, a node in beta, one relay with little room between them."""
    async with a_network("alpha") as alpha, a_network("beta") as beta:
        alpha.hub._delivery._holding._settings = BrokerSettings(relay_hold_bytes=HOLD_BYTES)
        left, right = (
            here.member(Role.RELAY, "r1", [f"relay:{there}"])
            for here, there in ((alpha, "beta"), (beta, "alpha"))
        )
        rng = random.Random(1)
        async with (
            open_session(left.connector, SMALL, rng=rng, now_ms=now_ms) as near,
            open_session(right.connector, SMALL, rng=rng, now_ms=now_ms) as far,
            alpha.session(alpha.member(Role.CLIENT, "rip")) as client,
            alpha.session(alpha.member(Role.CLIENT, "ann")) as other,
            beta.session(beta.member(Role.NODE, "web1")) as node,
            trio.open_nursery() as nursery,
        ):
            await node.subscribe("choria/agent/demo")
            await nursery.start(run_relay, near, far, ("choria",))
            await trio.testing.wait_all_tasks_blocked()
            yield Joined(alpha, beta, client, other, node)
            nursery.cancel_scope.cancel()


async def flood(joined: Joined) -> None:
    for payload in MESSAGES:
        await joined.client.publish([AWAY], payload)


async def test_publishers_wait_and_all_arrives_once_in_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with joined() as world, trio.open_nursery() as nursery:
        publisher = world.link(world.alpha, "rip")
        blocked = world.link(world.beta, "r1")
        blocked.pause()
        nursery.start_soon(flood, world)
        await trio.testing.wait_all_tasks_blocked()
        assert publisher.pauses == 1
        relay = world.link(world.alpha, "r1").peer
        assert HOLD_BYTES < relay.pending_bytes < HOLD_BYTES + 2 * len(MESSAGES[0])
        assert len(world.node.incoming) == 0
        await world.other.publish(["choria/agent/demo"], b"who publishes elsewhere goes on")
        await trio.testing.wait_all_tasks_blocked()
        assert world.link(world.alpha, "ann").pauses == 0
        blocked.resume()
        with trio.fail_after(5):
            received = [(await world.node.incoming.get()).payload for _ in MESSAGES]
        assert received == MESSAGES
        await trio.sleep(1)
        assert (publisher.pauses, world.alpha.hub.counters.closed_links) == (0, {})


async def test_a_relay_that_takes_nothing_for_10_s_is_cut_and_holds_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with joined() as world, trio.open_nursery() as nursery:
        publisher = world.link(world.alpha, "rip")
        cut = world.link(world.alpha, "r1")
        world.link(world.beta, "r1").pause()
        nursery.start_soon(flood, world)
        await trio.testing.wait_all_tasks_blocked()
        assert publisher.pauses == 1
        await trio.sleep(12)
        assert not cut.live
        assert (publisher.live, publisher.pauses) == (True, 0)
        assert await world.client.publish_for_receipt(["choria/agent/demo"], b"still served")
        nursery.cancel_scope.cancel()
