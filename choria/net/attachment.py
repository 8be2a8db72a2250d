"""One link of a session, from HELLO to its end.

Three tasks share it: the reader, the writer (the only caller of ``send_all``, so that nothing that
can time out leaves half a frame on the wire) and the heartbeat. Any of them may end the link by
raising ``LinkLost``; none of them outlives it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NoReturn

import trio

from choria.errors import ChoriaError, LinkLost, Reason, RemoteProtocolError
from choria.wire import (
    Error,
    Event,
    Frame,
    Goodbye,
    Hello,
    Link,
    Ping,
    Pong,
    RefusedFrame,
    Welcome,
)

from .connector import CLOSED_DURING_LOGIN, Wire
from .outbox import Outbox, Outgoing

_NOTES: Final = 1024  # sent frames that an ERROR may still name
_DRAIN_S: Final = 10.0  # for the write that a GOODBYE finds under way, CWP-10.3-2
_LAST_WORDS_S: Final = 1.0


class Farewell(Exception):  # noqa: N818  # a fact, not an error: the broker said GOODBYE
    """The broker's GOODBYE."""

    def __init__(self, goodbye: Goodbye) -> None:
        super().__init__(f"{goodbye.reason.name}: {goodbye.text}")
        self.goodbye = goodbye


@dataclass(slots=True, eq=False)
class Attachment:
    """A welcomed or welcoming link.

    Args:
        number: Counts the session's links; frames that belong to one link carry it.
        take: Gets each event that is not the link's own business; may wait, which stops reading.
        refused: Gets what an ERROR said and the frame that it named, if that is still known.
    """

    number: int
    wire: Wire
    link: Link
    outbox: Outbox
    take: Callable[[Event], Awaitable[None]]
    refused: Callable[[Error, Outgoing | None], None]
    _open: bool = False
    _notes: OrderedDict[int, Outgoing] = field(default_factory=OrderedDict)
    _events: deque[Event] = field(default_factory=deque)
    _retired: bool = False
    _farewell: Goodbye | None = None
    _idle: trio.CancelScope = field(default_factory=trio.CancelScope)
    _settles: bool = False
    _asked: int | None = None  # the token of the PING behind the subscriptions
    _settled: trio.Event = field(default_factory=trio.Event)

    async def log_in(self, hello: Hello, check: Callable[[Welcome], None]) -> Welcome:
        """Say HELLO and wait for WELCOME. Cancelling leaves a link that must be closed.

        Raises:
            LinkLost: the stream ended, or ``check`` does not want this broker.
            Farewell: the broker refused us and said why.
            RemoteProtocolError: it speaks something else.
        """
        await self._send_frame(hello)
        while not self._events:
            self._events += await self._receive()
        first = self._events.popleft()
        if isinstance(first, Goodbye):
            await self._answer(first)
        if not isinstance(first, Welcome):
            raise RemoteProtocolError("no WELCOME", reason=Reason.ILLEGAL_STATE)
        check(first)
        self._open = True
        self.wire.logged_in()
        return first

    async def run(self, resume: list[Outgoing]) -> None:
        """Carry frames until the link ends; never returns normally before that is asked for.

        Cancelling aborts the link. Returns when the outbox was closed and is empty, or when it was
        retired; then ``drain`` it.

        Args:
            resume: Frames to send before anything that waits: the subscriptions.

        Raises:
            LinkLost, Farewell, RemoteProtocolError: in a group, the link's end.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            nursery.start_soon(self._beat)
            await self._write(resume)
            if self._farewell is not None:
                await self._answer(self._farewell)
            nursery.cancel_scope.cancel()

    def retire(self) -> None:
        """Let another link of the session send what waits from now on; ``run`` returns soon."""
        self._retired = True
        self._idle.cancel()

    def settle(self) -> None:
        """Have the broker say when it has judged the subscriptions, before ``run``: it follows one."""
        self._settles = True

    async def wait_settled(self) -> None:
        """Wait until the broker has judged what a link that was to ``settle`` subscribes. Cancel-safe."""
        await self._settled.wait()

    async def drain(self, following: Attachment, within_s: float) -> None:
        """Hand over what still comes, to the end; say GOODBYE once ``following`` has settled.

        For a link that was retired: nothing that was delivered to it is lost (CWP-18.7-9), and it
        has what the other one has not subscribed yet (CWP-18.7-10). Cancelling aborts the link.

        Args:
            following: The link that has taken over.
            within_s: GOODBYE is said at the latest then.

        Raises:
            LinkLost, Farewell: in a group, the link's end.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            with trio.move_on_after(within_s):
                await following.wait_settled()
            await self.say_goodbye(Reason.NORMAL)

    async def say_goodbye(self, reason: Reason, text: str = "") -> None:
        """Last frame, as far as it can still be sent. Cancelling leaves it unsent."""
        await self._send_frame(Goodbye(reason=reason, text=text))

    async def _answer(self, goodbye: Goodbye) -> NoReturn:
        """Say GOODBYE too, at a frame boundary; what the session has still to say waits for its next link."""
        with trio.move_on_after(_LAST_WORDS_S), suppress(ChoriaError):
            await self.say_goodbye(Reason.NORMAL)  # CWP-6.5-2
        raise Farewell(goodbye)

    async def _send_frame(self, frame: Frame) -> None:
        await self.wire.send_all(self.link.send(frame))

    async def _receive(self) -> list[Event]:
        data = await self.wire.receive_some()
        if not data:
            raise LinkLost(
                "the broker closed the connection" if self._open else CLOSED_DURING_LOGIN
            )
        events = self.link.receive(data, trio.current_time())
        if self._asked is not None and not self.link.awaits(self._asked):
            self._settled.set()
        return events

    async def _read(self) -> None:
        while True:
            while self._events:
                await self._handle(self._events[0])
                self._events.popleft()  # only now: who drains the link later takes up the rest
            self._events += await self._receive()

    async def _handle(self, event: Event) -> None:
        match event:
            case Goodbye() if self._retired:
                raise Farewell(event)
            case Ping() if self._retired:  # nothing is said after GOODBYE
                await trio.lowlevel.checkpoint()
            case Ping():
                self._control(Pong(token=event.token))
            case RefusedFrame():
                self._control(event.as_error())
            case Error():
                self.refused(event, self._notes.get(event.frame))
            case Goodbye():  # the writer answers, so that no frame is torn (CWP-10.2-6)
                self._farewell = event
                self._idle.cancel()
                await trio.sleep(_DRAIN_S)
                raise Farewell(event)
            case _:
                await self.take(event)

    def _control(self, frame: Frame) -> None:
        self.outbox.put_control(self.link.send(frame))
        if self.outbox.flooded:
            raise RemoteProtocolError("too many frames to answer", reason=Reason.FLOOD)

    async def _beat(self) -> None:
        while True:
            deadline = self.link.next_deadline()
            now = trio.current_time()
            if deadline is None or deadline > now:
                # No deadline now may be one after the next frame; look again each second.
                await trio.sleep_until(now + 1.0 if deadline is None else deadline)
                continue
            ping = self.link.on_deadline(now)
            if ping:
                self.outbox.put_control(ping)
            else:
                await trio.lowlevel.checkpoint()

    async def _write(self, resume: list[Outgoing]) -> None:
        await self._send_batch(resume)
        if self._settles:
            self._asked = self.link.frames_sent
            await self._send_frame(Ping(token=self._asked))
        while await self._wait_ready():
            controls = self.outbox.take_controls()
            batch = self.outbox.take_batch(self.number)
            await self._send_batch(batch, b"".join(controls))

    async def _wait_ready(self) -> bool:
        """Wait for something to send; False when this link shall send no more of it."""
        if self._farewell is None and not self._retired:
            with trio.CancelScope() as self._idle:
                return await self.outbox.wait_ready()
        return False

    async def _send_batch(self, batch: list[Outgoing], ahead: bytes = b"") -> None:
        for outgoing in batch:
            self._note(outgoing)
        data = ahead + b"".join(outgoing.data for outgoing in batch)
        if data:
            await self.wire.send_all(data)

    def _note(self, outgoing: Outgoing) -> None:
        # The number that an ERROR will name: the link counts what it makes itself, and these were
        # made before there was a link.
        self._notes[self.link.frames_sent] = outgoing
        self.link.frames_sent += 1
        if len(self._notes) > _NOTES:
            self._notes.popitem(last=False)

    def receipts_asked(self) -> set[int]:
        """Ids of the receipts that can come on this link only."""
        return {note.receipt_id for note in self._notes.values() if note.receipt_id}


close_quickly: Final = partial(trio.move_on_after, 1.0, shield=True)
"""A shield with a deadline, for the last words of a link."""
