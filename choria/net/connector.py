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

from .compat import override
from .credentials import ALPN, Credentials, wall_clock_ms
from .endpoints import Endpoint, Endpoints

CLOSED_DURING_LOGIN: Final = (
    "closed during login: certificate probably refused, see the broker's log"
)
_RECEIVE_BYTES: Final = 65536


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
    """A byte stream to a broker. Errors are ``LinkLost`` with a text for the operator."""

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
        credentials: Who we are; asked for a new TLS context at each connection when it is a
            function, so that renewed files take effect without a restart.
        check_hostname: False only in tests (A6).
        server_hostname: What the certificate must bear when it is not the address itself.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        credentials: Credentials,
        *,
        check_hostname: bool = True,
        server_hostname: str | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._endpoints = endpoints
        self._credentials = credentials
        self._server_hostname = server_hostname
        self._now_ms = now_ms
        self._context = credentials.member_context(check_hostname=check_hostname)

    @property
    def principal(self) -> Principal:
        """Ours, from our certificate."""
        return self._credentials.principal

    async def lookup(self) -> Sequence[Endpoint]:
        """Ask where brokers are. Cancel-safe."""
        return await self._endpoints.lookup()

    async def connect(self, endpoint: Endpoint) -> Wire:
        """TCP, TLS, ALPN and the broker's role; cancelling closes what was opened.

        Raises:
            LinkLost: with the reason in words.
        """
        try:
            tcp = await trio.open_tcp_stream(endpoint.host, endpoint.port)
        except OSError as error:
            raise LinkLost(f"cannot connect: {_os_text(error)}") from error
        stream = trio.SSLStream(
            _PatientStream(tcp),
            self._context,
            server_hostname=self._server_hostname or endpoint.host,
        )
        wire = TlsWire(stream)
        try:
            await wire.handshake()
            self._check_broker(stream)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return wire

    def _check_broker(self, stream: trio.SSLStream[_PatientStream]) -> None:
        if stream.selected_alpn_protocol() != ALPN:
            raise LinkLost(f"no CWP broker here: it did not agree on {ALPN}")
        der = stream.getpeercert(binary_form=True)
        try:
            # The store holds the broker issuer alone; this also wants the role in the name (A5).
            self._credentials.issuers.identify(der, frozenset({Role.BROKER}), self._now_ms())
        except TrustError as error:
            raise LinkLost(f"not a broker of {self._credentials.network}: {error}") from error


class TlsWire:
    """A ``Wire`` over ``trio.SSLStream`` that turns its errors into words."""

    def __init__(self, stream: trio.SSLStream[_PatientStream]) -> None:
        self._stream = stream
        self._login = True

    async def handshake(self) -> None:
        """Our half of the handshake. Cancelling leaves a stream that must be closed."""
        try:
            await self._stream.do_handshake()
        except (trio.BrokenResourceError, OSError) as error:
            raise LinkLost(f"TLS handshake failed: {self._why(error)}") from error

    async def send_all(self, data: bytes) -> None:
        """See ``Wire``."""
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.lowlevel.checkpoint()

    async def receive_some(self) -> bytes:
        """See ``Wire``."""
        try:
            return bytes(await self._stream.receive_some(_RECEIVE_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            if _is_ragged_end(error):
                return b""  # indistinguishable from a clean one for us: GOODBYE tells (D11)
            raise LinkLost(f"connection lost: {self._why(error)}") from error

    async def aclose(self) -> None:
        """See ``Wire``. No close_notify: GOODBYE has said it, and waiting for one can hang."""
        await trio.aclose_forcefully(self._stream)

    def logged_in(self) -> None:
        """See ``Wire``."""
        self._login = False

    def _why(self, error: BaseException) -> str:
        alert = _alert(error)
        if alert is not None:
            return alert
        cause = error.__cause__
        if self._login and isinstance(cause, OSError | None):
            return CLOSED_DURING_LOGIN
        return str(cause or error) or "closed by the peer"


class _PatientStream(trio.abc.Stream):
    """TCP that hides failed sends, because SSLStream never reads after one.

    trio.SSLStream marks itself broken at the first failed send and then refuses to read, which
    throws away the alert that says why (F7). The failed bytes are lost either way.
    """

    def __init__(self, tcp: trio.SocketStream) -> None:
        self._tcp = tcp

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await self._tcp.send_all(data)

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self._tcp.wait_send_all_might_not_block()

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._tcp.receive_some(max_bytes)

    @override
    async def aclose(self) -> None:
        await self._tcp.aclose()


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def _is_ragged_end(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLEOFError) for cause in _causes(error))


def _alert(error: BaseException) -> str | None:
    """What TLS says went wrong, ours or the peer's; None when it says nothing."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"broker's certificate refused: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            reason = cause.reason or str(cause)
            words = reason.lower().replace("_", " ")
            if "alert" in words:
                return f"broker refused our certificate or TLS: {words}"
            return f"no TLS that we speak: {words}"
    return None


def _os_text(error: OSError) -> str:
    if isinstance(error.__cause__, BaseExceptionGroup):
        texts = {_os_text(each) for each in error.__cause__.exceptions if isinstance(each, OSError)}
        return ", ".join(sorted(texts))
    if error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)  # trio's own text repeats the address
    return error.strerror or str(error)
