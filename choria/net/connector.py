"""How a session gets a stream to a broker: over TLS, and saying why when it does not.

The texts matter (F7). With TLS 1.3 a client has finished its handshake before the broker judged
its certificate, so a refusal arrives later, as an alert behind a broken connection; and a broker that
says GOODBYE closes while we may be writing. So a failed send is never reported: the reader finds the
alert, the GOODBYE or the end, and reports that.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import trio

from choria.errors import LinkLost, TrustError
from choria.trust import Principal, Role

from .credentials import ALPN, Credentials, wall_clock_ms
from .endpoints import Endpoint, Endpoints
from .tls_steps import STEP_BYTES, FloodError, TlsSteps

CLOSED_DURING_LOGIN: Final = (
    "closed during login: certificate probably refused, see the broker's log"
)


class Connector(Protocol):
    """Knows who we are, where brokers are, and how to reach one."""

    @property
    def principal(self) -> Principal:
        """Whose certificate the link bears."""
        ...

    async def lookup(self) -> Sequence[Endpoint]:
        """The brokers to try in this round, best first. Asked again at every round."""
        ...

    async def connect(self, endpoint: Endpoint) -> Wire:
        """Open a stream to ``endpoint``.

        Cancelling closes the half-open stream.

        Raises:
            LinkLost: it cannot be reached or is not the broker that it should be; says why.
        """
        ...


class Wire(Protocol):
    """A byte stream to a broker. Errors are ``LinkLost`` with a text for the operator.

    Attributes:
        broker: The broker's name as its certificate proves it; None where there is none (memory).
    """

    broker: str | None

    async def send_all(self, data: bytes) -> None:
        """Send ``data``, or lose it when the link is lost: ``receive_some`` tells.

        Cancelling leaves half of it sent: abort the link then.
        """
        ...

    async def receive_some(self) -> bytes:
        """Some bytes, or ``b""`` at the end. Cancel-safe: nothing is lost."""
        ...

    async def aclose(self) -> None:
        """Close at once. Cancelling closes it all the same."""
        ...

    def logged_in(self) -> None:
        """WELCOME has come: an end from now on is no refusal."""
        ...


class TlsConnector:
    """Reaches brokers over TLS 1.3 with our certificate.

    Args:
        endpoints: Where brokers are.
        credentials: Who we are; or a function that says who we are now, so that renewed files take
            effect without a restart: the TLS context is made anew when they or the issuers changed.
        check_hostname: False only in tests (A6).
        server_hostname: What the certificate must bear when it is not the address itself.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        credentials: Credentials | Callable[[], Credentials],
        *,
        check_hostname: bool = True,
        server_hostname: str | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._endpoints = endpoints
        self._present = credentials if callable(credentials) else lambda: credentials
        self._server_hostname = server_hostname
        self._now_ms = now_ms
        self._check_hostname = check_hostname
        self._made_of: tuple[object, object] = (None, None)
        self._context = self._fresh_context()

    @property
    def principal(self) -> Principal:
        """Ours, from our certificate."""
        return self._present().principal

    def _fresh_context(self) -> ssl.SSLContext:
        """TLS of the credentials in force now; a context is never changed (F4).

        Raises:
            ConfigError: the files do not fit.
        """
        credentials = self._present()
        made_of = (credentials, credentials.issuers.anchors)
        if any(now is not then for now, then in zip(made_of, self._made_of, strict=True)):
            self._context = credentials.member_context(check_hostname=self._check_hostname)
            self._made_of = made_of
        return self._context

    async def lookup(self) -> Sequence[Endpoint]:
        """Ask where brokers are. Cancel-safe."""
        return await self._endpoints.lookup()

    async def connect(self, endpoint: Endpoint) -> Wire:
        """TCP, TLS, ALPN and the broker's role; cancelling closes what was opened.

        Raises:
            LinkLost: with the reason in words.
        """
        context = self._fresh_context()
        tcp = await open_tcp(endpoint)
        tls = TlsSteps(context, server_hostname=self._server_hostname or endpoint.host)
        wire = TlsWire(tcp, tls)
        try:
            await wire.handshake()
            wire.broker = self._prove_broker(tls)
        except BaseException:
            await trio.aclose_forcefully(tcp)
            raise
        return wire

    def _prove_broker(self, tls: TlsSteps) -> str:
        if tls.alpn() != ALPN:
            raise LinkLost(f"no CWP broker here: it did not agree on {ALPN}")
        der = tls.certificate() or b""
        try:
            # The store holds the broker issuer alone; this also wants the role in the name (A5).
            broker = self._present().issuers.identify(der, frozenset({Role.BROKER}), self._now_ms())
        except TrustError as error:
            raise LinkLost(f"not a broker of {self._present().network}: {error}") from error
        return broker.name


