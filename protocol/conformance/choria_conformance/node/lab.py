"""What cases about a node work with: one node that many share, or a fresh one with its first link."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from choria_conformance.cbor import Tag, decode, encode
from choria_conformance.cose import REPLY, Signing, open_envelope, sign
from choria_conformance.frames import Frame, Kind, deliver, pong
from choria_conformance.launch import program
from choria_conformance.messages import STATUS, Map, Refusal, request
from choria_conformance.names import fresh_word
from choria_conformance.peer import Ended, Peer
from choria_conformance.principals import Principal
from choria_conformance.serving import Port, open_port
from choria_conformance.settings import Settings
from choria_conformance.tls import Refused
from choria_conformance.transcript import Transcript
from choria_conformance.verdicts import Failed, check, equal

SILENCE_S = 0.4
ANSWER_S = 20.0


class SharedNode:
    """A node process and its link; answers are handed to the case whose request they name."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.session = "5a" * 16  # of the callers; any will do
        self.who = settings.credentials.of("node-1")
        self.broker = settings.credentials.of("broker")
        self._nursery: trio.Nursery | None = None
        self._ready = trio.Event()
        self._starting = trio.Lock()
        self._writing = trio.Lock()
        self._link: Peer | None = None
        self._waiting: dict[str, trio.MemorySendChannel[Frame]] = {}
        self.subscribed: list[str] = []

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; the process starts with the first case that asks."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    async def link(self) -> Peer:
        """The link; the node is started if need be."""
        async with self._starting:
            if self._link is None and self._nursery is not None:
                await self._nursery.start(self._serve)
        await self._ready.wait()
        if self._link is None:
            raise Failed("the node did not come")
        return self._link

    async def send(self, frame: Frame) -> None:
        """One frame on the link; cases and the reader send, one at a time."""
        link = await self.link()
        async with self._writing:
            await link.send(frame)

    async def _serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with open_port(self.broker, Transcript()) as port:
            async with node_program(self.settings, self.who, port.address):
                self._link = await port.welcomed()
                reading = self._read(self._link)
                await anext(reading)
                self._ready.set()
                task_status.started()
                async for _ in reading:
                    pass

    async def _read(self, link: Peer) -> AsyncIterator[None]:
        """Yield once when the node has subscribed its own name, then hand on until the end."""
        own = f"choria/node/{self.who.name}"
        try:
            while True:
                frame = await link.any_frame()
                if frame[0] == Kind.SUBSCRIBE:
                    self.subscribed += frame[1]
                    if own in frame[1]:
                        await trio.sleep(0.2)  # it may say more, in other frames
                        yield
                elif frame[0] == Kind.PING:
                    async with self._writing:
                        await link.send(pong(frame[1]))
                elif frame[0] == Kind.PUBLISH:
                    self._hand_over(frame)
        except (Ended, Refused):
            return

    def _hand_over(self, frame: Frame) -> None:
        tokens = frame[1][0].split("/")
        channel = self._waiting.get(tokens[5] if len(tokens) > 5 else "")
        if channel is not None:
            channel.send_nowait(frame)

    @asynccontextmanager
    async def answers(self, token: str) -> AsyncIterator[trio.MemoryReceiveChannel[Frame]]:
        """What the node publishes on reply subjects with this request token."""
        send, receive = trio.open_memory_channel[Frame](100)
        self._waiting[token] = send
        try:
            yield receive
        finally:
            del self._waiting[token]


@asynccontextmanager
async def node_program(
    settings: Settings, who: Principal, address: str, folder: Path | None = None
) -> AsyncIterator[trio.Process]:
    """The node under test, told to link to ``address``."""
    folder = folder or settings.scratch / fresh_word("node-")
    folder.mkdir(exist_ok=True)
    environment = {
        "CWP_ROLE": "node",
        "CWP_ADDRESS": address,
        "CWP_CREDENTIALS": str(who.folder),
        "CWP_COLLECTIVES": "choria",
        "CWP_ALLOWED": "rip",
        "CWP_SCRATCH": str(folder),
    }
    async with program(settings.command, environment, folder / "log") as process:
        yield process


