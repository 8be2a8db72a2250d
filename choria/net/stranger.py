"""One connection before it is a member: handshake, who it is, HELLO."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from choria.errors import Reason, RemoteProtocolError, TrustError
from choria.trust import Principal, Revoked, Role
from choria.wire import Event, Goodbye, Link, clip_text

from .credentials import ALPN, wall_clock_ms
from .lobby import DEFAULT_PLACES
from .ration import Ration
from .tls_steps import STEP_BYTES, FloodError, TlsSteps

if TYPE_CHECKING:
    from choria.trust import Issuers

log = logging.getLogger(__name__)

MEMBER_ROLES: Final = frozenset(Role) - {Role.BROKER}
_LAST_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who may come in at a port.

    Attributes:
        context: TLS of the port; made anew when files were reloaded.
        issuers: Say who a certificate's owner is.
        roles: Brokers have a port of their own (A5).
        places: How many strangers may wait at once, about 30 KB each.
    """

    context: ssl.SSLContext
    issuers: Issuers
    roles: frozenset[Role] = MEMBER_ROLES
    now_ms: Callable[[], int] = wall_clock_ms
    places: int = DEFAULT_PLACES


class Refused(Exception):  # noqa: N818  # a fact
    """A stranger is not let in."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Stranger:
    """One connection until its HELLO is in.

    Attributes:
        stage: How far it has come, for the log.
        link_pass: What the pump keeps of its certificate, once it is proved.
        tls: Goes to the pump with everything that it holds (E6).
    """

    def __init__(
        self, sock: trio.socket.SocketType, door: Door, ration: Ration, link: Link
    ) -> None:
        self.address = str(sock.getpeername()[0])
        self.link = link
        self.stage = "in the TLS handshake"
        self.tls = TlsSteps(door.context)
        self._sock = sock
        self._door = door
        self._ration = ration
        self._shaken = False
        self.link_pass = b""

    async def prove(self) -> Principal:
        """Handshake, ALPN, principal. Cancelling leaves a connection that must be closed.

        Raises:
            Refused: with the reason.
        """
        principal: Principal | None = None
        while principal is None:
            data = await self._receive()
            try:
                principal = await self._ration.run(self._step, data)
            except ssl.SSLError as error:
                raise Refused(*_handshake_refusal(error)) from error
            await self._send(self.tls.ciphertext())
        return principal

    def _step(self, data: bytes) -> Principal | None:
        """One step of the handshake; with the last one, who it is."""
        if not self.tls.shake(data):
            return None
        self.stage = "after the TLS handshake"
        if self.tls.alpn() != ALPN:
            # Python's server completes the handshake on a mismatch (D15). It is closed without a
            # frame: whoever agreed on something else would take our bytes for that (CWP-3-3).
            said = self.tls.alpn() or "nothing"
            raise Refused(
                Reason.UNSUPPORTED_VERSION, f"ALPN {ALPN} is spoken here; agreed on {said}"
            )
        self._shaken = True
        door = self._door
        try:
            identified = door.issuers.examine(self.tls.certificate() or b"")
            self.link_pass = door.issuers.pass_of(identified)
            return identified.check(door.roles, door.now_ms())
        except Revoked as error:
            raise Refused(Reason.REVOKED, str(error)) from error  # CWP-20.4-1
        except TrustError as error:
            raise Refused(Reason.IDENTITY_REFUSED, str(error)) from error

    async def hello(self) -> list[Event]:
        """Read until HELLO is complete. Cancelling loses what was read: close it then.

        Raises:
            Refused: it said something else, or nothing.
        """
        data = b""
        while True:
            try:
                plain = self.tls.decrypt(data)
                events = self.link.receive(plain, trio.current_time()) if plain else []
            except (ssl.SSLError, FloodError) as error:
                raise Refused(Reason.MALFORMED, f"broken TLS: {error}") from error
            except RemoteProtocolError as error:
                raise Refused(error.reason, str(error)) from error
            if self.link.failure is not None:  # HELLO and something behind it that may not be there
                raise Refused(self.link.failure.reason, str(self.link.failure))
            if events:
                return events
            data = await self._receive()

    def detach(self) -> socket.socket:
        """The plain socket; this object is of no use afterwards."""
        family, kind, proto = self._sock.family, self._sock.type, self._sock.proto
        return socket.socket(family, kind, proto, fileno=self._sock.detach())  # or it would ask

    async def send_away(self, refused: Refused) -> None:
        """Say why, then wait for the peer's end, so that a reset does not destroy what we said.

        Cancelling ends the wait.
        """
        if self._shaken and self.link.can_send(Goodbye):
            goodbye = Goodbye(reason=refused.reason, text=clip_text(str(refused)))
            last = self.tls.encrypt(self.link.send(goodbye)) + self.tls.close_notify()
        else:
            last = self.tls.ciphertext()
        try:
            await self._send(last)
            self._sock.shutdown(socket.SHUT_WR)
            left = _LAST_BYTES
            while left > 0 and (data := await self._sock.recv(STEP_BYTES)):
                left -= len(data)
        except OSError:
            log.debug("%s did not hear why", self.address)

    async def _send(self, data: bytes) -> None:
        try:
            while data:
                data = data[await self._sock.send(data) :]
        except OSError as error:
            raise Refused(Reason.NORMAL, f"it left {self.stage}: {error.strerror}") from error

    async def _receive(self) -> bytes:
        try:
            data = await self._sock.recv(STEP_BYTES)
        except OSError as error:
            raise Refused(Reason.NORMAL, f"it left {self.stage}: {error.strerror}") from error
        if not data:
            raise Refused(Reason.NORMAL, f"it left {self.stage}")
        return data


def _handshake_refusal(error: ssl.SSLError) -> tuple[Reason, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Reason.IDENTITY_REFUSED, f"its certificate: {error.verify_message}"
    words = (error.reason or str(error)).lower().replace("_", " ")
    if "certificate" in words and "alert" not in words:
        return Reason.IDENTITY_REFUSED, words
    if "alert" in words:
        return Reason.IDENTITY_REFUSED, f"it refused us: {words}"
    return Reason.MALFORMED, f"no TLS that we speak: {words}"
