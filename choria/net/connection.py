"""One welcomed link, as hub and engine see it: the ``Peer``, whatever carries its bytes.

An entry, not a task. 50,000 of them live in a broker, so it has slots, and what is needed only
while something waits (the writer, the frames held back) is made then and dropped afterwards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from choria.errors import LocalProtocolError, Reason
from choria.wire import Event, Goodbye, Link, clip_text

from .writer import Writer

if TYPE_CHECKING:
    from choria.trust import Principal

DEFAULT_MAX_PENDING_BYTES = 4 << 20
"""For nodes; the hub raises it for clients, who get 20 MB at once when they ping 50,000 nodes."""


class Keeper(Protocol):
    """To whom a connection reports: the engine, which stands above it."""

    other_brokers: tuple[str, ...]

    def take(self, connection: Connection, data: bytes, now: float) -> None:
        """Plaintext has come in."""
        ...

    def written(self, connection: Connection, size: int) -> None:
        """``size`` bytes more wait."""
        ...

    def sent(self, connection: Connection, size: int) -> None:
        """The transport took ``size`` bytes."""
        ...

    def forgotten(self, size: int) -> None:
        """``size`` bytes will never be sent."""
        ...

    def writable(self, connection: Connection) -> None:
        """The transport takes bytes again."""
        ...

    def resumed(self, connection: Connection) -> None:
        """It held frames and may go on."""
        ...

    def closing_begun(self, connection: Connection, reason: Reason | None, text: str) -> None:
        """Nothing more is written to it."""
        ...

    def finished(self, connection: Connection) -> None:
        """Everything was said, or nothing more can be."""
        ...


class Connection(ABC):
    """Implements ``Peer`` but for the transport, which a subclass adds.

    Attributes:
        principal: Who it is, proved.
        link_pass: See ``Peer``.
        paused: The hub wants no frames now.
        throttled: The budget for partial frames wants no bytes now (D8).
        held: Frames that came before the pause took effect.
        reason: Why it ends; valid when ``closing``. None: it just broke.
        text: The same in words, for the log.
        opened: The switch knows it.
        gone: The transport is closed.
    """

    __slots__ = (
        "address",
        "closing",
        "dirty",
        "engine",
        "gone",
        "held",
        "link",
        "link_pass",
        "max_pending_bytes",
        "member",
        "opened",
        "paused",
        "principal",
        "reason",
        "text",
        "throttled",
        "writer",
    )

    def __init__(self, engine: Keeper, link: Link, principal: Principal, address: str) -> None:
        self.engine = engine
        self.link = link
        self.principal = principal
        self.address = address
        self.member: object | None = None
        self.link_pass = b""
        self.max_pending_bytes = DEFAULT_MAX_PENDING_BYTES
        self.writer: Writer | None = None
        self.held: list[Event] | None = None
        self.reason: Reason | None = None
        self.text = ""
        self.closing = False
        self.opened = False
        self.dirty = False
        self.gone = False
        self.paused = False
        self.throttled = False

    # What the transport adds.

    @abstractmethod
    def flush(self) -> bool:
        """Hand on what waits as far as the transport takes it; True when nothing is left.

        Raises:
            OSError: the transport broke.
        """

    @abstractmethod
    def reading_changed(self) -> None:
        """``reading`` may have changed: start or stop taking bytes."""

    @abstractmethod
    def release(self) -> None:
        """Close the transport; everything was said. Called once, at the end of a turn."""

    # What the hub uses.

    @property
    def pending_bytes(self) -> int:
        """Bytes written and not yet taken by the transport."""
        return self.writer.pending_bytes if self.writer is not None else 0

    def write(self, data: bytes) -> None:
        """See ``Peer``."""
        if self.closing:
            return
        writer = self.writer
        if writer is None:
            writer = self.writer = Writer()
        writer.put(data)
        self.engine.written(self, len(data))

    def write_control(self, data: bytes) -> None:
        """See ``Peer``."""
        if self.closing:
            return
        if self.writer is None:
            self.writer = Writer()
        self.writer.put_control(data)
        self.engine.written(self, len(data))

    def pause(self) -> None:
        """See ``Peer``."""
        if not self.paused:
            self.paused = True
            self.update_reading()

    def resume(self) -> None:
        """See ``Peer``."""
        if self.paused:
            self.paused = False
            if self.held is None:
                self.update_reading()
            else:  # reading goes on when the held frames were handed over, or order is lost
                self.engine.resumed(self)

    def throttle(self, *, stop: bool) -> None:
        """Stop or go on reading, for the budget's sake."""
        self.throttled = stop
        self.update_reading()

    def close(self, reason: Reason, text: str, *, retry_after_s: float = 0.0) -> None:
        """See ``Peer``. What was written before leaves first, as far as the peer takes it in time (CWP-10.3-7)."""
        if not self.closing:
            self.engine.closing_begun(self, reason, text)
            self._say_goodbye(reason, text, retry_after_s)

    def cut(self, reason: Reason, text: str) -> None:
        """Like ``close``, but what waits is dropped: GOODBYE goes at the next frame boundary."""
        if not self.closing:
            if self.writer is not None:
                self.engine.forgotten(self.writer.drop_data())
            self.engine.closing_begun(self, reason, text)
            self._say_goodbye(reason, text, 0.0)

    def broken(self, reason: Reason | None, text: str) -> None:
        """The transport broke, or cannot be trusted any more: nothing more can be said."""
        self.drop_writer()
        if not self.closing:
            self.engine.closing_begun(self, reason, text)
        self.engine.finished(self)

    # Shared by transports.

    @property
    def reading(self) -> bool:
        """Whether bytes are wanted."""
        return not (self.paused or self.throttled or self.closing or self.held is not None)

    def update_reading(self) -> None:
        """Tell link and transport. A link that we do not read is not declared dead (D5)."""
        self.link.reading = self.reading
        if not self.gone:
            self.reading_changed()

    def drop_writer(self) -> None:
        """Nothing that waits can be sent any more."""
        if self.writer is not None:
            self.engine.forgotten(self.writer.pending_bytes)
            self.writer = None

    def _say_goodbye(self, reason: Reason, text: str, retry_after_s: float) -> None:
        if not self.link.can_send(Goodbye):
            return  # just closed: CWP-6.5-5
        goodbye = Goodbye(
            reason=reason,
            text=clip_text(text),
            retry_after_ms=int(retry_after_s * 1000),
            brokers=self.engine.other_brokers,
        )
        try:
            data = self.link.send(goodbye)
        except LocalProtocolError:  # other brokers' names too long for a stranger's frame
            return
        if self.writer is None:
            self.writer = Writer()
        self.writer.put(data)  # behind the data: after ``cut`` there is none
        self.engine.written(self, len(data))
