"""One link, seen from one end: bytes and time in, frames and bytes out. No IO, no clock.

Theory of operation. ``receive`` cuts the stream into frames, has each one checked completely, moves
the state of its sender and returns what the owner must see. ``send`` is the way back. Faults of the
peer poison the link: frames before the fault are still returned, then every call raises, and
nothing but one GOODBYE may be sent. How the stream was cut into reads never matters: a fault behind
good frames in one read is kept in ``failure`` and raised by the next call, so that the frames are
not lost. Whoever owns a link looks at ``failure`` after each batch of frames; should it forget, the
deadline is due at once and ``on_deadline`` raises.

There are tens of thousands of links in a broker: slots, and nothing that is made before it is
needed.
"""

from __future__ import annotations

from collections.abc import Mapping

from choria.errors import LocalProtocolError, Reason, RemoteProtocolError

from .decode import judge_frame
from .encode import encode_frame
from .frames import (
    Error,
    Event,
    Frame,
    Goodbye,
    Hello,
    Ignored,
    Ping,
    Pong,
    Welcome,
)
from .framing import Partial, read_head
from .limits import MAX_PINGS, Limits
from .rules import check_outbound, check_welcome, refusal
from .states import TRANSITIONS, Side, State, moved

_JITTER = 0.1  # of the PING interval. CWP-10.1-3


