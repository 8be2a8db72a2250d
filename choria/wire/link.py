"""One link, seen from one end: bytes and time in, frames and bytes out. No IO, no clock.

Theory of operation. ``receive`` cuts the stream into frames, has each one checked completely, moves
the state of its sender and returns what the owner must see. ``send`` is the way back. A fault of the
peer poisons the link: frames before it are still returned, then every call raises, and nothing but
one GOODBYE may be sent. How the stream was cut into reads never matters: a fault behind good frames
of one read is kept in ``failure`` and raised by the next call, so that the frames are not lost.
Whoever owns a link looks at ``failure`` after each batch of frames; should it forget, the deadline
is due at once and ``on_deadline`` raises.

There are tens of thousands of links in a broker: slots, and nothing that is made before it is
needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from choria.errors import LocalProtocolError, Reason, RemoteProtocolError

from .decode import judge_frame
from .encode import encode_body, framed, routed_body
from .frames import (
    Error,
    Event,
    Frame,
    Goodbye,
    Hello,
    Ignored,
    Ping,
    Pong,
    Publish,
    Routed,
    Welcome,
)
from .framing import Partial, read_head
from .hotpath import parse_publish
from .limits import MAX_PINGS, Limits
from .pulse import Pulse
from .rules import check_error, check_outbound, check_welcome, refusal
from .states import TRANSITIONS, Side, State, moved

_OPEN: Final = State.OPEN  # a global is found in half the time of an enumeration's member


class Link(Pulse):
    """The protocol of one connection.

    Attributes:
        side: which end we are.
        limits: in force; a member's are replaced by those of WELCOME.
        reading: set it False while nothing is read from the peer: its silence is then our doing.
        failure: what the peer did wrong; the link is dead.
        frames_received: how many whole frames came, ignored and refused ones included.
        frames_sent: how many were made by `send`; ERROR names frames by this count.
        partial: the beginning of a frame, None while none is held; `pending_bytes` is its size.
    """

    __slots__ = (
        "_allowed",
        "_hello",
        "_said",
        "_spoken",
        "failure",
        "frames_received",
        "frames_sent",
        "partial",
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
        patience_s = limits.hello_within_s if side is Side.BROKER else limits.welcome_within_s
        super().__init__(limits, deadline=now + patience_s, jitter=jitter)
        self.side = side
        self.failure: RemoteProtocolError | None = None
        self.frames_received = 0
        self.frames_sent = 0
        self._said = State.IDLE  # of our direction
        self._spoken = State.IDLE  # of the peer's
        self._allowed = TRANSITIONS[side.peer][State.IDLE]  # what the peer may send now
        self.partial: Partial | None = None
        self._hello: Hello | None = None  # ours, until WELCOME has answered it

    @property
    def states(self) -> tuple[State, State]:
        """What the member has sent, and what the broker has sent (CWP-8.4-1)."""
        if self.side is Side.MEMBER:
            return self._said, self._spoken
        return self._spoken, self._said

    @property
    def is_open(self) -> bool:
        """Whether WELCOME was exchanged and nobody has said GOODBYE or failed."""
        return self.failure is None and self._said is self._spoken is State.OPEN

    @property
    def pending_bytes(self) -> int:
        """How much of a partial frame is held."""
        return 0 if self.partial is None else len(self.partial.held)

    def can_send(self, frame: type[Frame]) -> bool:
        """Say whether a frame of this type may be sent now. PING and PONG have more conditions."""
        if self.failure is not None and frame is not Goodbye:
            return False  # CWP-8.4-3
        return moved(self.side, self.states, frame) is not None

    def send(self, frame: Frame) -> bytes:
        """Return the bytes of ``frame`` and move the state. They must reach the peer, in order.

        Raises:
            LocalProtocolError: the frame may not be sent now, or not with this content. Nothing
                has changed.
        """
        return self._send(frame, encode_body)

    def send_routed(self, frame: Routed) -> bytes:
        """As `send`, for a ROUTED of which every part came in a checked frame: it is spliced.

        Raises:
            LocalProtocolError: it may not be sent now, or is too large. Nothing has changed.
        """
        return self._send(frame, routed_body)

    def _send(self, frame: Frame, encode: Callable[[Any], bytes]) -> bytes:
        states = moved(self.side, self.states, type(frame))
        if states is None or not self.can_send(type(frame)):
            raise LocalProtocolError(f"{type(frame).__name__} may not be sent in {self.states}")
        self._check_outbound(frame)
        body = encode(frame)
        if len(body) > self._most(self._said):
            text = f"{type(frame).__name__}: {len(body)} bytes are too many"
            raise LocalProtocolError(text, reason=Reason.FRAME_TOO_LARGE)
        self._move(states)
        self.frames_sent += 1
        if type(frame) is Ping:
            self._pings += (frame.token,)
        elif type(frame) is Pong:
            self._owed = self._owed[1:]
        elif type(frame) is Hello:
            self._hello = frame
        return framed(body)

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Return what ``data`` completes, in order.

        Answer PING with PONG, ahead of data, and a `RefusedFrame` with its ``as_error()``. GOODBYE
        is always the last. PONG and ignored frames have been dealt with: a member's link keeps
        them back, a broker's returns them all the same, because a broker refuses frames long after
        they came, by their count, and must see each one to count (CWP-4-6).

        Raises:
            RemoteProtocolError: the peer broke the protocol: answer GOODBYE with its ``reason`` if
                `can_send` allows, then close. If ``data`` holds frames before the fault, they are
                returned, ``failure`` is set, and the next call raises.
        """
        if self.failure is not None:
            self._raise_failure()
        events: list[Event] = []
        try:
            self._consume(data, now, events)
        except RemoteProtocolError as exc:
            self._fail(exc)
            if not events:
                raise
        return events

    def next_deadline(self) -> float | None:
        """Return when `on_deadline` wants to be called; None while nothing is awaited."""
        if self.failure is not None:
            return 0.0
        if State.DONE in (self._said, self._spoken):
            return None
        if self.side is Side.BROKER and self._spoken is State.WAITING:
            return None  # it is for our owner to send WELCOME
        return self._deadline

    def on_deadline(self, now: float) -> bytes:
        """Return a PING to write, or nothing (CWP-10.1-3).

        Raises:
            RemoteProtocolError: TIMEOUT: HELLO or WELCOME is late, or the peer has been silent for
                two PINGs and another interval. Or the failure that is still to be told.
        """
        self._raise_failure()
        due = self.next_deadline()
        if due is None or now < due:
            return b""
        if not self.is_open or self._is_silent():
            self._fail(RemoteProtocolError("silent for too long", reason=Reason.TIMEOUT))
            self._raise_failure()
        return self.send(Ping(token=self.frames_sent)) if self._beat(now) else b""

    def _consume(self, data: bytes, now: float, events: list[Event]) -> None:
        at = 0
        if self.partial is not None:
            at = self.partial.fill(data, self._most(self._spoken))
            if not self.partial.is_whole:
                return
            body = self.partial.body()
            self.partial = None
            self._accept(body, now, events)
        while at < len(data):
            if not self._allowed:
                raise RemoteProtocolError("bytes after GOODBYE", reason=Reason.ILLEGAL_STATE)
            span = read_head(data, at, self._most(self._spoken))
            if span is None or span[1] > len(data):
                self.partial = Partial(memoryview(data)[at:], span[1] - at if span else 0)
                return
            start, at = span
            self._accept(data[start:at], now, events)

    def _accept(self, body: bytes, now: float, events: list[Event]) -> None:
        number = self.frames_received
        self.frames_received = number + 1
        # Any whole frame is life: who talks all the time is not cut for a late PONG. CWP-10.1-2
        self._heard(now)
        if self._allowed.get(Publish) is self._spoken:
            publish = parse_publish(body)
            # What nearly every frame is: nothing to refuse, to move or to note.
            if publish is not None and len(publish.tail) <= self.limits.payload_bytes:
                events.append(publish)
                return
        frame, unsupported = judge_frame(body)
        kind = type(frame)
        # Nearly every frame leaves an open direction open: one look-up, nothing to move.
        if self._allowed.get(kind) is not self._spoken:
            self._advance(kind)
        if unsupported is not None and kind in (Hello, Welcome):
            raise unsupported
        event: Event | None = refusal(frame, unsupported, number, self.limits)
        if event is None:
            event = self._notice(frame, now)
        if event is not None:
            events.append(event)

    def _advance(self, kind: type[Frame | Ignored]) -> None:
        states = moved(self.side.peer, self.states, kind)
        if states is None:
            text = f"{kind.__name__} while {self._spoken.value}"
            raise RemoteProtocolError(text, reason=Reason.ILLEGAL_STATE)
        self._move(states)

    def _notice(self, frame: Frame | Ignored, now: float) -> Event | None:
        """Take from a legal frame what concerns the link; return it if the owner must see it."""
        match frame:
            case Ping():
                if self._said is State.DONE:
                    return None  # after our GOODBYE nothing may follow, not even PONG
                self._owe(frame.token)
            case Pong():
                self._settle(frame.token)
                return frame if self.side is Side.BROKER else None
            case Ignored():
                return frame if self.side is Side.BROKER else None
            case Welcome():
                self._adopt(frame, now)
            case Error():
                # A broker's end cannot tell: it does not see the DELIVERs that its owner writes.
                if self.side is Side.MEMBER:
                    check_error(frame, self.frames_sent)
            case _:
                pass
        return frame

    def _adopt(self, welcome: Welcome, now: float) -> None:
        assert self._hello is not None  # noqa: S101  # for mypy: the states have seen to it
        check_welcome(self._hello, welcome)
        self._hello = None
        self.limits = self.limits.adopting(welcome.limits)
        self._heard(now)

    def _check_outbound(self, frame: Frame) -> None:
        check_outbound(frame, self.limits)
        if type(frame) is Ping and len(self._pings) == MAX_PINGS:
            raise LocalProtocolError("two PINGs are outstanding")  # CWP-6.3-2
        if type(frame) is Pong and self._owed[:1] != (frame.token,):
            raise LocalProtocolError("PONG does not answer the oldest PING")

    def _fail(self, exc: RemoteProtocolError) -> None:
        self.failure = exc
        self.partial = None

    def _raise_failure(self) -> None:
        if self.failure is not None:
            # A new object each time: raising one twice would pile up its traceback.
            raise RemoteProtocolError(str(self.failure), reason=self.failure.reason)

    def _most(self, state: State) -> int:
        if state is _OPEN:
            return self.limits.frame_bytes
        return self.limits.stranger_frame_bytes  # CWP-11.1

    def _move(self, states: tuple[State, State]) -> None:
        self._said, self._spoken = states if self.side is Side.MEMBER else states[::-1]
        self._allowed = TRANSITIONS[self.side.peer][self._spoken]
