"""The last second of a socket: our last words must arrive before it closes.

Closing a socket with unread bytes in it makes the kernel send a reset, and a reset destroys what
the peer has not read yet: the GOODBYE that says why. So a socket is half closed, what still comes is
thrown away unread, and it is closed when the peer has closed, after a second, or after 256 KiB.
"""

from __future__ import annotations

import contextlib
import select
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .sockets import SocketConnection

LINGER_S: Final = 1.0
LINGER_BYTES: Final = 256 << 10
_READ_BYTES: Final = 65536


class Lingering:
    """Sockets whose links are over. The order of entry is the order of time."""

    def __init__(self) -> None:
        self._sockets: dict[int, tuple[socket.socket, float]] = {}
        self._left: dict[int, int] = {}

    def begin(self, epoll: select.epoll, connection: SocketConnection, now: float) -> None:
        """Say the end of the stream, and watch for the peer's."""
        sock = connection.sock
        if connection.lost:
            sock.close()  # which takes it out of the epoll set as well
            return
        try:
            sock.send(connection.tls.close_notify())
            sock.shutdown(socket.SHUT_WR)
            epoll.modify(connection.fd, select.EPOLLIN)
        except OSError:
            sock.close()
            return
        except BaseException:
            sock.close()
            raise
        self._sockets[connection.fd] = (sock, now + LINGER_S)
        self._left[connection.fd] = LINGER_BYTES

    def reported(self, fd: int) -> None:
        """Something has come in, or the peer has closed."""
        if fd not in self._sockets:
            return
        try:
            count = len(self._sockets[fd][0].recv(_READ_BYTES))
        except BlockingIOError:
            return
        except OSError:
            count = 0
        self._left[fd] -= count
        if not count or self._left[fd] < 0:
            self._end(fd)

    def expire(self, now: float) -> None:
        """Close what has lingered long enough."""
        while self._sockets:
            fd, (_, until) = next(iter(self._sockets.items()))
            if until > now:
                break
            self._end(fd)

    def next_time(self, at: float | None) -> float | None:
        """The earlier of ``at`` and the next time to call ``expire``."""
        if not self._sockets:
            return at
        _, until = next(iter(self._sockets.values()))
        return until if at is None else min(at, until)

    def close(self) -> None:
        """Close all at once."""
        for fd in list(self._sockets):
            self._end(fd)

    def _end(self, fd: int) -> None:
        sock, _ = self._sockets.pop(fd)
        del self._left[fd]
        with contextlib.suppress(OSError):
            sock.close()
