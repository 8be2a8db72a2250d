"""Whole networks in memory with real relay programs between them, driven by the model's traces.

Each network has a real hub, a client, a node and relays that run ``run_relay`` over real sessions. Two
gates make the steps of the model visible: what a member publishes waits in front of its hub, and what
a hub routes to a relay waits in front of that relay, until the trace says that it goes on. All else is
the code as it runs: encoding, permissions, the choice of the relay, the windows, the virtual clock.
"""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, Final, cast

import attrs
import trio
import trio.testing

from choria.broker.groups import weight
from choria.broker.member import Member as Linked
from choria.errors import Reason
from choria.federation import run_relay
from choria.federation.window import KEEP_S, SLOT_S
from choria.net import Incoming
from choria.net.bytequeue import ByteQueue
from choria.wire import split_tail
from tests.support.relay_sites import AGENT, NODE, HeldBack, Site, a_session, relay_member
from tests.support.traces import Step

LATER_S: Final = KEEP_S + SLOT_S
_serial = itertools.count().__next__


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
        published = len(site.gate) - before
        if step["out"] == "refused":
            await self._refused(site, payload, published)
        else:
            assert published == (step["out"] == "carried")

    async def _refused(self, site: Site, payload: bytes, published: int) -> None:
        """What is for a third network: the relay refuses it, or the far broker does."""
        refused = site.network.hub.counters.refused_frames
        count, waiting = refused[Reason.NOT_PERMITTED], self._waiting()
        if published:
            site.release(payload)
            await trio.testing.wait_all_tasks_blocked()
        assert refused[Reason.NOT_PERMITTED] == count + published
        assert self._waiting() == waiting

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
