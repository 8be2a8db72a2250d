"""The suite as a broker: a port, links that members open, and what WELCOME says."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from .frames import Frame, Kind
from .messages import now_ms
from .peer import Peer
from .principals import Principal, broker_context
from .tls import Refused, TlsStream
from .transcript import Transcript
from .verdicts import Failed

ACCEPT_WITHIN_S = 60.0
LIMITS = {1: 1 << 20, 2: (1 << 20) + 81920, 3: 1024, 4: 25000, 5: 256}


def welcome(hello: Frame, broker: Principal, **changes: Any) -> Frame:
    """The right answer to HELLO, with some fields changed by place: ``_4="tokyo"``."""
    limits = {**LIMITS, **changes.pop("limits", {})}
    frame: Frame = [2, 1, hello[2], [], broker.network, broker.name, limits, now_ms()]
    for place, value in changes.items():
        frame[int(place[1:])] = value
    return frame


class Port:
    """A listening socket of the suite."""

    def __init__(
        self, listener: trio.SocketListener, broker: Principal, transcript: Transcript
    ) -> None:
        self.broker = broker
        self._listener = listener
        self._transcript = transcript
        self._count = 0

    @property
    def address(self) -> str:
        """``host:port``."""
        host, port = self._listener.socket.getsockname()[:2]
        return f"{host}:{port}"

    async def tcp(self, within_s: float = ACCEPT_WITHIN_S) -> trio.SocketStream:
        """The next connection. Raises Failed when none comes."""
        with trio.move_on_after(within_s):
            return await self._listener.accept()
        raise Failed(f"nobody connected within {within_s:g} s")

    async def accept(
        self, context: ssl.SSLContext | None = None, within_s: float = ACCEPT_WITHIN_S
    ) -> Peer:
        """The next link after its handshake. Raises Failed and Refused."""
        stream = TlsStream(
            await self.tcp(within_s), context or broker_context(self.broker), server=True
        )
        await stream.handshake()
        self._count += 1
        return Peer(stream, self._transcript, f"[link {self._count}]")

    async def welcomed(self, **changes: Any) -> Peer:
        """The next link, after HELLO and WELCOME; its HELLO is ``peer.hello``."""
        peer = await self.accept()
        peer.hello = await peer.expect(Kind.HELLO)
        await peer.send(welcome(peer.hello, self.broker, **changes))
        return peer

    async def nobody(self, within_s: float) -> None:
        """Nobody says HELLO for a while; connections that end in the handshake do not count."""
        with trio.move_on_after(within_s):
            while True:
                try:
                    peer = await self.accept(within_s=within_s * 2)
                    await peer.expect(Kind.HELLO)
                except (Refused, Failed):
                    continue
                raise Failed("a link was opened where none should be")


@asynccontextmanager
async def open_port(
    broker: Principal, transcript: Transcript, port: int = 0
) -> AsyncIterator[Port]:
    """Listen on the loopback interface until the block is left."""
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    try:
        yield Port(listeners[0], broker, transcript)
    finally:
        listeners[0].socket.close()
