"""Real relays between three networks, driven by the traces of the model of relays."""

from __future__ import annotations

import random
from functools import cache
from types import SimpleNamespace
from typing import cast

import trio

from choria.broker import Permissions
from choria.broker.groups import choose
from choria.broker.member import Member
from choria.federation import Direction
from choria.net import RoutedMessage, Session
from choria.trust import Principal, Role
from choria.wire import Routed, inbox_token, tail_of
from tests.support.traces import Step

NETWORKS = ("alpha", "beta", "gamma")
SESSION = "5" * 32
REQUEST = "7" * 32


class FakeSession:
    """A relay's session in one network, with the rights that the real table gives it."""

    def __init__(self, network: str, far: str, number: int) -> None:
        self.network = network
        grants = frozenset({f"relay:{far}"})
        self.principal = Principal(network, Role.RELAY, f"r{number}", grants)
        self.rights = permissions(network).rights_of(self.principal, SESSION)
        self.published: list[tuple[str, bytes, str | None]] = []

    async def publish(
        self, subjects: list[str], payload: bytes, reply: str | None, _headers: object
    ) -> None:
        """What the broker permits is published, the rest is refused there."""
        await trio.lowlevel.checkpoint()
        (subject,) = subjects
        allowed = self.rights.publishing(subject) is not None
        if allowed and (reply is None or self.rights.may_ask_reply(reply)):
            self.published.append((subject, payload, reply))


@cache
def permissions(network: str) -> Permissions:
    return Permissions(network, ("choria",))


class Relays:
    """Two real relays between each two networks; the brokers choose with the real function."""

    def __init__(self, walk: list[Step], nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.origin = ""
        self.target = ""
        self.sessions = {
            (near, far, number): FakeSession(near, far, number)
            for near in NETWORKS
            for far in NETWORKS
            for number in (1, 2)
            if near != far
        }
        self.directions = {
            (near, far, number): Direction(
                cast("Session", session), cast("Session", self.sessions[far, near, number])
            )
            for (near, far, number), session in self.sessions.items()
        }
        prefers = {"ask": 1, "answer": 1}
        for step in walk:
            if step["name"] == "route":
                prefers[step["m"][1]] = step["to"][1]
        self.payloads = {kind: payload_for(kind, number) for kind, number in prefers.items()}

    async def do(self, step: Step) -> None:
        match step["name"]:
            case "ask":
                self.origin, self.target = step["at"], step["path"][0]
            case "route":
                near, (pair, number) = step["at"], step["to"]
                (far,) = set(pair) - {near}
                assert chosen(near, far, self.payloads[step["m"][1]]) == number
            case "carry":
                await self.carry(step)
            case name:
                assert name in ("copy", "arrive")

    async def carry(self, step: Step) -> None:
        (pair, number), near, kind = step["relay"], step["at"], step["m"][1]
        (far,) = set(pair) - {near}
        direction, session = self.directions[near, far, number], self.sessions[far, near, number]
        before = len(session.published)
        payload, reply = self.payloads[kind], self.prefix() if kind == "ask" else None
        subject = self.subject(kind, step["path"])
        frame = Routed(
            origin="b1", sequence=0, pairs=((0, subject),), tail=tail_of(payload, reply=reply)
        )
        await direction._carry(RoutedMessage(frame, 1), self.nursery)
        if step["out"] == "carried":
            inner = subject if kind == "answer" else subject.split("/", 2)[2]
            assert session.published[before:] == [(inner, payload, reply)]
        else:
            assert len(session.published) == before

    def prefix(self) -> str:
        inbox = inbox_token(self.origin, "client", "rip")
        return f"choria/reply/{self.origin}/{inbox}/{SESSION}/{REQUEST}"

    def subject(self, kind: str, path: list[str]) -> str:
        if kind == "answer":
            return f"{self.prefix()}/{self.target}/web1"
        return "".join(f"federation/{network}/" for network in path) + "choria/agent/discovery"


def chosen(near: str, far: str, payload: bytes) -> int:
    """The number of the relay that the broker of ``near`` picks."""
    members = tuple(
        cast(
            "Member",
            SimpleNamespace(
                is_relay=True,
                session=f"{near} {far} {number}".encode(),
                principal=SimpleNamespace(name=f"r{number}"),
            ),
        )
        for number in (1, 2)
    )
    return members.index(choose(members, tail_of(payload), random.Random(1))) + 1


@cache
def payload_for(kind: str, number: int) -> bytes:
    """A payload for which relay ``number`` is the choice everywhere."""
    return next(
        payload
        for payload in (f"{kind} {nonce}".encode() for nonce in range(10_000))
        if all(chosen(a, b, payload) == number for a in NETWORKS for b in NETWORKS if a != b)
    )
