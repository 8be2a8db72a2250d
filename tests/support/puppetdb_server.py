"""A small PuppetDB on loopback: HTTPS that wants a client's certificate, and keeps what it was asked."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import attrs
import h11
import trio

from choria.client.methods import PuppetDb
from choria.net import Endpoint
from tests.support.puppet_world import PuppetWorld

Answer = Callable[[str], tuple[int, bytes]]


def rows(*names: str, gone: tuple[str, ...] = ()) -> Answer:
    """A server that knows these nodes; those of ``gone`` were deactivated."""
    found = [{"certname": name, "deactivated": None} for name in names]
    found += [{"certname": name, "deactivated": "2026-01-01T00:00:00.000Z"} for name in gone]
    return lambda _: (200, json.dumps(found).encode())


@attrs.define
class Server:
    """What was asked, by whom, with which method of HTTP."""

    port: int
    answer: Answer
    queries: list[str] = attrs.field(factory=list)
    methods: list[str] = attrs.field(factory=list)
    callers: list[str] = attrs.field(factory=list)

    async def serve(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            await self._serve(stream)
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            return  # a caller whom TLS refused, or who left
        finally:
            await trio.aclose_forcefully(stream)

    async def _serve(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        link, head, body = h11.Connection(our_role=h11.SERVER), None, b""
        while not isinstance(event := link.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                link.receive_data(await stream.receive_some(65536))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.ConnectionClosed):
                return
        assert head is not None
        certificate = stream.getpeercert()
        self.callers.append(dict(pair[0] for pair in certificate["subject"])["commonName"])
        self.methods.append(head.method.decode())
        target = urlsplit(head.target.decode())
        assert target.path == "/pdb/query/v4"
        query = json.loads(body)["query"] if body else parse_qs(target.query)["query"][0]
        self.queries.append(query)
        status, data = self.answer(query)
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
        for part in (h11.Response(status_code=status, headers=headers), h11.Data(data=data), h11.EndOfMessage()):  # fmt: skip
            await stream.send_all(link.send(part) or b"")


@asynccontextmanager
async def a_puppetdb(
    world: PuppetWorld, folder: Path, answer: Answer, *, name: str = "localhost"
) -> AsyncIterator[Server]:
    """A server on loopback until the block is left; its certificate says ``name``."""
    world.write(folder, "server")
    world.add(folder, world.certificate("server", alt=[name]), "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certs/server.pem", folder / "private_keys/server.pem")
    context.load_verify_locations(folder / "certs/ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="localhost")
    server = Server(port_of(listeners), answer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, server.serve, listeners)
        yield server
        nursery.cancel_scope.cancel()


def port_of(listeners) -> int:
    return listeners[0].transport_listener.socket.getsockname()[1]


def client_of(
    world: PuppetWorld, folder: Path, port: int, name: str = "rip.mcollective"
) -> PuppetDb:
    """How an operator of ``world`` reaches a server on ``port``."""
    world.write(folder, name)
    return PuppetDb(
        servers=(Endpoint("localhost", port),),
        ca=folder / "certs/ca.pem",
        certificate=folder / f"certs/{name}.pem",
        key=folder / f"private_keys/{name}.pem",
    )