class TlsWire:
    """A ``Wire`` over TCP with the same TLS steps as the pump.

    Not ``trio.SSLStream``: at the first failed send it marks itself broken and never reads again,
    which throws away the alert that says why (F7), and when it refuses the broker it does not send
    the alert that tells the broker. It is 9 KB larger as well, which counts in an emulator.
    """

    def __init__(self, tcp: trio.SocketStream, tls: TlsSteps) -> None:
        self.broker: str | None = None
        self._tcp = tcp
        self._tls = tls
        self._login = True

    async def handshake(self) -> None:
        """Our half of the handshake. Cancelling leaves a stream that must be closed."""
        data = b""
        try:
            while not self._tls.shake(data):
                await self._send_ciphertext()
                data = bytes(await self._tcp.receive_some(STEP_BYTES))
                if not data:
                    raise LinkLost("TLS handshake failed: closed by the peer")
        except ssl.SSLError as error:
            await self._send_ciphertext()  # the alert, so that the broker's log says why
            raise LinkLost(f"TLS handshake failed: {_tls_text(error)}") from error
        except trio.BrokenResourceError as error:
            raise LinkLost("TLS handshake failed: reset by the peer") from error
        await self._send_ciphertext()

    async def send_all(self, data: bytes) -> None:
        """See ``Wire``."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._tcp.send_all(self._tls.encrypt(data))

    async def receive_some(self) -> bytes:
        """See ``Wire``."""
        data = b""  # first what came with the last byte of the handshake
        try:
            while not (plain := self._tls.decrypt(data)):
                data = bytes(await self._tcp.receive_some(STEP_BYTES))
                if not data:
                    return b""  # no close_notify: GOODBYE would have told (D11)
        except ssl.SSLZeroReturnError:
            await trio.lowlevel.checkpoint()
            return b""
        except ssl.SSLError as error:
            raise LinkLost(f"connection lost: {_tls_text(error)}") from error
        except FloodError as error:
            raise LinkLost("connection lost: too many TLS records without data") from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            why = CLOSED_DURING_LOGIN if self._login else "reset by the peer"
            raise LinkLost(f"connection lost: {why}") from error
        return plain

    async def aclose(self) -> None:
        """See ``Wire``. No close_notify: GOODBYE has said it, and waiting for one can hang."""
        await trio.aclose_forcefully(self._tcp)

    def logged_in(self) -> None:
        """See ``Wire``."""
        self._login = False

    async def _send_ciphertext(self) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await self._tcp.send_all(self._tls.ciphertext())


async def open_tcp(endpoint: Endpoint) -> trio.SocketStream:
    """A TCP stream to ``endpoint``; cancelling closes it. Raises LinkLost with the reason in words."""
    try:
        return await trio.open_tcp_stream(endpoint.host, endpoint.port)
    except OSError as error:
        raise LinkLost(f"cannot connect: {_os_text(error)}") from error


def _tls_text(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"broker's certificate refused: {error.verify_message}"
    words = (error.reason or str(error)).lower().replace("_", " ")
    if "alert" in words:
        return f"broker refused our certificate or TLS: {words}"
    return f"no TLS that we speak: {words}"


def _os_text(error: OSError) -> str:
    if isinstance(error.__cause__, BaseExceptionGroup):
        texts = {_os_text(each) for each in error.__cause__.exceptions if isinstance(each, OSError)}
        return ", ".join(sorted(texts))
    if error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)  # trio's own text repeats the address
    return error.strerror or str(error)
