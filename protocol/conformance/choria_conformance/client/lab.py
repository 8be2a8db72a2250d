"""A network of the suite's own for one client that makes one call: broker, presence and two nodes.

Everything is honest unless a case says otherwise: it gives a function that makes the messages by
which a node answers the call, or it changes what the broker says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from choria_conformance.cbor import DecodeError, Tag, decode, encode
from choria_conformance.cose import REPLY, REQUEST, Signing, open_envelope, sign
from choria_conformance.frames import Frame, Kind, deliver, goodbye, pong, receipt
from choria_conformance.launch import program
from choria_conformance.messages import Map, now_ms, reply
from choria_conformance.names import fresh_word
from choria_conformance.peer import Ended, Peer
from choria_conformance.principals import Principal, broker_context
from choria_conformance.serving import Port, open_port, welcome
from choria_conformance.settings import Settings
from choria_conformance.tls import Refused
from choria_conformance.transcript import Transcript
from choria_conformance.verdicts import Failed, check

CALL_WITHIN_S: Final = 60.0
NODES: Final = ("node-1", "node-2")


@dataclass(frozen=True)
class Asked:
    """One request that came from the client.

    Attributes:
        frame: The PUBLISH.
        what: The request's map.
        envelope: Its bytes.
    """

    frame: Frame
    what: Map
    envelope: bytes

    @property
    def prefix(self) -> str:
        """The reply field."""
        return str(self.frame[3])

    @property
    def hash(self) -> bytes:
        """What replies must name."""
        return hashlib.sha256(self.envelope).digest()


@dataclass(frozen=True)
class Spoken:
    """One node that answers one request; cases change parts of what is right.

    Attributes:
        who: The node.
        asked: The request.
    """

    who: Principal
    asked: Asked

    @property
    def subject(self) -> str:
        """Where it answers."""
        return f"{self.asked.prefix}/{self.who.network}/{self.who.name}"

    def map(self, **changes: Any) -> Map:
        """The reply's map; ``_6=1`` changes key 6, None removes it."""
        right = reply(
            self.who.network,
            self.who.name,
            self.asked.what[2],
            self.asked.hash,
            {"pong": now_ms() // 1000},
        )
        right |= {int(key[1:]): value for key, value in changes.items()}
        return {key: value for key, value in right.items() if value is not None}

    def bare(self, **changes: Any) -> Frame:
        """By link grade."""
        return deliver(self.subject, encode(self.map(**changes)))

    def signed(
        self, signer: Principal | None = None, signing: dict[str, Any] | None = None, **changes: Any
    ) -> Frame:
        """By signed grade, perhaps by another signer."""
        by = signer or self.who
        settings = {"aad": REPLY, "chain": True, **(signing or {})}
        return deliver(
            self.subject, sign(encode(self.map(**changes)), Signing(by.key, by.der, **settings))
        )


Answering = Callable[[Spoken], list[Frame]]


def honest(spoken: Spoken) -> list[Frame]:
    """What a node should say."""
    if spoken.asked.what[7] == "discovery":
        return [spoken.bare()]
    return [spoken.signed()]


@dataclass
class Network:
    """The suite's side of one call.

    Attributes:
        answering: How the first node answers the call; the second is honest.
        discovering: How the first node answers discovery.
        twist: Sees each PUBLISH first; True means that it was dealt with.
        limits: Limits of WELCOME that are not the defaults.
        asked: All requests, in order.
        link: The present link.
        count: How many frames came on it.
    """

    port: Port
    nodes: list[Principal]
    caller: Principal
    answering: Answering = honest
    discovering: Answering = honest
    twist: Callable[[Frame], bool] = field(default=lambda _: False)
    limits: dict[int, int] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    published: list[Frame] = field(default_factory=list)
    hellos: list[Frame] = field(default_factory=list)
    subscribed: list[str] = field(default_factory=list)
    goodbyes: list[Frame] = field(default_factory=list)
    link: Peer | None = None
    count: int = 0
    errors: list[str] = field(default_factory=list)

    async def serve(self) -> None:
        """Take one link after another, until cancelled."""
        while True:
            try:
                self.link = await self.port.accept(broker_context(self.port.broker), 600)
                hello = await self.link.expect(Kind.HELLO)
                self.hellos.append(hello)
                self.count = 1
                await self.link.send(welcome(hello, self.port.broker, limits=self.limits))
                while True:
                    frame = await self.link.any_frame()
                    self.count += 1
                    await self._handle(self.link, frame)
            except (Ended, Refused):
                continue

    async def _handle(self, link: Peer, frame: Frame) -> None:
        match frame[0]:
            case Kind.PING:
                await link.send(pong(frame[1]))
            case Kind.SUBSCRIBE:
                self.subscribed += frame[1]
            case Kind.GOODBYE:
                self.goodbyes.append(frame)
                await link.send(goodbye())
                link.stream.close()
                raise Ended("goodbye")
            case Kind.PUBLISH:
                await self._publish(link, frame)
            case _:
                pass

    async def _publish(self, link: Peer, frame: Frame) -> None:
        self.published.append(frame)
        if self.twist(frame):
            return
        if frame[1][0].startswith("sys/presence/"):
            await self._presence(link, frame)
            return
        asked = self._read(frame)
        if asked is None:
            return
        self.asked.append(asked)
        reached = [node for node in self.nodes if self._reaches(asked, node)]
        if 1 in frame[2]:
            await link.send(receipt(frame[2][1], len(reached), self._without(frame, reached)))
        for node in reached:
            for answer in self._answers(node, asked):
                await link.send(answer)

    def _read(self, frame: Frame) -> Asked | None:
        try:
            opened = open_envelope(frame[5], self.caller.der, REQUEST)
            return Asked(frame, dict(decode(opened.payload)), frame[5])
        except (DecodeError, Failed, TypeError, ValueError) as error:
            self.errors.append(f"a request that proves nothing: {error}")
            return None

    def _reaches(self, asked: Asked, node: Principal) -> bool:
        subjects = asked.frame[1]
        named = f"choria/node/{node.name}" in subjects
        return named or subjects == [f"choria/agent/{asked.what[7]}"]

    def _without(self, frame: Frame, reached: list[Principal]) -> list[int]:
        if frame[1][0].startswith("choria/agent/"):
            return [] if reached else [0]
        names = {f"choria/node/{node.name}" for node in reached}
        return [index for index, subject in enumerate(frame[1]) if subject not in names]

    def _answers(self, node: Principal, asked: Asked) -> list[Frame]:
        spoken = Spoken(node, asked)
        if node is not self.nodes[0]:
            return honest(spoken)
        return (self.discovering if asked.what[7] == "discovery" else self.answering)(spoken)

    async def _presence(self, link: Peer, frame: Frame) -> None:
        query = decode(frame[5])
        names = sorted(node.name for node in self.nodes) if query[2] == 1 else []
        page = [2, query[1], query[2], [[name, now_ms(), None] for name in names], ""]
        if 1 in frame[2]:
            await link.send(receipt(frame[2][1], 1))
        broker = self.port.broker
        await link.send(deliver(f"{frame[3]}/{broker.network}/{broker.name}", encode(page)))


class ClientLab:
    """Made for each case."""

    def __init__(self, settings: Settings, transcript: Transcript, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.transcript = transcript
        self.stack = stack
        self.returncode: int | None = None

    def principal(self, who: str) -> Principal:
        """Somebody of the credentials."""
        return self.settings.credentials.of(who)

    async def network(self, **changes: Any) -> Network:
        """A network that waits for the client."""
        port = await self.stack.enter_async_context(
            open_port(self.principal("broker"), self.transcript)
        )
        nodes = [self.principal(name) for name in NODES]
        return Network(port, nodes, self.principal("client-1"), **changes)

    def environment(self, address: str, result: Path, targets: bool = True) -> dict[str, str]:  # noqa: FBT001, FBT002
        """What the client is told: README.md has the contract."""
        names = [self.principal(name).name for name in NODES]
        return {
            "CWP_ROLE": "client",
            "CWP_ADDRESS": address,
            "CWP_CREDENTIALS": str(self.principal("client-1").folder),
            "CWP_COLLECTIVES": "choria",
            "CWP_CALL": "rpcutil.ping",
            "CWP_TARGETS": ",".join(names) if targets else "",
            "CWP_TIMEOUT_MS": "4000",
            "CWP_RESULT": str(result),
            "CWP_SCRATCH": str(result.parent),
        }

    async def start(self, network: Network, targets: bool = True) -> tuple[trio.Process, Path]:  # noqa: FBT001, FBT002
        """The client under test, on its way; a file will hold what it believed."""
        folder = self.settings.scratch / fresh_word("client-")
        folder.mkdir()
        result = folder / "result.json"
        environment = self.environment(network.port.address, result, targets)
        starting = program(self.settings.command, environment, folder / "log")
        return await self.stack.enter_async_context(starting), result

    async def call(self, network: Network, targets: bool = True) -> dict[str, dict[str, Any]]:  # noqa: FBT001, FBT002
        """Let the client make its call. What it believed, by sender."""
        process, result = await self.start(network, targets)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(network.serve)
            with trio.move_on_after(CALL_WITHIN_S):
                self.returncode = await process.wait()
                await trio.sleep(0.1)  # its GOODBYE may still be in the socket
            nursery.cancel_scope.cancel()
        check(self.returncode is not None, f"the client did not end within {CALL_WITHIN_S:g} s")
        if network.errors:
            raise Failed(network.errors[0])
        believed = json.loads(result.read_text()) if result.exists() else []
        return {entry["sender"]: entry for entry in believed}

    async def believes(self, answering: Answering, **changes: Any) -> dict[str, dict[str, Any]]:
        """What is believed when the first node answers so. The second must always be."""
        network = await self.network(answering=answering, **changes)
        believed = await self.call(network)
        check(network.nodes[1].name in believed, "the honest node was not believed")
        said = believed[network.nodes[1].name]["statusmsg"]
        check(said == "OK", f"what the honest node said became {said!r}")
        return believed


@asynccontextmanager
async def client_lab(settings: Settings, transcript: Transcript) -> AsyncIterator[ClientLab]:
    """The lab of one case."""
    async with AsyncExitStack() as stack:
        yield ClientLab(settings, transcript, stack)


def is_signed(payload: bytes) -> bool:
    """Whether a payload is a COSE_Sign1."""
    try:
        return isinstance(decode(payload), Tag)
    except DecodeError:
        return False
