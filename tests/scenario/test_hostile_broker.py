"""A broker in an attacker's hands, between real nodes and a real client: what it can do, and what not.

It holds a genuine broker's certificate, sees every message and delivers what it likes instead.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from choria.agents import rpcutil_agent
from choria.broker import Hub, Permissions
from choria.ca import create_authority
from choria.client import Call, Caller, CallResult, Scope, call, discover
from choria.errors import Reason, Refusal
from choria.messages import (
    Reply,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    is_signed,
    refuse,
)
from choria.net import Endpoint, Engine, MemoryConnector, MemoryShell, SessionSettings, open_session
from choria.node import (
    FactSources,
    FactStore,
    MemoryLog,
    NodeParts,
    NodeSettings,
    make_snapshot,
    run_node,
    verify_inline,
)
from choria.policy import PolicySet
from choria.trust import Principal, Role, Verifier, open1
from choria.wire import Event, Goodbye, Limits, Publish, reply_of, split_tail, tail_of
from tests.support.network import BEGIN_MS, Network, now_ms
from tests.support.node_world import Witness
from tests.support.switches import EchoSwitch

NODES = ("web1", "web2", "db1")
ALLOW = PolicySet(
    {f"{agent}.policy": "policy default allow\n" for agent in ("discovery", "rpcutil")}
)
Plot = Callable[[Publish], Iterable[Publish]]
"""What is delivered instead of a message."""


class HostileHub(Hub):
    """Delivers what ``plot`` makes of each message, in whoever's name, past every permission."""

    plot: Plot

    def received(self, peer: Any, frame: Event, now: float) -> None:
        if not isinstance(frame, Publish) or frame.subjects[0].startswith("sys/"):
            super().received(peer, frame, now)
            return
        peer.member.frames += 1
        for other in self.plot(frame):
            self._delivery.publish(peer.member, other, now)


@asynccontextmanager
async def a_hostile_network(plot: Plot) -> AsyncIterator[tuple[Network, dict[str, Witness]]]:
    rng, limits = random.Random(1), Limits()
    hub = HostileHub("alpha", "b1", limits, Permissions("alpha", ["choria"]), now_ms, rng)
    hub.plot = plot
    network = Network(
        create_authority("alpha", BEGIN_MS), hub, MemoryShell(Engine(hub, rng=rng, limits=limits))
    )
    audits = {name: Witness() for name in NODES}
    async with trio.open_nursery() as nursery:
        await nursery.start(network.shell.run)
        for name in NODES:
            await nursery.start(_run_node, network, name, audits[name])
        yield network, audits
        nursery.cancel_scope.cancel()


async def _run_node(
    network: Network, name: str, audit: Witness, task_status: trio.TaskStatus[None]
) -> None:
    node = network.member(Role.NODE, name)
    facts = FactStore(FactSources(), now_ms)
    facts.current = make_snapshot({}, collected_ms=now_ms())
    parts = NodeParts(
        signer=node.signer,
        verify=verify_inline(Verifier(network.issuers), now_ms),
        agents=[rpcutil_agent()],
        policies=lambda: ALLOW,
        facts=facts,
        requests=MemoryLog(),
        audit=audit,
        now_ms=now_ms,
    )
    async with network.session(node) as session, trio.open_nursery() as nursery:

        async def serve(task_status: Any) -> None:
            settings = NodeSettings()
            await run_node(session, parts, settings, shutdown=trio.Event(), task_status=task_status)

        await nursery.start(serve)
        await trio.testing.wait_all_tasks_blocked()
        task_status.started()


def is_call(frame: Publish) -> bool:
    """A request that is not discovery; its answers are no requests."""
    if "/reply/" in frame.subjects[0] or not is_signed(split_tail(frame.tail).payload):
        return False
    return decode_request(open1(split_tail(frame.tail).payload).payload).agent == "rpcutil"


def is_reply_of_call(frame: Publish) -> bool:
    return "/reply/" in frame.subjects[0] and is_signed(split_tail(frame.tail).payload)


def with_tail(frame: Publish, *, payload: bytes | None = None, reply: str | None = None) -> bytes:
    inner = split_tail(frame.tail)
    return tail_of(
        inner.payload if payload is None else payload,
        reply=reply or inner.reply,
        headers=inner.headers,
    )


def to(frame: Publish, *subjects: str, tail: bytes | None = None) -> Publish:
    return Publish(subjects=subjects, receipt_id=0, tail=tail or frame.tail)


async def ask(caller: Caller, *names: str) -> CallResult:
    """Call ``rpcutil ping`` on the named nodes."""
    scope = Scope(network="alpha", collective="choria", identities=names)
    found = await discover(caller, scope, timeout_s=2)
    what = Call(agent="rpcutil", action="ping", inputs={})
    return await call(caller, what, scope, found, timeout_s=5, on_answer=lambda _: None)


def ran(audit: Witness) -> int:
    """How often an action was run."""
    return sum(r.agent == "rpcutil" and r.outcome.value == "allowed" for r in audit.records)


