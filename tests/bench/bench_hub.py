"""What the hub costs, without TLS and sockets: microseconds of CPU for each message.

Run as ``python tests/bench/bench_hub.py [members]``. Peers only count; what is measured is the
decision (permission, routing, receipts) and the DELIVER bytes. In fan-in the link's own work, which
is cutting the stream and reading PUBLISH, is measured apart. The figures are for comparing one
commit with another on one machine.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable

from choria.broker import Hub, Permissions
from choria.errors import Reason
from choria.trust import Principal, Role
from choria.wire import (
    Hello,
    Limits,
    Link,
    Publish,
    Side,
    Subscribe,
    encode_frame,
    tail_of,
)

AGENTS = ("discovery", "rpcutil", "package", "service", "puppet", "shell", "file", "a", "b")
PAYLOAD = bytes(400)


class CountingPeer:
    """A link whose bytes nobody reads."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.member: object | None = None
        self.address = ""
        self.link_pass = b""
        self.max_pending_bytes = 0
        self.pending_bytes = 0
        self.closing = False
        self.paused = False
        self.written = 0

    def write(self, data: bytes) -> None:
        self.written += 1

    write_control = write

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def close(self, reason: Reason, text: str, *, retry_after_s: float = 0.0) -> None:
        raise AssertionError(text)


def connect(hub: Hub, role: Role, name: str, limits: Limits) -> tuple[CountingPeer, Hello]:
    """A welcomed link."""
    near, far = Link(Side.BROKER, limits, now=0.0), Link(Side.MEMBER, limits, now=0.0)
    token = name.encode().ljust(16, b"\0")[:16]
    hello = Hello(versions=(1,), session=token, boot=token, collectives=("c",))
    peer = CountingPeer(near)
    near.receive(far.send(hello), 0.0)
    grants = frozenset({"fleet"} if role is Role.CLIENT else ())
    hub.opened(peer, Principal("alpha", role, name, grants), hello, 0.0)
    return peer, hello


def say(what: str, value: float, unit: str) -> None:
    """One line of the result."""
    sys.stdout.write(f"{what:52} {value:8.2f} {unit}\n")


def measure(what: str, count: int, run: Callable[[], None]) -> None:
    """Say the median CPU microseconds of one of ``count`` messages."""
    spent = []
    for _ in range(7):
        start = time.process_time()
        run()
        spent.append(1e6 * (time.process_time() - start) / count)
    say(what, statistics.median(spent), "us")


class World:
    """A hub with nodes and one client that hears its replies."""

    def __init__(self, members: int) -> None:
        self.limits = Limits()
        self.table = Permissions("alpha", ("c",))
        rng = random.Random(1)  # the same every time
        self.hub = Hub("alpha", "b1", self.limits, self.table, lambda: 0, rng)
        self.names = [f"node{number}.example.net" for number in range(members)]
        self.nodes = [connect(self.hub, Role.NODE, name, self.limits)[0] for name in self.names]
        self.client, hello = connect(self.hub, Role.CLIENT, "rip", self.limits)
        inbox = Principal("alpha", Role.CLIENT, "rip").inbox
        prefix = f"c/reply/alpha/{inbox}/{hello.session.hex()}"
        self.hub.received(self.client, Subscribe(patterns=(f"{prefix}/**",)), 0.0)
        self.request = f"{prefix}/{'1' * 32}"
        self.tail = tail_of(PAYLOAD, reply=self.request)
        self.answers = [
            Publish(subjects=(f"{self.request}/alpha/{name}",), tail=tail_of(PAYLOAD))
            for name in self.names
        ]

    def subscribe(self) -> None:
        """Ten subscriptions a node; as off the wire, every link has strings of its own."""
        for name, peer in zip(self.names, self.nodes, strict=True):
            patterns = (*(f"c/agent/{agent}" for agent in AGENTS), f"c/node/{name}")
            self.hub.received(peer, Subscribe(patterns=patterns), 0.0)

    def publish(self, *subjects: str, receipt_id: int = 0) -> None:
        """Publish, and tick until it is done."""
        frame = Publish(subjects=subjects, receipt_id=receipt_id, tail=self.tail)
        self.hub.received(self.client, frame, 0.0)
        while self.client.paused:
            self.hub.tick(0.0)

    def answer(self) -> None:
        """Every node replies once."""
        received = self.hub.received
        for peer, event in zip(self.nodes, self.answers, strict=True):
            received(peer, event, 0.0)

    def measure_parts(self) -> None:
        """Permission alone, and what the link costs before the hub sees the frame."""
        checks = [
            (self.table.rights_of(Principal("alpha", Role.NODE, name), "s"), event.subjects[0])
            for name, event in zip(self.names, self.answers, strict=True)
        ]
        frames = [
            (peer.link, encode_frame(event))
            for peer, event in zip(self.nodes, self.answers, strict=True)
        ]

        def permit() -> None:
            for rights, subject in checks:
                rights.publishing(subject)

        def read() -> None:
            for link, data in frames:
                link.receive(data, 0.0)

        measure("  of it the permission", len(checks), permit)
        measure("Link.receive of such a PUBLISH (not in the above)", len(frames), read)


def main(members: int) -> None:
    """Measure with so many nodes."""
    world = World(members)
    tracemalloc.start()
    world.subscribe()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    say("interest, for each subscription", size / members / 10, "B")
    measure("fan-out, each delivery", members, lambda: world.publish("c/agent/rpcutil"))
    measure("  with a receipt", members, lambda: world.publish("c/agent/rpcutil", receipt_id=1))
    measure("fan-in, each reply", members, world.answer)
    world.measure_parts()
    targets = [f"c/node/{name}" for name in world.names[:200]]
    measure(
        "directed to 200 in one PUBLISH, each target", len(targets), lambda: world.publish(*targets)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
