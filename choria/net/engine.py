"""Drives a switch: hands it frames, sends what it wrote, watches deadlines, buries links.

Theory of operation. A *turn* follows each round of reading: resumed links hand over the frames that
they held, the switch does one slice of its work, what was written leaves (once a receiver, so that
a burst of frames for one leaves in one write), deadlines are looked at, and links that end are told
to the switch, once each. Nothing in a turn waits. Pump and memory shell call ``take`` with bytes
and ``turn`` when they are told to; they share one engine where a broker has both.

E3: everything that the switch or a transport raises concerns one link. It is logged, that link is
cut, the turn goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from choria.errors import Reason, RemoteProtocolError
from choria.wire import Event, Goodbye, Hello, Link, Side

from .backlog import Backlog
from .budget import InboundBudget
from .connection import Connection
from .settings import EngineSettings
from .wheel import Wheel

if TYPE_CHECKING:
    from random import Random  # noqa: TID251  # the type only

    from choria.wire import Limits

    from .ports import Switch

log = logging.getLogger(__name__)

_SLOT_S: Final = 0.25
_AFTER_FAILURE_S: Final = 0.1


class Engine:
    """One switch and all its links.

    Attributes:
        connections: Those that the switch knows, and strangers in memory.
        other_brokers: Named in GOODBYE, so that members know where to go.
        wake: Set by who calls ``turn``: there is something to do before the time it returned.
        failures: How often the switch raised (E3).
    """

    def __init__(
        self,
        switch: Switch,
        *,
        rng: Random,
        limits: Limits,
        settings: EngineSettings | None = None,
        now: Callable[[], float] = trio.current_time,
    ) -> None:
        self.switch = switch
        self.settings = settings or EngineSettings()
        self.limits = limits
        self.now = now
        self.connections: dict[Connection, None] = {}
        self.other_brokers: tuple[str, ...] = ()
        self.wake: Callable[[], None] = _sleep_on
        self.failures = 0
        self._rng = rng
        self._inbound = InboundBudget(self.settings.max_inbound_bytes)
        self._wheel: Wheel[Connection] = Wheel(slot_s=_SLOT_S)
        self._dirty: list[Connection] = []
        self._resumed: list[Connection] = []
        self._closing: list[Connection] = []
        self._finished: list[Connection] = []
        self._backlog = Backlog(
            stalled_after_s=self.settings.stalled_after_s,
            max_bytes=self.settings.max_outbound_bytes,
        )
        # May go on sending until; in the order of time, because the delay is always the same.
        self._parting: dict[Connection, float] = {}
        self._awake = False  # whoever calls ``turn`` knows that it must, or does so now
        self._empty = trio.Event()

    @property
    def outbound_bytes(self) -> int:
        """What waits to be sent, of all links."""
        return self._backlog.total

    def new_link(self) -> Link:
        """The broker's end of a link that begins now."""
        return Link(Side.BROKER, self.limits, now=self.now(), jitter=self._rng.random())

    def adopt(self, connection: Connection, events: list[Event]) -> None:
        """A new link and what it has said so far; HELLO, nearly always alone."""
        self.connections[connection] = None
        self._watch(connection)
        self._hand_over(connection, events, self.now())
        self._rouse()

    def take(self, connection: Connection, data: bytes, now: float) -> None:
        """Plaintext has come in."""
        if connection.closing:
            return
        link = connection.link
        held = link.partial
        try:
            events = link.receive(data, now)
        except RemoteProtocolError as error:
            connection.close(error.reason, str(error))
            return
        if held is not None or link.partial is not None:
            self._inbound.note(connection, link.pending_bytes, now)
        if events:
            self._hand_over(connection, events, now)
        if not self._awake:
            self._rouse()

    def _hand_over(self, connection: Connection, events: list[Event], now: float) -> None:
        """Events to the switch, in order, until it pauses the link (D6)."""
        received = self.switch.received
        for number, event in enumerate(events):
            if connection.closing:
                return
            if connection.paused:
                connection.held = events[number:]
                return
            try:
                if type(event) is Hello:
                    if connection.link.failure is not None:
                        break  # something stands behind HELLO that may not be there
                    connection.opened = True
                    self.switch.opened(connection, connection.principal, event, now)
                else:
                    received(connection, event, now)
            except Exception as error:  # noqa: BLE001  # E3: one link's boundary
                self.failed("handling a frame", connection, error)
                connection.close(Reason.INTERNAL, "internal error")
                return
            if type(event) is Goodbye:
                # Answered (D11), but not with the member's own reason: it may be one that only a
                # member may give (CWP-6.5-6, CWP-12-1).
                words = f"{event.reason.name.lower().replace('_', ' ')}: {event.text}"
                connection.close(Reason.NORMAL, f"goodbye: {words}")
        failure = connection.link.failure
        if failure is not None:
            connection.close(failure.reason, str(failure))

    def failed(self, what: str, connection: Connection, error: Exception) -> None:
        """Something concerning one link raised (E3): log and count it; the caller cuts the link."""
        self.failures += 1
        log.error("%s of %s failed", what, connection.principal.label, exc_info=error)

    # What connections report.

    def written(self, connection: Connection, size: int) -> None:
        """``size`` bytes more wait."""
        self._backlog.total += size
        if not connection.dirty:
            connection.dirty = True
            self._dirty.append(connection)
        if connection.pending_bytes > connection.max_pending_bytes and not connection.closing:
            self._overflow(connection)
        if not self._awake:
            self._rouse()

    def sent(self, connection: Connection, size: int) -> None:
        """The transport took ``size`` bytes."""
        self._backlog.total -= size
        self._backlog.progress(connection, self.now())

    def forgotten(self, size: int) -> None:
        """``size`` bytes will never be sent."""
        self._backlog.total -= size

    def resumed(self, connection: Connection) -> None:
        """It held frames; they are handed over in the next turn, never from within a call."""
        self._resumed.append(connection)
        self._rouse()

    def closing_begun(self, connection: Connection, reason: Reason | None, text: str) -> None:
        """The switch is told at the end of this turn or the next."""
        connection.closing = True
        connection.reason = reason
        connection.text = text
        connection.held = None
        connection.update_reading()
        self._inbound.forget(connection)
        self._closing.append(connection)
        self._parting[connection] = self.now() + self.settings.close_within_s
        self._rouse()

    def finished(self, connection: Connection) -> None:
        """Everything was said, or nothing more can be: the transport closes with this turn."""
        self._parting.pop(connection, None)
        self._backlog.unblock(connection)
        self._finished.append(connection)
        self._rouse()

    def _overflow(self, connection: Connection) -> None:
        # Perhaps nothing was tried yet: one burst of a tick is not slowness.
        self._flush(connection)
        if connection.pending_bytes > connection.max_pending_bytes:
            text = f"{connection.pending_bytes} bytes wait, {connection.max_pending_bytes} may"
            connection.cut(Reason.SLOW_CONSUMER, text)

    def rouse(self) -> None:
        """Have ``turn`` called soon: the switch was told something from outside."""
        self._rouse()

    def _rouse(self) -> None:
        if not self._awake:
            self._awake = True
            self.wake()

    # The turn.

    def turn(self) -> float | None:
        """Do what is due. Returns when to be called again; None: not before ``wake`` is."""
        self._awake = True
        try:
            now = self.now()
            self._hand_over_held(now)
            again = self._tick(now)
            self._look_at_deadlines(now)
            self._flush_dirty()
            self._relieve(now)
            self._bury(now)
        finally:
            self._awake = False
        if self._dirty or self._resumed or self._closing or self._finished:
            return now
        return self._next_time(again)

    def _hand_over_held(self, now: float) -> None:
        resumed, self._resumed = self._resumed, []
        for connection in resumed:
            held, connection.held = connection.held, None
            if held is not None and not connection.closing:
                self._hand_over(connection, held, now)
                connection.update_reading()

    def _tick(self, now: float) -> float | None:
        try:
            return self.switch.tick(now)
        except Exception:  # E3: the switch has a boundary a job; this is the last one
            self.failures += 1
            log.exception("the switch's tick failed")
            return now + _AFTER_FAILURE_S

    def _flush_dirty(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.dirty = False
            if connection not in self._backlog:
                self._flush(connection)

    def writable(self, connection: Connection) -> None:
        """The transport takes bytes again."""
        self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        if connection.gone:
            return
        try:
            done = connection.flush()
        except OSError as error:
            connection.broken(None, f"connection lost: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001  # E3
            self.failed("writing", connection, error)
            connection.broken(Reason.INTERNAL, "internal error")
        else:
            self._flushed(connection, done=done)

    def _flushed(self, connection: Connection, *, done: bool) -> None:
        if not done:
            self._backlog.block(connection, self.now())
            return
        self._backlog.unblock(connection)
        if connection.closing and connection in self._parting:
            self.finished(connection)

    def _look_at_deadlines(self, now: float) -> None:
        for connection in self._wheel.due(now):
            try:
                if not connection.closing:
                    self._look_at(connection, now)
            except Exception as error:  # noqa: BLE001  # E3
                self.failed("a deadline", connection, error)
                connection.broken(Reason.INTERNAL, "internal error")
        while (stalled := self._backlog.pop_stalled(now)) is not None:
            waited_s = self.settings.stalled_after_s
            stalled.cut(Reason.SLOW_CONSUMER, f"no byte taken for {waited_s:g} s")
        while self._parting:
            connection, until = next(iter(self._parting.items()))
            if until > now:
                break
            connection.broken(connection.reason, connection.text)

    def _look_at(self, connection: Connection, now: float) -> None:
        due = connection.link.next_deadline()
        if due is not None and due <= now:
            try:
                ping = connection.link.on_deadline(now)
            except RemoteProtocolError as error:
                connection.close(error.reason, str(error))
                return
            if ping:
                connection.write_control(ping)
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        due = connection.link.next_deadline()
        # None while the hub has not said WELCOME: look again soon.
        self._wheel.enter(connection, self.now() + 1.0 if due is None else due)

    def _relieve(self, now: float) -> None:
        self._inbound.relieve(now)
        while (connection := self._inbound.excess(now)) is not None:
            connection.cut(Reason.BUSY, "too many large frames at once")
            self._inbound.forget(connection)
        while (connection := self._backlog.pop_excess()) is not None:
            connection.cut(Reason.SLOW_CONSUMER, "too much waits for all links together")

    def _bury(self, now: float) -> None:
        closing, self._closing = self._closing, []
        for connection in closing:
            self._flush(connection)
            self._tell_closed(connection, now)
        finished, self._finished = self._finished, []
        for connection in finished:
            if not connection.gone:
                self._release(connection)
        if not self.connections and not self._parting:
            self._empty.set()

    def _release(self, connection: Connection) -> None:
        connection.gone = True
        connection.drop_writer()
        try:
            connection.release()
        except Exception as error:  # noqa: BLE001  # E3
            self.failed("closing", connection, error)

    def _tell_closed(self, connection: Connection, now: float) -> None:
        log.info(
            "%s at %s has left: %s", connection.principal.label, connection.address, connection.text
        )
        self.connections.pop(connection, None)
        if not connection.opened:
            return
        try:
            self.switch.closed(connection, connection.reason, now)
        except Exception as error:  # noqa: BLE001  # E3
            self.failed("the end", connection, error)

    def _next_time(self, again: float | None) -> float | None:
        parting = next(iter(self._parting.values()), None)
        times = (again, self._wheel.next_time(), self._backlog.next_time(), parting)
        return min((time for time in times if time is not None), default=None)

    # Shutdown.

    def drain(self) -> None:
        """Tell the switch to finish and to close its peers."""
        try:
            self.switch.drain(self.now())
        except Exception:
            self.failures += 1
            log.exception("draining failed")
        self._rouse()

    async def wait_empty(self) -> None:
        """Wait until every link has left. Cancel-safe."""
        if self.connections or self._parting:
            self._empty = trio.Event()
            await self._empty.wait()
        else:
            await trio.lowlevel.checkpoint()


def _sleep_on() -> None:
    """Nobody runs the engine yet."""