async def attack(plot: Plot, *names: str) -> tuple[CallResult, dict[str, Witness]]:
    async with a_hostile_network(plot) as (network, audits), network.caller() as caller:
        result = await ask(caller, *names)
        await trio.testing.wait_all_tasks_blocked()
        return result, audits


def honest(frame: Publish) -> Iterator[Publish]:
    yield frame


async def test_without_a_plot_everybody_answers(autojump_clock: MockClock) -> None:
    result, audits = await attack(honest, *NODES)
    assert sorted(answer.sender for answer in result.answers) == sorted(NODES)
    assert [ran(audit) for audit in audits.values()] == [1, 1, 1]


async def test_it_cannot_aim_a_request_at_somebody_else(autojump_clock: MockClock) -> None:
    def plot(frame: Publish) -> Iterator[Publish]:
        yield to(frame, "choria/node/web1", "choria/node/db1") if is_call(frame) else frame

    result, audits = await attack(plot, "web1")
    assert [answer.sender for answer in result.answers] == ["web1"]
    assert (ran(audits["web1"]), ran(audits["db1"])) == (1, 0)
    assert "re-aimed" in audits["db1"].outcomes


async def test_nobody_else_answers_for_whom_was_asked(autojump_clock: MockClock) -> None:
    """Another node's genuine answer counts for nobody, while the one that was asked is cut off."""

    def plot(frame: Publish) -> Iterator[Publish]:
        if is_call(frame):
            yield to(frame, "choria/node/web1", "choria/node/db1")
        elif not (is_reply_of_call(frame) and frame.subjects[0].endswith("/web1")):
            yield frame

    result, _ = await attack(plot, "web1")
    assert (result.answers, result.silent) == ([], ("web1",))
    assert result.gathered.unexpected == ["db1"]


async def test_it_cannot_make_a_broadcast_of_a_directed_request(autojump_clock: MockClock) -> None:
    def plot(frame: Publish) -> Iterator[Publish]:
        yield to(frame, "choria/agent/rpcutil") if is_call(frame) else frame

    _, audits = await attack(plot, "web1")
    assert [ran(audit) for audit in audits.values()] == [0, 0, 0]
    assert all("re-aimed" in audit.outcomes for audit in audits.values())


async def test_it_cannot_run_a_request_again(autojump_clock: MockClock) -> None:
    kept: list[Publish] = []

    def plot(frame: Publish) -> Iterator[Publish]:
        if is_call(frame):
            kept.append(frame)
        yield from (*kept, frame)

    async with a_hostile_network(plot) as (network, audits), network.caller() as caller:
        await ask(caller, "web1")
        await ask(caller, "web1")
    assert ran(audits["web1"]) == 2
    assert audits["web1"].outcomes.count("duplicate") >= 3


async def test_it_cannot_change_a_request(autojump_clock: MockClock) -> None:
    def plot(frame: Publish) -> Iterator[Publish]:
        payload = split_tail(frame.tail).payload
        if is_call(frame):
            changed = payload.replace(b"ping", b"pong")
            yield to(frame, *frame.subjects, tail=with_tail(frame, payload=changed))
        else:
            yield frame

    result, audits = await attack(plot, "web1")
    assert ran(audits["web1"]) == 0
    assert "untrusted" in audits["web1"].outcomes
    assert (result.answers, result.silent) == ([], ("web1",))


async def test_it_cannot_ask_by_itself(autojump_clock: MockClock) -> None:
    """With its own genuine certificate, a good signature and an id of its own."""
    async with a_hostile_network(honest) as (network, audits), network.caller() as caller:
        broker = network.member(Role.BROKER, "b1")
        forging: list[bool] = []

        def plot(frame: Publish) -> Iterator[Publish]:
            if is_call(frame) and not forging:
                forging.append(True)
                request = decode_request(open1(split_tail(frame.tail).payload).payload)
                forged = broker.signer.sign_request(encode_request(request))
                yield to(frame, *frame.subjects, tail=with_tail(frame, payload=forged))
            else:
                yield frame

        network.hub.plot = plot  # type: ignore[attr-defined]
        await ask(caller, "web1")
        await trio.testing.wait_all_tasks_blocked()
    assert forging
    assert ran(audits["web1"]) == 0
    assert "untrusted" in audits["web1"].outcomes


async def test_it_cannot_have_a_fleet_answer_somebody_else(autojump_clock: MockClock) -> None:
    async with a_hostile_network(honest) as (network, audits), network.caller("rip") as caller:
        async with network.caller("victim") as victim:

            def plot(frame: Publish) -> Iterator[Publish]:
                if is_call(frame):
                    prefix = (reply_of(frame.tail) or "").split("/")
                    prefix[3:5] = [victim.session.inbox, victim.session.session_hex]
                    tail = with_tail(frame, reply="/".join(prefix))
                    yield to(frame, *frame.subjects, tail=tail)
                else:
                    yield frame

            network.hub.plot = plot  # type: ignore[attr-defined]
            result = await ask(caller, *NODES)
    assert result.answers == []
    assert [ran(audit) for audit in audits.values()] == [0, 0, 0]
    assert all("reflected" in audit.outcomes for audit in audits.values())


