"""Whole networks in memory with real relay programs between them, driven by the model's traces.

Each network has a real hub, a client, a node and relays that run ``run_relay`` over real sessions. Two
gates make the steps of the model visible: what a member publishes waits in front of its hub, and what
a hub routes to a relay waits in front of that relay, until the trace says that it goes on. All else is
the code as it runs: encoding, permissions, the choice of the relay, the windows, the virtual clock.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import cache
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, Final, cast

import attrs
import trio
import trio.testing
from typing_extensions import override

from choria.broker.groups import weight
from choria.broker.member import Member as Linked
from choria.errors import Reason
from choria.federation import run_relay
from choria.federation.window import KEEP_S, SLOT_S
from choria.net import Incoming, RoutedMessage, Session, SessionSettings, open_session
from choria.net.bytequeue import ByteQueue
from choria.trust import Role
from choria.wire import Publish, split_tail
from tests.support.network import Member, Network, a_network, now_ms
from tests.support.traces import Step

AGENT: Final = "choria/agent/discovery"
NODE: Final = "web1"
LATER_S: Final = KEEP_S + SLOT_S
_serial = itertools.count().__next__


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


@attrs.define(eq=False)
class Instance:
    """One relay program: what waits for it by the network that it came from."""

    scope: trio.CancelScope
    waiting: dict[str, HeldBack]
    names: dict[str, tuple[bytes, str]]


@attrs.define(eq=False)
class Relays:
    """One walk: relays that are new, in networks that are not."""

    sites: dict[str, Site]
    capacity: int
    nursery: trio.Nursery
    clock: trio.testing.MockClock
    instances: dict[tuple[tuple[str, ...], int], Instance] = attrs.field(factory=dict)
    payloads: dict[tuple[int, str], bytes] = attrs.field(factory=dict)
    hostile: set[bytes] = attrs.field(factory=set)
    old: set[int] = attrs.field(factory=set)
    ran: Counter[int] = attrs.field(factory=Counter)
    replies: dict[int, ByteQueue[Incoming]] = attrs.field(factory=dict)
    stack: ExitStack = attrs.field(factory=ExitStack)

    async def start(self, walk: list[Step]) -> None:
        """Start two relays between each two networks, and find payloads that prefer the right ones."""
        for pair in itertools.combinations(self.sites, 2):
            for number in (1, 2):
                instance = Instance(trio.CancelScope(), {}, {})
                self.instances[pair, number] = instance
                await self.nursery.start(self._relay, pair, number, instance)
        await trio.testing.wait_all_tasks_blocked()
        for step in walk:
            if step["name"] == "route":
                (pair, number), near = step["to"], step["at"]
                self._prefer(tuple(step["m"]), tuple(pair), near, number)

    def stop(self) -> None:
        for instance in self.instances.values():
            instance.scope.cancel()
        for site in self.sites.values():
            site.gate.clear()
        self.stack.close()

    async def do(self, step: Step) -> None:
        """Do one step; AssertionError if the networks do not what the model does."""
        await getattr(self, f"_{step['name']}")(step)
        await trio.testing.wait_all_tasks_blocked()

    # The steps of the model

    async def _ask(self, step: Step) -> None:
        client, number = self.sites[step["at"]].client, step["request"]
        token = sha256(b"%d" % _serial()).hexdigest()[:32]
        queue = client.open_replies(token, max_bytes=1 << 20)
        self.replies[number] = self.stack.enter_context(queue)
        payload = self._payload((number, "ask"))
        if len(step["path"]) > 1:
            self.hostile.add(payload)
        subject = "".join(f"federation/{network}/" for network in step["path"]) + AGENT
        prefix = f"choria/reply/{client.network}/{client.inbox}/{client.session_hex}/{token}"
        await client.publish([subject], payload, prefix, {7: b"travels"})

    async def _copy(self, step: Step) -> None:
        payload, (pair, number) = self._payload(tuple(step["m"])), step["to"]
        if number:
            waiting = self.instances[tuple(pair), number].waiting[step["at"]]
            waiting.waiting.append(waiting.find(payload))
        else:
            gate = self.sites[step["at"]]
            gate.gate.append(gate.find(payload))
        await trio.lowlevel.checkpoint()

    async def _route(self, step: Step) -> None:
        (pair, number), near, payload = step["to"], step["at"], self._payload(tuple(step["m"]))
        before = self._waiting()
        self.sites[near].release(payload, unchecked=payload in self.hostile)
        await trio.testing.wait_all_tasks_blocked()
        assert self._waiting() - before == Counter({(tuple(pair), number, near): 1})
        routed = self.instances[tuple(pair), number].waiting[near].find(payload)
        assert split_tail(routed.frame.tail).headers == {7: b"travels"}

    async def _nobody(self, step: Step) -> None:
        site, before = self.sites[step["at"]], self._waiting()
        unheard = site.network.hub.counters.unheard
        site.release(self._payload(tuple(step["m"])))
        await trio.testing.wait_all_tasks_blocked()
        assert (self._waiting(), site.network.hub.counters.unheard) == (before, unheard + 1)

    async def _carry(self, step: Step) -> None:
        (pair, number), near, payload = step["relay"], step["at"], self._payload(tuple(step["m"]))
        (far,) = set(pair) - {near}
        site = self.sites[far]
        before = len(site.gate)
        self.instances[tuple(pair), number].waiting[near].choose(payload)
        await trio.testing.wait_all_tasks_blocked()
        published = step["out"] in ("carried", "refused")
        assert len(site.gate) - before == published
        if step["out"] == "refused":
            refused = site.network.hub.counters.refused_frames
            count, waiting = refused[Reason.NOT_PERMITTED], self._waiting()
            site.release(payload)
            await trio.testing.wait_all_tasks_blocked()
            assert (refused[Reason.NOT_PERMITTED], self._waiting()) == (count + 1, waiting)

    async def _arrive(self, step: Step) -> None:
        site, (number, kind) = self.sites[step["at"]], step["m"]
        payload = self._payload((number, kind))
        queue = site.node.incoming if kind == "ask" else self.replies[number]
        assert len(queue) == 0
        site.release(payload)
        await trio.testing.wait_all_tasks_blocked()
        message = queue.get_nowait()
        assert (message.payload, message.headers, len(queue)) == (payload, {7: b"travels"}, 0)
        if kind == "ask":
            await self._run(site, message, number, runs=step["runs"])

    async def _run(self, site: Site, message: Incoming, number: int, *, runs: bool) -> None:
        """What a node does: the first that is fresh runs, and is answered."""
        assert (self.ran[number] == 0 and number not in self.old) == runs
        if runs:
            self.ran[number] += 1
            subject = f"{message.reply}/{site.network.name}/{NODE}"
            answer = self._payload((number, "answer"))
            await site.node.publish([subject], answer, None, {7: b"travels"})

    async def _later(self, _step: Step) -> None:
        self.old.update(self.replies)
        self.clock.jump(LATER_S)  # links find out that they were silent, and ping once
        await trio.lowlevel.checkpoint()

    async def _die(self, step: Step) -> None:
        pair, number = step["relay"]
        self.instances.pop((tuple(pair), number)).scope.cancel()
        await trio.lowlevel.checkpoint()

    # Everything else

    async def _relay(
        self, pair: tuple[str, str], number: int, instance: Instance, task_status: Any
    ) -> None:
        with instance.scope:
            async with AsyncExitStack() as stack:
                sessions = []
                for near, far in (pair, pair[::-1]):
                    member = relay_member(self.sites[near].network, far, number)
                    session = await stack.enter_async_context(a_session(member, number))
                    session.routed = instance.waiting[near] = HeldBack()
                    token = bytes.fromhex(session.session_hex)
                    instance.names[near] = (token, member.principal.name)
                    sessions.append(session)
                left, right = sessions
                await run_relay(
                    left, right, ("choria",), remember=self.capacity, task_status=task_status
                )

    def _waiting(self) -> Counter[tuple[tuple[str, ...], int, str]]:
        return Counter(
            {
                (pair, number, near): len(held.waiting)
                for (pair, number), instance in self.instances.items()
                for near, held in instance.waiting.items()
            }
        )

    def _payload(self, message: tuple[int, str]) -> bytes:
        return self.payloads.setdefault(message, b"%d" % _serial())

    def _prefer(
        self, message: tuple[int, str], pair: tuple[str, ...], near: str, number: int
    ) -> None:
        """Choose a payload for which the hub of ``near`` takes relay ``number``."""
        while message not in self.payloads:
            payload = b"%d" % _serial()
            digest = sha256(payload).digest()
            bids = {n: self._bid(pair, n, near, digest) for n in (1, 2)}
            if bids[number] == max(bids.values()):
                self.payloads[message] = payload

    def _bid(self, pair: tuple[str, ...], number: int, near: str, digest: bytes) -> bytes:
        token, name = self.instances[pair, number].names[near]
        relay = SimpleNamespace(session=token, principal=SimpleNamespace(name=name))
        return weight(cast("Linked", relay), digest)


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
