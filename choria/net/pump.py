"""The pump: one Trio task that carries the bytes of all welcomed links.

Theory of operation. The task owns an epoll set and sleeps in ``wait_readable`` on it. A task and an
SSLStream a connection cost 12 to 17 KB more and 20 us more a message (measured); an entry costs one
object with slots. A *round* takes what epoll reports, reads once from each readable socket (at most
16 KiB, so at most one step of OpenSSL), and gives the engine its turn, in which everything written
leaves. A round ends after 10 ms of reading; what epoll reported and was not served comes first in
the next one, so that nobody starves behind a busy neighbour.

E4: epoll reports descriptors, and a descriptor closed in this round may be a new connection in the
next. So reports become objects at once, and sockets are closed at the end of a turn only.
E5: with an empty mask epoll still reports HUP and ERR: they end the link, or the task would spin.
E9: nothing waits between taking bytes and storing them. Cancel the pump last.
"""

from __future__ import annotations

import contextlib
import math
import select
from collections import deque
from typing import Final

import trio

from choria.errors import Reason
from choria.wire import Event

from .engine import Engine
from .lingering import Lingering
from .sockets import IN, LOST, OUT, Arrival, SocketConnection

_READING_S: Final = 0.010
_REPORTS: Final = 512


class Pump:
    """Serves sockets for an engine.

    Attributes:
        connections: Sockets of links, lingering ones not among them.
    """

    def __init__(self, engine: Engine) -> None:
        self.connections = 0
        self._engine = engine
        self._epoll = select.epoll()
        self._entries: dict[int, SocketConnection] = {}
        self._lingering = Lingering()
        self._reported: deque[tuple[SocketConnection, int]] = deque()
        self._scope: trio.CancelScope | None = None
        self._roused = False

    def adopt(self, arrival: Arrival, events: list[Event]) -> None:
        """Take over a stranger whose HELLO is in. From here on the pump owns the socket."""
        arrival.sock.settimeout(0.0)
        connection = SocketConnection(self._engine, arrival, self._watch)
        self._entries[connection.fd] = connection
        self._epoll.register(connection.fd, IN)
        self.connections += 1
        self._engine.adopt(connection, events)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry bytes until cancelled. Cancelling drops every link as it is: drain first."""
        self._engine.wake = self._wake
        task_status.started()
        at: float | None = -math.inf
        try:
            while True:
                await self._sleep_until(at)
                self._round()
                at = self._engine.turn()
                self._lingering.expire(self._engine.now())
        finally:
            self._close()

    async def _sleep_until(self, at: float | None) -> None:
        at = self._lingering.next_time(at)
        if self._roused or self._reported or (at is not None and at <= self._engine.now()):
            await trio.lowlevel.checkpoint()
        else:
            with trio.CancelScope(deadline=math.inf if at is None else at) as scope:
                self._scope = scope
                await trio.lowlevel.wait_readable(self._epoll.fileno())
            self._scope = None
        self._roused = False

    def _wake(self) -> None:
        self._roused = True
        if self._scope is not None:
            self._scope.cancel()

    def _round(self) -> None:
        """Read from whom epoll reports, for 10 ms at most."""
        if not self._reported:
            self._poll()
        reported, clock = self._reported, self._engine.now
        now = clock()
        until = now + _READING_S
        while reported and now < until:
            connection, mask = reported.popleft()
            if not connection.gone:
                self._serve(connection, mask, now)
            now = clock()

    def _poll(self) -> None:
        for fd, mask in self._epoll.poll(0, _REPORTS):
            connection = self._entries.get(fd)
            if connection is None:
                self._lingering.reported(fd)
            else:
                self._reported.append((connection, mask))

    def _serve(self, connection: SocketConnection, mask: int, now: float) -> None:
        try:
            if mask & OUT:
                self._engine.writable(connection)
            if mask & IN and connection.mask & IN:
                connection.readable(now)
            elif mask & LOST:
                connection.hung_up()
        except Exception as error:  # noqa: BLE001  # E3: one link's boundary
            self._engine.failed("reading", connection, error)
            connection.broken(Reason.INTERNAL, "internal error")

    def _watch(self, connection: SocketConnection, mask: int) -> None:
        """Change what epoll watches; -1 when the link is over."""
        if mask >= 0:
            with contextlib.suppress(OSError):  # a broken descriptor ends at the next read or write
                self._epoll.modify(connection.fd, mask)
            return
        del self._entries[connection.fd]
        self.connections -= 1
        self._lingering.begin(self._epoll, connection, self._engine.now())

    def _close(self) -> None:
        trio.lowlevel.notify_closing(self._epoll.fileno())
        for connection in self._entries.values():
            connection.sock.close()
        self._lingering.close()
        self._epoll.close()