class NodeLab:
    """Made for each case."""

    def __init__(
        self, settings: Settings, shared: SharedNode, transcript: Transcript, stack: AsyncExitStack
    ) -> None:
        self.settings = settings
        self.shared = shared
        self.transcript = transcript
        self.stack = stack
        self.who = shared.who
        self.network = shared.who.network
        self.process: trio.Process | None = None

    def principal(self, who: str) -> Principal:
        """Somebody of the credentials."""
        return self.settings.credentials.of(who)

    # A fresh node, for cases about its link.

    async def fresh(self, broker: str = "broker") -> Port:
        """Start a node of our own, and be the broker that it links to."""
        port = await self.stack.enter_async_context(
            open_port(self.principal(broker), self.transcript)
        )
        starting = node_program(self.settings, self.principal("node-2"), port.address)
        self.process = await self.stack.enter_async_context(starting)
        return port

    async def fresh_link(self, **changes: Any) -> tuple[Port, Peer]:
        """A fresh node that was welcomed and has subscribed."""
        port = await self.fresh()
        link = await port.welcomed(**changes)
        await self.subscribed(link)
        return port, link

    async def subscribed(self, link: Peer) -> list[Frame]:
        """What a fresh node says up to the SUBSCRIBE with its own subject, which may not be its first."""
        own = f"choria/node/{self.principal('node-2').name}"
        return await link.until(lambda frame: frame[0] == Kind.SUBSCRIBE and own in frame[1])

    def folder(self) -> Path:
        """A folder for a node that is started more than once."""
        return self.settings.scratch / fresh_word("node-")

    async def port(self) -> Port:
        """A port of our own."""
        opening = open_port(self.principal("broker"), self.transcript)
        return await self.stack.enter_async_context(opening)

    def running(self, port: Port, folder: Path) -> AbstractAsyncContextManager[trio.Process]:
        """A node that runs while the block lasts, with this folder for what it keeps."""
        return node_program(self.settings, self.principal("node-2"), port.address, folder)

    # The shared node, for cases about requests.

    def ask(self, agent: str = "rpcutil", action: str = "ping", **changes: Any) -> Map:
        """A directed request for the shared node; ``_12=5`` changes key 12, None removes it."""
        wanted = request(self.network, agent, action, [self.who.name])
        wanted |= {int(key[1:]): value for key, value in changes.items()}
        return {key: value for key, value in wanted.items() if value is not None}

    def signed(self, what: Map | bytes, caller: str = "client-1", **signing: Any) -> bytes:
        """``what`` signed by ``caller``."""
        who = self.principal(caller)
        payload = what if isinstance(what, bytes) else encode(what)
        return sign(payload, Signing(who.key, who.der, **signing))

    def reply_field(self, what: Map, caller: str = "client-1") -> str:
        """The right reply field of a request by ``caller``."""
        who = self.principal(caller)
        number = what.get(2, bytes(16))
        collective = what.get(4, "choria")
        return f"{collective}/reply/{self.network}/{who.inbox}/{'5a' * 16}/{number.hex()}"

    @property
    def own_subject(self) -> str:
        """Where directed requests for the shared node go."""
        return f"choria/node/{self.who.name}"

    async def deliver(
        self, envelope: bytes, reply: str | None, subject: str | None = None, **headers: Any
    ) -> None:
        """Hand an envelope to the shared node."""
        frame = deliver(subject or self.own_subject, envelope, reply, headers.get("headers"))
        self.transcript.sent("[node]", encode(frame))
        await self.shared.send(frame)

    async def answer_to(
        self, envelope: bytes, reply: str | None, subject: str | None = None
    ) -> list[Frame]:
        """All PUBLISHes that answer, after the first one or silence."""
        token = (reply or "").rpartition("/")[2] or fresh_word()
        return await self.answers_to([(envelope, reply, subject)], token)

    async def answers_to(
        self, deliveries: list[tuple[bytes, str | None, str | None]], token: str
    ) -> list[Frame]:
        """What comes under a request token when these are delivered in turn, up to silence.

        Silence is measured behind the answer to a good request that is sent last.
        """
        await self.shared.link()
        found: list[Frame] = []
        async with self.shared.answers(token) as channel:
            for envelope, reply, subject in deliveries:
                await self.deliver(envelope, reply, subject)
            await self._marker()
            with trio.move_on_after(SILENCE_S):
                while True:
                    found.append(await channel.receive())
        for frame in found:
            self.transcript.received("[node]", encode(frame))
        return found

    async def _marker(self) -> None:
        what = self.ask("discovery", "ping")
        envelope, reply = self.signed(what), self.reply_field(what)
        async with self.shared.answers(what[2].hex()) as channel:
            await self.deliver(envelope, reply)
            with trio.move_on_after(ANSWER_S):
                await channel.receive()
                return
        raise Failed("a good request was not answered: the node is gone or hangs")

    async def expect_silent(
        self, envelope: bytes, reply: str | None, subject: str | None = None
    ) -> None:
        """The node does not answer this."""
        frames = await self.answer_to(envelope, reply, subject)
        if frames:
            raise Failed(f"it was answered on {frames[0][1]}")

    async def expect_answer(
        self, what: Map, envelope: bytes | None = None, *, caller: str = "client-1",
        subject: str | None = None, wants: Refusal | None = None, graded: str = "",
    ) -> Map:  # fmt: skip
        """One answer, on the right subject, with the right names and hash; its map.

        Args:
            what: The request.
            envelope: Its signed form, if it is not the usual one.
            caller: Who signs.
            subject: Where it is delivered.
            wants: The refusal; None: the action was run, status 0.
            graded: ``signed`` or ``link`` if it must be so.
        """
        envelope = envelope or self.signed(what, caller)
        prefix = self.reply_field(what, caller)
        frames = await self.answer_to(envelope, prefix, subject)
        check(frames, "it was not answered")
        equal(len(frames), 1, "the number of answers")
        answer = self.judged(frames[0], prefix, graded)
        equal(answer[2], what[2], "the request id")
        equal(answer[3], hashlib.sha256(envelope).digest(), "the request hash")
        _check_end(answer, wants)
        return answer

    def judged(self, frame: Frame, prefix: str, graded: str = "") -> Map:
        """The reply in a PUBLISH of the shared node, after all that is true of every reply."""
        equal(frame[1], [f"{prefix}/{self.network}/{self.who.name}"], "the subjects")
        check(1 not in frame[2], "a node may not ask for a receipt")
        payload = frame[5]
        first = payload[:1]
        check(first == b"\xd2" or first[0] >> 5 == 5, f"the payload begins {payload[:4].hex()}")
        is_signed = first == b"\xd2"
        if graded:
            equal("signed" if is_signed else "link", graded, "the grade")
        body = open_envelope(payload, self.who.der, REPLY).payload if is_signed else payload
        answer = decode(body)
        check(isinstance(answer, dict) and not isinstance(answer, Tag), "the reply is no map")
        equal([answer.get(4), answer.get(5)], [self.network, self.who.name], "network and sender")
        refusal = answer.get(9)
        if not is_signed and refusal not in (None, Refusal.NOT_MATCHED):
            raise Failed(f"refusal {refusal} came without a signature (CWP-13.5-2)")
        return dict(answer)


def _check_end(answer: Map, wants: Refusal | None) -> None:

    got = answer.get(9)
    said = next((each.name for each in Refusal if each == got), got)
    check(
        got == wants,
        f"the refusal is {said} ({answer.get(7)!r}), not {wants.name if wants else None}",
    )
    equal(answer[6], STATUS[wants] if wants else 0, "the status code")


@asynccontextmanager
async def open_nodes(settings: Settings) -> AsyncIterator[SharedNode]:
    """The shared node of one run."""
    async with trio.open_nursery() as nursery:
        shared = SharedNode(settings)
        await nursery.start(shared.run)
        yield shared
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def node_lab(
    settings: Settings, shared: SharedNode, transcript: Transcript
) -> AsyncIterator[NodeLab]:
    """The lab of one case."""
    async with AsyncExitStack() as stack:
        yield NodeLab(settings, shared, transcript, stack)
