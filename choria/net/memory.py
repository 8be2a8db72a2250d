"""The shell in memory: the same engine and connections as the pump, with queues for sockets.

Services inside the broker's process and tests with a virtual clock link themselves through it. The
caller says whose link it is: there is no certificate to prove it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import trio
from typing_extensions import override

from choria.trust import Principal
from choria.wire import Link

from .connection import Connection
from .endpoints import Endpoint
from .engine import Engine

_TAKEN_AT_ONCE = 65536


class MemoryConnection(Connection):
    """The switch's side of a link in memory."""

    __slots__ = ("changed",)

    def __init__(self, engine: Engine, link: Link, principal: Principal) -> None:
        super().__init__(engine, link, principal, "memory")
        self.changed = trio.lowlevel.ParkingLot()  # for the other side: something to do

    @override
    def flush(self) -> bool:
        """Wake the reader; it takes what waits when it runs."""
        self.changed.unpark_all()
        return not self.pending_bytes

    @override
    def reading_changed(self) -> None:
        """Wake a sender that waits for us to read."""
        self.changed.unpark_all()

    @override
    def release(self) -> None:
        """Wake everybody: this is the end."""
        self.changed.unpark_all()

    def take_written(self) -> bytes:
        """What the other side reads now."""
        if self.writer is None:
            return b""
        data = self.writer.take(_TAKEN_AT_ONCE)
        if not self.writer.pending_bytes:
            self.writer = None
        self.engine.sent(self, len(data))
        self.engine.writable(self)
        return data


class MemoryWire:
    """The member's side: a ``Wire``."""

    def __init__(self, engine: Engine, connection: MemoryConnection) -> None:
        self.broker: str | None = None  # there is no certificate
        self._engine = engine
        self._connection = connection
        self._closed = False

    async def send_all(self, data: bytes) -> None:
        """Hand ``data`` to the switch, waiting while it reads nothing. Cancel-safe: all or nothing."""
        connection = self._connection
        await trio.lowlevel.checkpoint()
        while not connection.reading and not (connection.closing or self._closed):
            await connection.changed.park()
        # After the end this does nothing: see ``Wire``.
        self._engine.take(connection, data, self._engine.now())

    async def receive_some(self) -> bytes:
        """What the switch wrote; ``b""`` at the end. Cancel-safe."""
        connection = self._connection
        await trio.lowlevel.checkpoint()
        while True:
            data = connection.take_written()
            if data or connection.gone or self._closed:
                return data
            await connection.changed.park()

    async def aclose(self) -> None:
        """Close at once. Cancelling closes it all the same."""
        if not self._closed:
            self._closed = True
            self._connection.broken(None, "connection closed")
        await trio.lowlevel.checkpoint()

    def logged_in(self) -> None:
        """Nothing changes with it here."""


class MemoryConnector:
    """Links one principal to an engine in this process; a ``Connector``.

    Args:
        engine: Of the switch.
        principal: As whom.
        link_pass: Of its certificate, if it has one: then the link ends when that counts no more.
    """

    def __init__(self, engine: Engine, principal: Principal, link_pass: bytes = b"") -> None:
        self._engine = engine
        self._principal = principal
        self._link_pass = link_pass

    @property
    def principal(self) -> Principal:
        """As the caller said."""
        return self._principal

    async def lookup(self) -> Sequence[Endpoint]:
        """There is one place. Cancel-safe."""
        await trio.lowlevel.checkpoint()
        return [Endpoint("memory")]

    async def connect(self, endpoint: Endpoint) -> MemoryWire:  # there is one
        """A new link. Cancelling leaves none."""
        await trio.lowlevel.checkpoint()
        connection = MemoryConnection(self._engine, self._engine.new_link(), self._principal)
        connection.link_pass = self._link_pass
        self._engine.adopt(connection, [])
        return MemoryWire(self._engine, connection)


class MemoryShell:
    """Runs an engine that has no sockets, and makes connectors.

    A broker that serves a port lets the pump run the engine, and uses ``MemoryConnector`` alone.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._scope: trio.CancelScope | None = None

    def connector(self, principal: Principal, link_pass: bytes = b"") -> MemoryConnector:
        """For a session of ``principal``."""
        return MemoryConnector(self.engine, principal, link_pass)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Give the engine its turns until cancelled. Cancelling loses what was not yet handed on."""
        self.engine.wake = self._wake
        task_status.started()
        at: float | None = -math.inf
        while True:
            with trio.CancelScope() as scope:
                self._scope = scope
                scope.deadline = math.inf if at is None else at
                await trio.sleep_forever()
            self._scope = None
            await trio.lowlevel.checkpoint()
            at = self.engine.turn()

    def _wake(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