async def test_it_cannot_put_one_nodes_answer_under_anothers_name(
    autojump_clock: MockClock,
) -> None:
    def plot(frame: Publish) -> Iterator[Publish]:
        if is_reply_of_call(frame):
            yield to(frame, frame.subjects[0].rpartition("/")[0] + "/web2")
        else:
            yield frame

    result, _ = await attack(plot, "web1", "web2")
    assert [answer.sender for answer in result.answers] == ["web2"]
    assert result.silent == ("web1",)
    assert "signed by node/web1, said by web2" in {r.why for r in result.gathered.rejected}


async def test_it_cannot_give_an_old_answer_to_a_new_request(autojump_clock: MockClock) -> None:
    kept: list[bytes] = []

    def plot(frame: Publish) -> Iterator[Publish]:
        if is_reply_of_call(frame):
            kept.append(frame.tail)
            yield to(frame, *frame.subjects, tail=kept[0])
        else:
            yield frame

    async with a_hostile_network(plot) as (network, _), network.caller() as caller:
        assert len((await ask(caller, "web1")).answers) == 1
        result = await ask(caller, "web1")
    assert result.answers == []
    assert [rejected.why for rejected in result.gathered.rejected] == ["answers another request"]


async def test_it_cannot_say_no_to_a_call_in_a_nodes_name(autojump_clock: MockClock) -> None:
    def plot(frame: Publish) -> Iterator[Publish]:
        if is_reply_of_call(frame):
            reply = _reply_in(frame)
            denied = encode_reply(refuse(reply, Refusal.DENIED, "no"))
            yield to(frame, *frame.subjects, tail=with_tail(frame, payload=denied))
        else:
            yield frame

    result, _ = await attack(plot, "web1")
    assert (result.answers, result.silent) == ([], ("web1",))
    assert "unsigned answer" in result.gathered.rejected[0].why


def _reply_in(frame: Publish) -> Reply:
    return decode_reply(open1(split_tail(frame.tail).payload).payload)


@pytest.mark.parametrize("dropped", [is_call, is_reply_of_call])
async def test_it_can_drop_and_the_silent_are_named(
    autojump_clock: MockClock, dropped: Callable[[Publish], bool]
) -> None:
    def plot(frame: Publish) -> Iterator[Publish]:
        if not dropped(frame):
            yield frame

    result, _ = await attack(plot, "web1", "db1")
    assert (result.answers, sorted(result.silent)) == ([], ["db1", "web1"])


async def test_what_it_adds_is_counted_and_shown(autojump_clock: MockClock) -> None:
    def plot(frame: Publish) -> Iterator[Publish]:
        yield frame
        if is_reply_of_call(frame) and frame.subjects[0].endswith("/web1"):
            yield frame

    result, _ = await attack(plot, "web1", "web2")
    assert sorted(answer.sender for answer in result.answers) == ["web1", "web2"]
    assert result.gathered.duplicates + len(result.gathered.rejected) <= 1


@attrs.define
class Noting:
    """A connector to one broker that notes whom the session tries."""

    inner: MemoryConnector
    tried: list[Endpoint] = attrs.field(factory=list)

    @property
    def principal(self) -> Principal:
        return self.inner.principal

    async def lookup(self) -> list[Endpoint]:
        return [Endpoint("b1"), Endpoint("b2")]

    async def connect(self, endpoint: Endpoint) -> Any:
        self.tried.append(endpoint)
        return await self.inner.connect(endpoint)


async def test_it_cannot_send_members_to_a_broker_of_its_own(autojump_clock: MockClock) -> None:
    """CWP-6.5-4."""
    goodbye = Goodbye(reason=Reason.DRAINING, text="go there", brokers=("evil.example.net", "b2"))
    switch = EchoSwitch()
    switch.on_event = lambda peer, _event: (peer.write(peer.link.send(goodbye)), True)[1]
    shell = MemoryShell(Engine(switch, rng=random.Random(1), limits=Limits()))
    noting = Noting(shell.connector(Principal("alpha", Role.CLIENT, "rip")))
    async with trio.open_nursery() as nursery:
        await nursery.start(shell.run)
        async with open_session(
            noting, SessionSettings(), rng=random.Random(2), now_ms=now_ms
        ) as session:
            for _ in range(3):
                await session.wait_connected(60)
                await session.publish(["a/b"], b"x")
                await session.wait_disconnected()
        nursery.cancel_scope.cancel()
    assert len(noting.tried) >= 3
    assert {endpoint.host for endpoint in noting.tried} <= {"b1", "b2"}
    assert noting.tried[1].host == "b2"  # its advice among what we know is taken
