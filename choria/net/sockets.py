"""A connection over a socket and TLS, as the pump carries it.

E2, by construction: the writer gives out plaintext only when the kernel has taken all ciphertext
made before, so what was encrypted is sent as it is, from where it stopped, and a control frame can
still overtake everything that was not encrypted.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from choria.errors import Reason

from .connection import Connection
from .tls_steps import STEP_BYTES, FloodError, TlsSteps

if TYPE_CHECKING:
    from choria.trust import Principal
    from choria.wire import Link

    from .engine import Engine

IN: Final = select.EPOLLIN
OUT: Final = select.EPOLLOUT
LOST: Final = select.EPOLLERR | select.EPOLLHUP
_SENT_AT_ONCE: Final = 256 << 10  # then others get their turn


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a stranger's task hands over: nothing stays behind in it (E6)."""

    sock: socket.socket
    tls: TlsSteps
    link: Link
    principal: Principal
    address: str
    link_pass: bytes = b""


class SocketConnection(Connection):
    """One member's socket.

    Attributes:
        mask: What epoll watches for us.
        lost: The socket is of no use any more: nothing to say, nothing to wait for.
    """

    __slots__ = ("_ciphertext", "_in_flight", "_watch", "fd", "lost", "mask", "sock", "tls")

    def __init__(
        self, engine: Engine, arrival: Arrival, watch: Callable[[SocketConnection, int], None]
    ) -> None:
        super().__init__(engine, arrival.link, arrival.principal, arrival.address)
        self.link_pass = arrival.link_pass
        self.sock = arrival.sock
        self.fd = arrival.sock.fileno()
        self.tls = arrival.tls
        self.mask = IN
        self.lost = False
        self._watch = watch
        self._ciphertext = b""  # what the kernel did not take
        self._in_flight = 0  # how much plaintext is in it

    @property
    @override
    def pending_bytes(self) -> int:
        """Bytes written and not yet taken by the kernel, answers of TLS itself included."""
        if self.gone:
            return 0
        waiting = self.writer.pending_bytes if self.writer is not None else 0
        return waiting + self._in_flight + self.tls.out.pending

    @override
    def flush(self) -> bool:
        """Encrypt and send until the kernel refuses or others should have their turn."""
        room = _SENT_AT_ONCE
        while room > 0 and self._encrypt_more():
            sent = self._send()
            if self._ciphertext:
                if sent:
                    self.engine.sent(self, 0)  # progress, however little
                break
            self.engine.sent(self, self._in_flight)
            self._in_flight = 0
            room -= sent
        done = self.writer is None and not self._ciphertext
        self._set_mask(self.mask & ~OUT if done else self.mask | OUT)
        return done

    def _encrypt_more(self) -> bool:
        """Have ciphertext to send, if there is anything; never while some is left."""
        if self._ciphertext:
            return True
        if self.writer is None:
            self._ciphertext = self.tls.ciphertext()
        else:
            plain = self.writer.take(STEP_BYTES)
            if not self.writer.pending_bytes:
                self.writer = None
            self._in_flight = len(plain)
            self._ciphertext = self.tls.encrypt(plain)
        return bool(self._ciphertext)

    def _send(self) -> int:
        try:
            sent = self.sock.send(self._ciphertext)
        except BlockingIOError:
            return 0
        self._ciphertext = self._ciphertext[sent:]
        return sent

    def readable(self, now: float) -> None:
        """Take one read's worth of bytes to the engine."""
        try:
            data = self.sock.recv(STEP_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(f"connection lost: {error.strerror}")
            return
        if not data:
            self._end("connection closed without a goodbye")
            return
        try:
            plain = self.tls.decrypt(data)
        except (FloodError, ssl.SSLError) as error:
            self._undecryptable(error)
            plain = b""
        if self.tls.out.pending:
            self.engine.written(self, 0)
        if plain:
            self.engine.take(self, plain, now)

    def _undecryptable(self, error: FloodError | ssl.SSLError) -> None:
        if isinstance(error, FloodError):
            self.cut(Reason.FLOOD, "too many TLS records without data")
        elif isinstance(error, ssl.SSLZeroReturnError):
            self._end("connection closed without a goodbye")
        else:
            self._send_alert()
            self._end(f"broken TLS: {error.reason or error}")

    def _send_alert(self) -> None:
        """What OpenSSL has to say about broken records, when it would not cut another in two."""
        alert = self.tls.ciphertext()
        if alert and not self._ciphertext:
            try:
                self.sock.send(alert)
            except OSError:
                self.lost = True

    def _end(self, text: str) -> None:
        self.lost = True
        self.broken(None, text)

    def hung_up(self) -> None:
        """The kernel says that both directions are over (E5); also while we are paused."""
        self._end("connection reset")

    @override
    def drop_writer(self) -> None:
        """Nothing that waits can be sent any more."""
        super().drop_writer()
        self.engine.forgotten(self._in_flight)
        self._ciphertext = b""
        self._in_flight = 0

    @override
    def reading_changed(self) -> None:
        """Watch for bytes, or do not."""
        self._set_mask(self.mask | IN if self.reading else self.mask & ~IN)

    def _set_mask(self, mask: int) -> None:
        if mask != self.mask and not self.gone:
            self.mask = mask
            self._watch(self, mask)

    @override
    def release(self) -> None:
        """Leave the pump; it lets the socket linger, so that our last words arrive."""
        try:
            self._watch(self, -1)
        finally:
            # The wheel of deadlines, and perhaps the hub, hold this object for a while; 23 KB of
            # OpenSSL must not wait with it, or reconnecting in a loop would fill the memory.
            del self.tls, self.sock
