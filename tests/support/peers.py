"""A shell without bytes on any wire: peers that note what the hub does to them.

Both ends of each link are real, so a frame that the hub may not send, or that the member could not
read, fails the test that caused it.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque

from choria.broker import TABLE, BrokerSettings, Hub, Permissions, Row
from choria.errors import Reason
from choria.trust import DEFAULT_GRANTS, Principal, Role
from choria.wire import Deliver, Event, Frame, Hello, Limits, Link, Side, Subscribe

NETWORK = "alpha"
BROKER = "b1"


def token16(text: str) -> bytes:
    """16 bytes that hang on ``text`` only."""
    return hashlib.sha256(text.encode()).digest()[:16]


class FakePeer:
    """One link. ``calls`` lists what the hub did, ``heard`` the frames that the member got."""

    def __init__(self, principal: Principal, limits: Limits, now: float) -> None:
        self.principal = principal
        self.link = Link(Side.BROKER, limits, now=now)
        self.far = Link(Side.MEMBER, limits, now=now)
        self.member: object | None = None
        self.address = "test"
        self.link_pass = b""
        self.max_pending_bytes = 0
        self.pending_bytes = 0
        self.calls: list[tuple[object, ...]] = []
        self.heard: list[Frame] = []
        self.waiting: deque[Event] = deque()
        self.paused = False
        self.ending: Reason | None = None
        self.gone = False
        self.broken = False  # makes write raise, against its promise

    @property
    def closing(self) -> bool:
        return self.ending is not None or self.gone

    def write(self, data: bytes) -> None:
        if self.broken:
            raise RuntimeError("a shell with a bug")
        self._take("write", data)

    def write_control(self, data: bytes) -> None:
        self._take("write_control", data)

    def pause(self) -> None:
        self.calls.append(("pause",))
        self.paused = True

    def resume(self) -> None:
        self.calls.append(("resume",))
        self.paused = False

    def close(self, reason: Reason, text: str, *, retry_after_s: float = 0.0) -> None:
        self.calls.append(("close", reason, text, retry_after_s))
        if self.ending is None:
            self.ending = reason

    @property
    def delivered(self) -> list[str]:
        """The subjects of what was delivered, in order."""
        return [frame.subject for frame in self.heard if isinstance(frame, Deliver)]

    def last(self, kind: type[Frame]) -> Frame:
        """The newest frame of ``kind``."""
        return [frame for frame in self.heard if type(frame) is kind][-1]

    def count(self, kind: type[Frame]) -> int:
        return sum(type(frame) is kind for frame in self.heard)

    def _take(self, how: str, data: bytes) -> None:
        if not self.closing:
            self.calls.append((how, data))
            self.heard += self.far.receive(data, 0.0)


class FakeShell:
    """Drives a hub by the promises of `choria.net.ports`: pause holds frames, closed comes later."""

    def __init__(
        self,
        *,
        collectives: tuple[str, ...] = ("c",),
        grants: dict[str, list[str]] | None = None,
        settings: BrokerSettings | None = None,
        limits: Limits | None = None,
        table: tuple[Row, ...] = TABLE,
    ) -> None:
        self.now = 100.0
        self.wall_ms = 1_700_000_000_000
        self.limits = limits or Limits()
        self.collectives = collectives
        self.hub = Hub(
            NETWORK,
            BROKER,
            self.limits,
            Permissions(NETWORK, collectives, grants=grants, table=table),
            lambda: self.wall_ms,
            random.Random(1),  # a seeded test
            settings=settings,
        )
        self.peers: list[FakePeer] = []
        self.wake: float | None = None

    def connect(
        self,
        role: Role,
        name: str,
        *grants: str,
        session: str = "",
        boot: str = "",
        collectives: tuple[str, ...] | None = None,
        network: str = NETWORK,
    ) -> FakePeer:
        """Open a link of a principal; ``session`` and ``boot`` hang on the name unless given."""
        granted = frozenset(grants) or DEFAULT_GRANTS[role]
        peer = FakePeer(Principal(network, role, name, granted), self.limits, self.now)
        hello = Hello(
            versions=(1,),
            session=token16(session or f"{role}/{name}"),
            boot=token16(boot or f"boot {role}/{name}"),
            collectives=self.collectives if collectives is None else collectives,
        )
        (heard,) = peer.link.receive(peer.far.send(hello), self.now)
        self.peers.append(peer)
        self.hub.opened(peer, peer.principal, heard, self.now)
        return peer

    def say(self, peer: FakePeer, *frames: Frame) -> None:
        """Let the member send ``frames``, and the hub do everything that follows at once."""
        for frame in frames:
            peer.waiting.extend(peer.link.receive(peer.far.send(frame), self.now))
        self.run()

    def subscribe(self, peer: FakePeer, *patterns: str, group: str | None = None) -> None:
        self.say(peer, Subscribe(patterns=patterns, group=group))

    def drop(self, peer: FakePeer) -> None:
        """The connection breaks."""
        peer.gone = True
        self.run()

    def step(self) -> None:
        """One round of a pump: buffered frames, closes, one tick."""
        for peer in list(self.peers):
            while peer.waiting and not peer.paused and not peer.closing:
                self.hub.received(peer, peer.waiting.popleft(), self.now)
            if peer.closing:
                self.peers.remove(peer)
                peer.gone = True
                self.hub.closed(peer, peer.ending, self.now)
        self.wake = self.hub.tick(self.now)

    def run(self) -> None:
        """Rounds until nothing is left to do now."""
        self.step()
        for _ in range(100_000):
            if not self._restless():
                return
            self.step()
        raise AssertionError("the hub never rests")

    def sleep(self, seconds: float) -> None:
        """Let time pass, waking the hub whenever it asked for it."""
        end = self.now + seconds
        while self.wake is not None and self.wake <= end:
            self.now = max(self.now, self.wake)
            self.run()
        self.wall_ms += round(1000 * seconds)
        self.now = end
        self.run()

    def _restless(self) -> bool:
        return (self.wake is not None and self.wake <= self.now) or any(
            peer.closing or (peer.waiting and not peer.paused) for peer in self.peers
        )