class Link:
    """The protocol of one connection.

    Attributes:
        side: which end we are.
        limits: in force; a member's are replaced by those of WELCOME.
        reading: False while the owner reads nothing from the peer: its silence is then our doing
            and is not counted against it (D5).
        failure: what the peer did wrong; the link is dead.
        frames_received: how many whole frames came, ignored and refused ones included.
        frames_sent: how many were made by `send`; ERROR names frames by this count.
    """

    __slots__ = (
        "_allowed",
        "_broker",
        "_deadline",
        "_hello",
        "_jitter",
        "_member",
        "_misses",
        "_owed",
        "_partial",
        "_pings",
        "failure",
        "frames_received",
        "frames_sent",
        "limits",
        "reading",
        "side",
    )

    def __init__(self, side: Side, limits: Limits, *, now: float, jitter: float = 0.0) -> None:
        """Start the link.

        Args:
            side: which end we are.
            limits: shared by all links of a deployment.
            now: monotonic seconds; the deadline for HELLO or WELCOME counts from here.
            jitter: 0 to 1, drawn at random by the owner; shortens the PING interval by up to 10 %.
        """
        self.side = side
        self.limits = limits
        self.reading = True
        self.failure: RemoteProtocolError | None = None
        self.frames_received = 0
        self.frames_sent = 0
        self._member = State.IDLE
        self._broker = State.IDLE
        self._allowed: Mapping[type[Frame | Ignored], State] = TRANSITIONS[side.peer][State.IDLE]
        self._partial: Partial | None = None
        self._pings: tuple[int, ...] = ()  # tokens of ours that wait for PONG
        self._owed: tuple[int, ...] = ()  # tokens of the peer that wait for our PONG
        self._misses = 0
        self._jitter = jitter
        self._hello: Hello | None = None
        self._deadline = now + (
            limits.hello_within_s if side is Side.BROKER else limits.welcome_within_s
        )

    @property
    def states(self) -> tuple[State, State]:
        """What the member has sent, and what the broker has sent (CWP-8)."""
        return self._member, self._broker

    @property
    def is_open(self) -> bool:
        """Whether WELCOME was exchanged and nobody has said GOODBYE or failed."""
        return self.failure is None and self.states == (State.OPEN, State.OPEN)

    @property
    def pending_bytes(self) -> int:
        """How much of a partial frame is held."""
        return 0 if self._partial is None else len(self._partial.held)

    def can_send(self, frame: type[Frame]) -> bool:
        """Say whether a frame of this type may be sent now. Pings have bounds of their own."""
        if self.failure is not None and frame is not Goodbye:
            return False
        return moved(self.side, self._member, self._broker, frame) is not None

    def send(self, frame: Frame) -> bytes:
        """Return the bytes of ``frame`` and move the state. They must reach the peer, in order.

        Raises:
            LocalProtocolError: the frame may not be sent now, or not with this content. Nothing
                has changed.
        """
        states = moved(self.side, self._member, self._broker, type(frame))
        if states is None or (self.failure is not None and type(frame) is not Goodbye):
            raise LocalProtocolError(f"{type(frame).__name__} may not be sent in {self.states}")
        self._check_outbound(frame)
        data = encode_frame(frame)
        if len(data) > self._most(self.side):
            text = f"{type(frame).__name__}: {len(data)} bytes are too many"
            raise LocalProtocolError(text, reason=Reason.FRAME_TOO_LARGE)
        self._move(states)
        self.frames_sent += 1
        if type(frame) is Ping:
            self._pings += (frame.token,)
        elif type(frame) is Pong:
            self._owed = self._owed[1:]
        elif type(frame) is Hello:
            self._hello = frame
        return data

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Return what ``data`` completes, in order. PONG and ignored frames are dealt with here.

        PING is returned: answer it with PONG, ahead of data. So is GOODBYE, always as the last. A
        `RefusedFrame` is to be answered with its ``as_error()``.

        Raises:
            RemoteProtocolError: the peer broke the protocol: answer GOODBYE with its ``reason`` if
                `can_send` allows, then close. With frames before the fault in ``data`` these are
                returned first and ``failure`` is set.
        """
        if self.failure is not None:
            raise self._fault()
        events: list[Event] = []
        try:
            self._consume(data, now, events)
        except RemoteProtocolError as exc:
            self.failure = exc
            self._partial = None
            if not events:
                raise
        return events

    def next_deadline(self) -> float | None:
        """Return when `on_deadline` wants to be called; None while nothing is awaited."""
        if self.failure is not None:
            return 0.0
        if State.DONE in self.states or self._is_greeting():
            return None
        return self._deadline

    def on_deadline(self, now: float) -> bytes:
        """Return a PING to write, or nothing (CWP-10.1).

        Raises:
            RemoteProtocolError: TIMEOUT: HELLO or WELCOME is late, or the peer has been silent for
                two PINGs and another interval. Or the failure that is still to be told.
        """
        if self.failure is not None:
            raise self._fault()
        due = self.next_deadline()
        if due is None or now < due:
            return b""
        if not self.is_open:
            raise self._timeout("HELLO" if self.side is Side.BROKER else "WELCOME")
        if not self.reading:
            self._misses = 0
        elif self._misses >= self.limits.ping_misses:
            raise self._timeout("PONG")
        else:
            self._misses += 1
        self._deadline = now + self._interval()
        return b"" if len(self._pings) == MAX_PINGS else self.send(Ping(token=self.frames_sent))

    def _consume(self, data: bytes, now: float, events: list[Event]) -> None:
        at = 0
        if self._partial is not None:
            at = self._partial.fill(data, self._most(self.side.peer))
            if not self._partial.is_whole:
                return
            body = self._partial.body()
            self._partial = None
            self._accept(body, now, events)
        while at < len(data):
            if not self._allowed:
                raise RemoteProtocolError("bytes after GOODBYE", reason=Reason.ILLEGAL_STATE)
            span = read_head(data, at, self._most(self.side.peer))
            if span is None or span[1] > len(data):
                self._partial = Partial(memoryview(data)[at:], span[1] - at if span else 0)
                return
            start, at = span
            self._accept(data[start:at], now, events)

    def _accept(self, body: bytes, now: float, events: list[Event]) -> None:
        number = self.frames_received
        self.frames_received = number + 1
        # Any whole frame is life: who talks all the time is not cut for a late PONG. CWP-10.1-2
        self._misses = 0
        self._deadline = now + self._interval()
        frame, unsupported = judge_frame(body)
        # Nearly every frame leaves an open direction open: one look-up, nothing to move.
        if self._allowed.get(type(frame)) is not self._state(self.side.peer):
            self._advance(frame)
        if unsupported is not None and type(frame) in (Hello, Welcome):
            raise unsupported
        event: Event | None = refusal(frame, unsupported, number, self.limits)
        if event is None:
            event = self._notice(frame, now)
        if event is not None:
            events.append(event)

    def _advance(self, frame: Frame | Ignored) -> None:
        peer = self.side.peer
        states = moved(peer, self._member, self._broker, type(frame))
        if states is None:
            text = f"{type(frame).__name__} while {self._state(peer).value}"
            raise RemoteProtocolError(text, reason=Reason.ILLEGAL_STATE)
        self._move(states)

    def _notice(self, frame: Frame | Ignored, now: float) -> Frame | None:
        """Take from a legal frame what concerns the link; return it if the owner must see it."""
        match frame:
            case Ping():
                return self._owe(frame)
            case Pong():
                self._pings = tuple(token for token in self._pings if token != frame.token)
                return None
            case Ignored():
                return None
            case Welcome():
                self._adopt(frame, now)
            case Error() if self.side is Side.MEMBER and frame.frame >= self.frames_sent:
                text = f"ERROR for frame {frame.frame}, which was never sent"  # CWP-6.6-4
                raise RemoteProtocolError(text, reason=Reason.INVALID_FIELD)
            case _:
                pass
        return frame

    def _owe(self, ping: Ping) -> Ping | None:
        if self._state(self.side) is State.DONE:
            return None  # after our GOODBYE nothing may follow, not even PONG
        if len(self._owed) == MAX_PINGS:
            raise RemoteProtocolError("PING while two wait for PONG", reason=Reason.FLOOD)
        self._owed += (ping.token,)
        return ping

    def _adopt(self, welcome: Welcome, now: float) -> None:
        assert self._hello is not None  # noqa: S101  # for mypy; the states have seen to it
        check_welcome(self._hello, welcome)
        self._hello = None
        self.limits = self.limits.adopting(welcome.limits)
        self._deadline = now + self._interval()

    def _check_outbound(self, frame: Frame) -> None:
        check_outbound(frame, self.limits)
        if type(frame) is Ping and len(self._pings) == MAX_PINGS:
            raise LocalProtocolError("two PINGs are outstanding")  # CWP-6.3-2
        if type(frame) is Pong and self._owed[:1] != (frame.token,):
            raise LocalProtocolError("PONG does not answer the oldest PING")

    def _is_greeting(self) -> bool:
        return self.side is Side.BROKER and self._member is State.WAITING

    def _interval(self) -> float:
        return self.limits.ping_interval_s * (1 - _JITTER * self._jitter)

    def _timeout(self, missing: str) -> RemoteProtocolError:
        self.failure = RemoteProtocolError(f"{missing} did not come", reason=Reason.TIMEOUT)
        return self.failure

    def _fault(self) -> RemoteProtocolError:
        # A new object each time: raising one twice would pile up its traceback.
        assert self.failure is not None  # noqa: S101  # for mypy; callers have looked
        return RemoteProtocolError(str(self.failure), reason=self.failure.reason)

    def _state(self, side: Side) -> State:
        return self._member if side is Side.MEMBER else self._broker

    def _most(self, side: Side) -> int:
        if self._state(side) is State.OPEN:
            return self.limits.frame_bytes
        return self.limits.stranger_frame_bytes

    def _move(self, states: tuple[State, State]) -> None:
        self._member, self._broker = states
        peer = self.side.peer
        self._allowed = TRANSITIONS[peer][self._state(peer)]
