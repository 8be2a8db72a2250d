"""Two real links driven by the traces of the model of a link."""

from __future__ import annotations

from typing import Any

from choria.errors import Reason
from choria.wire import (
    Deliver,
    Frame,
    Goodbye,
    Hello,
    Limits,
    Link,
    Ping,
    Pong,
    Publish,
    Side,
    Welcome,
    split_tail,
    tail_of,
)
from tests.support.traces import Step

LIMITS = Limits()
HELLO = Hello(versions=(1,), session=b"s" * 16, boot=b"b" * 16, collectives=("choria",))
GOODBYE = Goodbye(reason=Reason.NORMAL)
WELCOME = Welcome(
    version=1,
    session=HELLO.session,
    network="alpha",
    broker="b1",
    limits=LIMITS.to_wire(),
    time_ms=1,
)


class Ends:
    """Two real links and what is on the way between them."""

    def __init__(self) -> None:
        self.link = {side.value: Link(side, LIMITS, now=0.0) for side in Side}
        self.up = {side.value: True for side in Side}
        self.wire: dict[str, list[bytes]] = {side.value: [] for side in Side}
        self.owed: dict[str, list[int]] = {side.value: [] for side in Side}

    def do(self, step: Step) -> None:
        match step["name"]:
            case "send":
                self.send(step["who"], step["frame"], step["number"])
            case "read":
                self.read(step["who"], step["frame"], step["number"])
            case "close":
                self.close(step["who"])
            case "lose":
                self.close("member")
                self.close("broker")
            case name:
                assert name == "accept"  # the owner's queue: nothing that a link knows of
        self.compare(step["shows"])

    def send(self, who: str, kind: str, number: int) -> None:
        data = self.link[who].send(self.frame(who, kind, number))
        if self.up[other(who)]:
            self.wire[who].append(data)

    def frame(self, who: str, kind: str, number: int) -> Frame:
        tail = tail_of(bytes([number]))
        data = {
            "member": Publish(subjects=("a",), tail=tail),
            "broker": Deliver(subject="a", tail=tail),
        }
        match kind:
            case "DATA":
                return data[who]
            case "PING":
                return Ping(token=self.link[who].frames_sent)
            case "PONG":
                return Pong(token=self.owed[who].pop(0))
        return {"HELLO": HELLO, "WELCOME": WELCOME, "GOODBYE": GOODBYE}[kind]

    def read(self, who: str, kind: str, number: int) -> None:
        link = self.link[who]
        said_goodbye = link.states[who == "broker"].value == "done"
        events = link.receive(self.wire[other(who)].pop(0), 0.0)
        assert link.failure is None
        if kind == "PING" and not said_goodbye:
            self.owed[who] += [event.token for event in events if isinstance(event, Ping)]
            assert self.owed[who]
        elif kind == "DATA":
            (event,) = events
            assert isinstance(event, Publish | Deliver)
            assert split_tail(event.tail).payload == bytes([number])

    def close(self, who: str) -> None:
        self.up[who] = False
        self.wire[other(who)].clear()

    def compare(self, shows: dict[str, Any]) -> None:
        assert self.up == shows["up"]
        for who, link in self.link.items():
            states = [state.value for state in link.states]
            assert states == shows["view"][who]
            assert link.is_open == (states == ["open", "open"])
            assert link.can_send(Hello) == (who == "member" and states[0] == "idle")
            assert link.can_send(Welcome) == (who == "broker" and states[1] == "waiting")
            assert link.can_send(Publish) == (who == "member" and states[0] == "open")
            assert link.can_send(Deliver) == (who == "broker" and states[1] == "open")


def other(who: str) -> str:
    return "broker" if who == "member" else "member"
