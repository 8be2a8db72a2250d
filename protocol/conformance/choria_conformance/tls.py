"""TLS with every byte in our hands: pieces, half closes, resets, and records that no library sends."""

from __future__ import annotations

import ssl
import struct
from contextlib import suppress
from typing import Final

import trio

_READ: Final = 65536


class Refused(Exception):  # noqa: N818  # a fact
    """The peer refused by a TLS alert, or went away in the handshake."""


class TlsStream:
    """TLS over a TCP socket by memory buffers. Not safe for two senders at once."""

    def __init__(
        self, tcp: trio.SocketStream, context: ssl.SSLContext, *, server: bool = False,
        host: str | None = None,
    ) -> None:  # fmt: skip
        self.tcp = tcp
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_side=server,
            server_hostname=None if server else host,
        )  # fmt: skip
        self.records = 0
        self.server = server

    async def handshake(self) -> None:
        """Finish the handshake as far as our side goes. Raises Refused."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
            except ssl.SSLError as error:
                with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._flush()
                raise Refused(str(error)) from error
            else:
                await self._flush()
                return

    async def _more(self) -> None:
        try:
            data = await self.tcp.receive_some(_READ)
        except trio.BrokenResourceError as error:
            raise Refused("the connection broke in the handshake") from error
        if not data:
            raise Refused("the connection ended in the handshake")
        self.incoming.write(data)

    async def _flush(self) -> None:
        if data := self.outgoing.read():
            await self.tcp.send_all(data)

    async def send(self, data: bytes) -> None:
        """Encrypt and send."""
        self.tls.write(data)
        self.records += 1
        await self._flush()

    async def send_bytewise(self, data: bytes) -> None:
        """One TLS record and one TCP segment for each byte."""
        self.tcp.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        for byte in data:
            await self.send(bytes([byte]))

    async def receive(self) -> bytes:
        """The next plaintext; empty at the end of stream, however it came. Raises Refused."""
        while True:
            try:
                data = self.tls.read(_READ)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._wait():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError:
                return b""
            except ssl.SSLError as error:
                raise Refused(str(error)) from error
            else:
                await self._flush_quietly()
                return data

    async def _flush_quietly(self) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._flush()

    async def _wait(self) -> bool:
        try:
            data = await self.tcp.receive_some(_READ)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        self.incoming.write(data) if data else self.incoming.write_eof()
        return bool(data)

    async def end_tls(self) -> None:
        """Send the close alert and keep the socket open for reading."""
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        await self._flush_quietly()

    def certificate(self) -> bytes:
        """The peer's certificate, DER."""
        return self.tls.getpeercert(binary_form=True) or b""

    async def half_close(self) -> None:
        """End our direction of TCP without a close alert."""
        await self.tcp.send_eof()

    def reset(self) -> None:
        """Close with a TCP reset."""
        linger = struct.pack("ii", 1, 0)
        self.tcp.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
        self.tcp.socket.close()

    def close(self) -> None:
        """Close at once. Never blocks."""
        self.tcp.socket.close()
