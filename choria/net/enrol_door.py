"""The door for applicants: TLS without a client certificate, one question, one answer, closed.

It is given a function from bytes to bytes and nothing else: no hub, no engine, no pump, so that no
mistake here can reach a member (CWP-18.1-1). Handshakes run one at a time in a thread of their own
and take nothing from the port of members; the function runs in another, one question at a time.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import trio

from choria.enrol import ENROL_ALPN, MAX_REQUEST_BYTES, is_for_logins
from choria.errors import ConfigError, RemoteProtocolError
from choria.wire import encode_cbor

from .credentials import Credentials
from .enrol_wire import Body
from .lobby import Guest, Lobby, source_of
from .tls_steps import STEP_BYTES, FloodError, TlsSteps

log = logging.getLogger(__name__)

DEFAULT_PLACES: Final = 64
LOGINS_AT_ONCE: Final = 4
DEFAULT_WITHIN_S: Final = 30.0  # CWP-18.1-5 allows 60
_LAST_BYTES: Final = 64 << 10
_LAST_WORDS_S: Final = 2.0

Answer = Callable[[bytes, str, str], bytes]
"""(question, address, network that the address counts for) -> answer; called in a thread."""


def enrol_context(credentials: Credentials) -> ssl.SSLContext:
    """TLS of a door: the broker's certificate, and nobody else's asked for (CWP-18.1-2).

    Raises:
        ConfigError: the files do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.set_alpn_protocols([ENROL_ALPN])
    try:
        context.load_cert_chain(credentials.certificate_file, credentials.key_file)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"{credentials.folder}: certificate and key do not fit: {error}"
        ) from error
    return context


@dataclass(slots=True, kw_only=True)
class EnrolDoor:
    """A handler of accepted connections.

    Attributes:
        context: TLS; see :func:`enrol_context`.
        answer: who judges.
        malformed: the answer to what is no frame at all.
        logins: who answers questions of people who want to log in (CWP-21.2-1). It may wait for
            another process, and is asked in threads of its own, so that machines do not wait for it.
        places: how many may wait at once.
        within_s: for all of one conversation.
    """

    context: ssl.SSLContext
    answer: Answer
    malformed: bytes
    places: int = DEFAULT_PLACES
    within_s: float = DEFAULT_WITHIN_S
    logins: Answer | None = None
    _lobby: Lobby = field(init=False)
    _handshakes: trio.CapacityLimiter = field(init=False)
    _desk: trio.CapacityLimiter = field(init=False)
    _login_desk: trio.CapacityLimiter = field(init=False)

    def __post_init__(self) -> None:
        """Make what cannot be shared with anybody."""
        self._lobby = Lobby(self.places)
        self._handshakes = trio.CapacityLimiter(1)
        self._desk = trio.CapacityLimiter(1)
        self._login_desk = trio.CapacityLimiter(LOGINS_AT_ONCE)

    async def greet(self, stream: trio.SocketStream) -> None:
        """Serve one applicant. Cancelling closes without a word."""
        try:
            address = str(stream.socket.getpeername()[0])
            await self._within_deadline(stream.socket, address)
        except OSError as error:
            log.info("an applicant left: %s", error.strerror or error)
        except Exception:  # a bug with one applicant must not stop the broker
            log.exception("an applicant could not be served")
        finally:
            stream.socket.close()

    async def _within_deadline(self, sock: trio.socket.SocketType, address: str) -> None:
        with trio.move_on_after(self.within_s) as scope:

            def evict(why: str) -> None:
                log.warning("applicant at %s: %s", address, why)
                scope.cancel()

            guest = Guest(address, evict)
            self._lobby.enter(guest)
            try:
                await self._serve(sock, address)
            except (ssl.SSLError, FloodError) as error:
                log.info("applicant at %s: %s", address, error)
            finally:
                self._lobby.leave(guest)

    async def _serve(self, sock: trio.socket.SocketType, address: str) -> None:
        tls = TlsSteps(self.context)
        if not await self._shake(sock, tls) or tls.alpn() != ENROL_ALPN:
            return
        body = await _read_body(sock, tls)
        if body is None:
            return
        answer = self.malformed
        if body:
            who, limiter = self.answer, self._desk
            if self.logins is not None and is_for_logins(body):
                who, limiter = self.logins, self._login_desk
            judge = partial(who, body, address, source_of(address))
            # Not abandoned when cancelled: what was begun to be written is written.
            answer = await trio.to_thread.run_sync(judge, limiter=limiter)
        await _send(sock, tls.encrypt(encode_cbor(answer)) + tls.close_notify())
        await _linger(sock)

    async def _shake(self, sock: trio.socket.SocketType, tls: TlsSteps) -> bool:
        done = False
        try:
            while not done:
                data = await sock.recv(STEP_BYTES)
                if not data:
                    return False
                done = await trio.to_thread.run_sync(tls.shake, data, limiter=self._handshakes)
                await _send(sock, tls.ciphertext())
        except ssl.SSLError:
            await _send(sock, tls.ciphertext())  # the alert that says why
            raise
        return True


async def serve_enrol_port(
    listeners: Sequence[trio.SocketListener],
    door: EnrolDoor,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve applicants until cancelled, which closes the listeners and drops whoever is there."""
    async with trio.open_nursery() as applicants:
        serve = partial(
            trio.serve_listeners, door.greet, list(listeners), handler_nursery=applicants
        )
        await applicants.start(serve)
        task_status.started()


async def _read_body(sock: trio.socket.SocketType, tls: TlsSteps) -> bytes | None:
    """The question; ``b""`` for what is no frame, None when the applicant left."""
    body, data = Body(MAX_REQUEST_BYTES), b""
    try:
        while not body.feed(tls.decrypt(data)):
            data = await sock.recv(STEP_BYTES)
            if not data:
                return None
    except ssl.SSLZeroReturnError:
        return None
    except RemoteProtocolError as error:
        log.info("an applicant sent no frame: %s", error)
        return b""
    return body.whole


async def _send(sock: trio.socket.SocketType, data: bytes) -> None:
    while data:
        data = data[await sock.send(data) :]


async def _linger(sock: trio.socket.SocketType) -> None:
    """Wait for the peer's end, so that a reset does not destroy what we said."""
    with trio.move_on_after(_LAST_WORDS_S):
        sock.shutdown(socket.SHUT_WR)
        left = _LAST_BYTES
        while left > 0 and (data := await sock.recv(STEP_BYTES)):
            left -= len(data)
