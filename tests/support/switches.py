"""Small switches for the tests of shells and sessions: no rules, no permissions."""

from __future__ import annotations

from collections.abc import Callable

from choria.errors import Reason
from choria.net import Peer
from choria.trust import Principal, Role
from choria.wire import (
    Event,
    Goodbye,
    Hello,
    Ping,
    Pong,
    Publish,
    Receipt,
    RefusedFrame,
    Subscribe,
    Unsubscribe,
    Welcome,
    deliver_bytes,
    matches,
)

NETWORK = "alpha"


def a_principal(name: str = "rip", role: Role = Role.CLIENT) -> Principal:
    return Principal(NETWORK, role, name, frozenset({"fleet"}))


class EchoSwitch:
    """Delivers each PUBLISH to all whose patterns match, and answers receipts.

    ``closed_peers`` records each end; ``on_event`` may be replaced to inject faults.
    """

    def __init__(
        self, *, network: str = NETWORK, broker: str = "b1", clock_ms: int = 1_000
    ) -> None:
        self.network = network
        self.broker = broker
        self.clock_ms = clock_ms
        self.peers: dict[Peer, list[str]] = {}
        self.principals: dict[Peer, Principal] = {}
        self.hellos: list[Hello] = []
        self.events: list[Event] = []
        self.closed_peers: list[tuple[str, Reason | None]] = []
        self.on_event: Callable[[Peer, Event], bool] = lambda _peer, _event: False
        self.on_closed: Callable[[Peer], None] = lambda _peer: None
        self.on_opened: Callable[[Peer], bool] = lambda _peer: False
        self.on_tick: Callable[[float], float | None] = lambda _now: None
        self.draining = False

    def peer_of(self, name: str) -> Peer:
        return next(
            peer for peer, who in self.principals.items() if who.name == name and peer in self.peers
        )

    def opened(self, peer: Peer, principal: Principal, hello: Hello, now: float) -> None:
        self.hellos.append(hello)
        self.principals[peer] = principal
        if self.on_opened(peer):
            return
        self.peers[peer] = []
        welcome = Welcome(
            version=1,
            session=hello.session,
            network=self.network,
            broker=self.broker,
            limits=peer.link.limits.to_wire(),
            time_ms=self.clock_ms,
        )
        peer.write(peer.link.send(welcome))

    def received(self, peer: Peer, frame: Event, now: float) -> None:
        self.events.append(frame)
        if self.on_event(peer, frame):
            return
        match frame:
            case Ping():
                peer.write_control(peer.link.send(Pong(token=frame.token)))
            case Subscribe():
                self.peers[peer] += frame.patterns
            case Unsubscribe():
                self.peers[peer] = [p for p in self.peers[peer] if p not in frame.patterns]
            case Publish():
                self.publish(peer, frame)
            case RefusedFrame():
                peer.write_control(peer.link.send(frame.as_error()))
            case Goodbye():
                pass

    def publish(self, peer: Peer, frame: Publish) -> None:
        handed = 0
        for subject in frame.subjects:
            data = deliver_bytes(subject, frame.tail)
            for other, patterns in self.peers.items():
                if any(matches(pattern, subject) for pattern in patterns):
                    other.write(data)
                    handed += 1
        if frame.receipt_id:
            peer.write_control(peer.link.send(Receipt(receipt_id=frame.receipt_id, handed=handed)))

    def closed(self, peer: Peer, reason: Reason | None, now: float) -> None:
        self.peers.pop(peer, None)
        self.closed_peers.append((self.principals[peer].name, reason))
        self.on_closed(peer)

    def tick(self, now: float) -> float | None:
        return self.on_tick(now)

    def drain(self, now: float) -> None:
        self.draining = True
        for peer in list(self.peers):
            peer.close(Reason.DRAINING, "the broker stops", retry_after_s=1.0)
