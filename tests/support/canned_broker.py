"""A broker in a box: it welcomes one client and answers its requests for a fleet of any size.

Everything that costs something is made before the clock is read: when a request is published, the
answers of the whole fleet are made, signed and framed, and only then handed out, as a broker's
socket would. What is measured from then on is the client alone, from the bytes to the callback.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import trio

from choria.errors import ChoriaError
from choria.messages import Grade, Reply, Request, decode_request, encode_reply, request_hash
from choria.net import Endpoint
from choria.trust import Principal, Signer, open1
from choria.wire import (
    Deliver,
    Hello,
    Limits,
    Link,
    Publish,
    Receipt,
    Side,
    Welcome,
    split_tail,
    tail_of,
)
from tests.support.odd_certificates import NOW_MS

STEP_BYTES = 16 << 10  # what one TLS record brings


@attrs.frozen
class FleetNode:
    """One node of the fleet: its name and what it signs with."""

    name: str
    signer: Signer


@attrs.define
class Cost:
    """What taking all answers cost: CPU of the whole process, seconds, memory at most, MiB."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    memory_mib: float = 0.0
    began_at: float = 0.0  # of time.perf_counter()
    _cpu_at: float = 0.0
    _memory_at: float = 0.0

    def begin(self) -> None:
        """The answers lie ready."""
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        self._memory_at = _status_mib("VmRSS")
        self.began_at, self._cpu_at = time.perf_counter(), time.process_time()

    def end(self) -> None:
        """All have been believed."""
        self.cpu_s = time.process_time() - self._cpu_at
        self.wall_s = time.perf_counter() - self.began_at
        self.memory_mib = _status_mib("VmHWM") - self._memory_at


def _status_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(found.split()[1]) / 1024


class CannedBroker:
    """A ``Connector`` and a ``Wire`` in one: the network is this object."""

    broker = None

    def __init__(self, client: Principal, nodes: Sequence[FleetNode], cost: Cost) -> None:
        self.principal = client
        self.cost = cost
        self._nodes = {node.name: node for node in nodes}
        # Making 50,000 answers takes longer than a broker may be silent.
        self._limits = Limits(ping_interval_s=3600.0)
        self._link = Link(Side.BROKER, self._limits, now=0.0)
        self._out: Iterator[bytes] = iter(())
        self._ready = trio.Event()

    async def lookup(self) -> Sequence[Endpoint]:
        """There is one place."""
        await trio.lowlevel.checkpoint()
        return [Endpoint("canned")]

    async def connect(self, endpoint: Endpoint) -> CannedBroker:
        """Here."""
        del endpoint
        await trio.lowlevel.checkpoint()
        return self

    def logged_in(self) -> None:
        """Nothing changes."""

    async def aclose(self) -> None:
        """Nothing is held."""
        await trio.lowlevel.checkpoint()

    async def send_all(self, data: bytes) -> None:
        """Take what the client says, and make the answers to it."""
        await trio.lowlevel.checkpoint()
        for event in self._link.receive(data, trio.current_time()):
            match event:
                case Hello():
                    self._hand_out([self._link.send(self._welcome(event))])
                case Publish():
                    self._hand_out(self._answers(event))

    async def receive_some(self) -> bytes:
        """Up to ``STEP_BYTES`` of what lies ready."""
        await trio.lowlevel.checkpoint()
        while True:
            for data in self._out:
                return data
            self._ready = trio.Event()
            await self._ready.wait()

    def _welcome(self, hello: Hello) -> Welcome:
        return Welcome(
            version=1,
            session=hello.session,
            network=self.principal.network,
            broker="b1",
            limits=self._limits.to_wire(),
            time_ms=NOW_MS,
        )

    def _hand_out(self, frames: list[bytes]) -> None:
        whole = b"".join(frames)
        rest = list(self._out)
        steps = [whole[at : at + STEP_BYTES] for at in range(0, len(whole), STEP_BYTES)]
        self._out = iter(rest + steps)
        self._ready.set()

    def _answers(self, publish: Publish) -> list[bytes]:
        message = split_tail(publish.tail)
        try:
            request = decode_request(open1(message.payload).payload)
        except ChoriaError:  # a question about presence: nobody answers it here
            return []
        asked = [self._nodes[name] for name in request.targets] or list(self._nodes.values())
        digest = request_hash(message.payload)
        frames = [self._link.send(Receipt(receipt_id=publish.receipt_id, handed=len(asked)))]
        for node in asked:
            payload = self._payload(node, request, digest)
            subject = f"{message.reply}/{self.principal.network}/{node.name}"
            frames.append(self._link.send(Deliver(subject=subject, tail=tail_of(payload))))
        if not request.is_certificate_request:  # what is fetched is a part of the cost
            self.cost.begin()
        return frames

    def _payload(self, node: FleetNode, request: Request, digest: bytes) -> bytes:
        wants_certificate = request.is_certificate_request
        data = (
            {"certificate": node.signer.certificate_der} if wants_certificate else {"pong": NOW_MS}
        )
        reply = Reply(
            request_id=request.id,
            request_hash=digest,
            network=self.principal.network,
            sender=node.name,
            statuscode=0,
            statusmsg="OK",
            data=data,
            time_ms=NOW_MS,
        )
        encoded = encode_reply(reply)
        if request.grade is Grade.LINK:
            return encoded
        return node.signer.sign_reply(encoded, with_certificate=request.want_certificate)
