"""A CA on disk, a broker's port on loopback, and members who may do anything on it."""

from __future__ import annotations

import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from choria.ca import init_ca, issue
from choria.net import (
    Credentials,
    Door,
    Endpoint,
    Engine,
    EngineSettings,
    Greeter,
    Session,
    SessionSettings,
    StaticEndpoints,
    Switch,
    TlsConnector,
    load_credentials,
    open_session,
    serve_broker_port,
    wall_clock_ms,
)
from choria.wire import (
    Event,
    Frame,
    Goodbye,
    Hello,
    Limits,
    Link,
    Side,
    Welcome,
)
from tests.support.seeds import seeded
from tests.support.switches import NETWORK

DAY_MS = 86_400_000
SESSION = b"\x05" * 16
QUICK = Limits(hello_within_s=0.3)


class Credentialed:
    """A CA in ``folder`` and whatever credentials tests ask for, made once each."""

    def __init__(self, folder: Path, network: str = NETWORK) -> None:
        self.folder = folder
        init_ca(folder / "ca", network, wall_clock_ms() - 60 * DAY_MS)

    def files(self, role: str, name: str, **facts) -> Path:
        out = self.folder / f"{role}-{name}"
        if not out.exists():
            issue(
                self.folder / "ca",
                role,
                name,
                out,
                now_ms=facts.pop("at_ms", wall_clock_ms()),
                **facts,
            )
        return out

    def of(self, role: str, name: str, **facts) -> Credentials:
        return load_credentials(self.files(role, name, **facts))

    @property
    def broker(self) -> Credentials:
        return self.of("broker", "b1", dns=["localhost"], ips=["127.0.0.1"])


@dataclass(slots=True)
class Port:
    """A served port."""

    number: int
    greeter: Greeter
    engine: Engine
    shutdown: trio.Event


@asynccontextmanager
async def a_port(
    switch: Switch,
    broker: Credentials,
    *,
    limits: Limits = QUICK,
    settings: EngineSettings | None = None,
    places: int = 100,
) -> AsyncIterator[Port]:
    engine = Engine(switch, rng=seeded(3), limits=limits, settings=settings)
    door = Door(context=broker.broker_context(), issuers=broker.issuers, places=places)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:

        async def serve(*, task_status: trio.TaskStatus[Greeter]) -> None:
            await serve_broker_port(
                listeners, engine, door, shutdown=shutdown, grace_s=2.0, task_status=task_status
            )

        greeter = await nursery.start(serve)
        yield Port(listeners[0].socket.getsockname()[1], greeter, engine, shutdown)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_tls_session(
    port: int, credentials: Credentials, *, host: str = "127.0.0.1", **settings
) -> AsyncIterator[Session]:
    rng = seeded(4)
    connector = TlsConnector(StaticEndpoints([Endpoint(host, port)], rng=rng), credentials)
    async with open_session(
        connector, SessionSettings(**settings), rng=rng, now_ms=wall_clock_ms
    ) as session:
        yield session


def a_hello() -> Hello:
    return Hello(versions=(1,), session=SESSION, boot=b"\x06" * 16, collectives=("choria",))


class RawMember:
    """TLS over memory BIOs and a TCP stream, every byte in the test's hands."""

    def __init__(self, stream: trio.SocketStream, context: ssl.SSLContext) -> None:
        self.stream = stream
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
        self.link = Link(Side.MEMBER, Limits(), now=trio.current_time())
        self.records_sent = 0

    async def shake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self.stream.receive_some(65536)
                self.incoming.write(data) if data else self.incoming.write_eof()
            else:
                return await self._flush()

    async def _flush(self) -> None:
        if self.outgoing.pending:
            await self.stream.send_all(self.outgoing.read())

    async def send_plain(self, data: bytes) -> None:
        self.tls.write(data)
        self.records_sent += 1
        await self._flush()

    async def send(self, frame: Frame) -> None:
        await self.send_plain(self.link.send(frame))

    async def receive(self) -> list[Event]:
        """The next events; [] at the end of the stream."""
        while True:
            try:
                plain = self.tls.read(65536)
            except ssl.SSLWantReadError:
                data = await self.stream.receive_some(65536)
                self.incoming.write(data) if data else self.incoming.write_eof()
                continue
            except ssl.SSLEOFError:
                return []
            if not plain:
                return []
            if events := self.link.receive(plain, trio.current_time()):
                return events

    async def until_pong(self) -> None:
        """Read until no PING of ours waits for its PONG, which the link keeps to itself."""
        while self.link._pings:
            try:
                self.link.receive(self.tls.read(65536), trio.current_time())
            except ssl.SSLWantReadError:
                self.incoming.write(await self.stream.receive_some(65536))

    async def log_in(self) -> None:
        await self.shake()
        await self.send(a_hello())
        events = await self.receive()
        assert isinstance(events[0], Welcome)

    async def farewell(self) -> Goodbye:
        """What the broker says last; fails when it just closes."""
        last = None
        while events := await self.receive():
            last = events[-1]
        assert isinstance(last, Goodbye), last
        return last

    def reset(self) -> None:
        """Close with RST."""
        self.stream.setsockopt(
            trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.stream.socket.close()


@asynccontextmanager
async def a_raw_member(
    port: int, credentials: Credentials, *, context: ssl.SSLContext | None = None
) -> AsyncIterator[RawMember]:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        yield RawMember(stream, context or credentials.member_context())
