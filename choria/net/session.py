"""A member's place in the network: one session, over any number of links, until it is left.

Theory of operation. ``open_session`` runs one task that keeps a link: a round asks where brokers
are, tries each, and after a link's end or a round without luck waits with full jitter. What must
survive a link lives here: the session token (so that replies to requests of the last link still
arrive), the subscriptions (said again after each WELCOME) and publishes that wait. What belongs to
one link lives in ``Attachment``. Delivery is at most once: what was handed to a link that breaks is
gone, and a receipt that can no longer come is answered with None.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from choria.errors import BrokersRefuse, BrokerUnreachable, FrameRefused
from choria.trust import Principal
from choria.wire import (
    Deliver,
    Error,
    Event,
    Headers,
    Limits,
    Publish,
    Receipt,
    Routed,
    Subscribe,
    Unsubscribe,
    encode_frame,
    tail_of,
)

from .bytequeue import ByteQueue
from .connector import Connector
from .outbox import Outgoing
from .replies import Incoming, ReceiptDesk, ReplyDesk, incoming_of
from .roaming import Roaming
from .settings import SessionSettings
from .subscriptions import Subscriptions, for_link
from .trust_news import Heard

if TYPE_CHECKING:
    from random import Random  # noqa: TID251  # the type only

RECEIPT_WITHIN_S: Final = 2.5


@dataclass(frozen=True, slots=True)
class RoutedMessage:
    """A ROUTED frame and the link on which its receipt is wanted."""

    frame: Routed
    link: int


class Session:
    """What members publish and receive through; made by ``open_session``.

    Attributes:
        principal: Ours.
        session_hex: The token under which replies come to this session only.
        incoming: Messages on the subscribed subjects, replies not among them. Iterate over it: when
            nobody does, reading stops at ``max_incoming_bytes``.
        routed: For relays: messages to carry on.
        refusals: Texts of the ERRORs that no receipt could carry, newest last, at most 64.
    """

    def __init__(
        self,
        connector: Connector,
        settings: SessionSettings,
        *,
        rng: Random,
        now_ms: Callable[[], int],
    ) -> None:
        self.principal: Principal = connector.principal
        self.inbox = self.principal.inbox
        self._roaming = Roaming(connector, settings, self, rng=rng, now_ms=now_ms)
        self.session_hex = self._roaming.token.hex()
        self.incoming: ByteQueue[Incoming] = ByteQueue(settings.max_incoming_bytes)
        self.routed: ByteQueue[RoutedMessage] = ByteQueue(settings.max_incoming_bytes)
        self.refusals: list[str] = []
        self._collectives = settings.collectives
        self._outbox = self._roaming.outbox
        self._replies = ReplyDesk(self.inbox, self.session_hex)
        self._receipts = ReceiptDesk()
        self._subscriptions = Subscriptions()

    @property
    def network(self) -> str:
        """The network's name, from our certificate; a broker of another one is left at once."""
        return self.principal.network

    @property
    def broker(self) -> str | None:
        """Name of the broker that welcomed us, None while there is no link."""
        return self._roaming.broker

    @property
    def connected(self) -> bool:
        """Whether a broker has welcomed us and the link has not ended."""
        return self._roaming.broker is not None

    @property
    def links(self) -> int:
        """How many links were welcomed so far."""
        return self._roaming.welcomed

    @property
    def limits(self) -> Limits:
        """What the last broker allows."""
        return self._roaming.limits

    @property
    def time_offset_ms(self) -> int:
        """The broker's clock minus ours at the last WELCOME, milliseconds."""
        return self._roaming.time_offset_ms

    @property
    def last_error(self) -> str:
        """Why the last attempt or link ended, in words; empty when none has."""
        return self._roaming.last_error

    @property
    def late_replies(self) -> int:
        """Replies that nobody waited for any more."""
        return self._replies.late

    @property
    def pending_bytes(self) -> int:
        """Publishes that wait to be sent, bytes."""
        return self._outbox.pending_bytes

    @property
    def trust_heard(self) -> Heard | None:
        """What the broker said of its trust object; None while it has none."""
        return self._roaming.trust_ear.heard

    async def wait_trust_heard(self, known: Heard | None) -> None:
        """Wait until the broker said something else than ``known``. Cancel-safe."""
        await self._roaming.trust_ear.wait(known)

    async def wait_connected(self, within_s: float | None = None) -> None:
        """Wait until a broker has welcomed us. Cancel-safe.

        Args:
            within_s: Give up after so many seconds, or as soon as every broker has refused us for
                a reason that time does not heal, such as a revoked certificate; None waits for ever.

        Raises:
            BrokerUnreachable: ``within_s`` are over, or there is no use in waiting; names each
                broker tried and why it failed. Of its kind ``BrokersRefuse`` when all have refused us.
        """
        if within_s is None:
            await self._roaming.wait_connected()
            return
        with trio.move_on_after(within_s):
            if await self._roaming.wait_decided():
                return
            raise BrokersRefuse(self._roaming.failures_text())
        raise BrokerUnreachable(self._roaming.failures_text())

    async def wait_disconnected(self) -> None:
        """Wait until there is no link. Cancel-safe."""
        await self._roaming.wait_disconnected()

    async def move(self) -> None:
        """Change to a new link, made as the connector makes one now: with a renewed certificate.

        The new link is welcomed and subscribed before the old one says GOODBYE, and what came over
        the old one is still handed over (CWP-18.7-9). Cancel-safe: the present link stays.

        Raises:
            LinkLost: there is no link, or none could be opened beside it; the present one stays.
        """
        await self._roaming.move()

    async def subscribe(self, *patterns: str, group: str | None = None) -> None:
        """Ask for what is published on ``patterns``, now and after every reconnect.

        Whether the broker allows it is told later, in ``refusals``. Cancel-safe: the patterns are
        remembered, and said at the latest after the next WELCOME.

        Raises:
            InvalidName: a pattern outside the grammar.
        """
        for frame in self._subscriptions.add(patterns, group):
            await self._put_for_link(frame)

    async def unsubscribe(self, *patterns: str, group: str | None = None) -> None:
        """Undo ``subscribe``. Cancel-safe: forgotten, at the latest with the present link."""
        for frame in self._subscriptions.remove(patterns, group):
            await self._put_for_link(frame)

    def publish_nowait(
        self, subjects: Sequence[str], payload: bytes, reply: str | None = None
    ) -> None:
        """Send a message; it waits in memory while there is no link.

        Raises:
            trio.WouldBlock: ``max_outbound_bytes`` wait already.
            LocalProtocolError: too many subjects, or too much payload for the broker.
        """
        self._outbox.put_nowait(self._publication(subjects, payload, reply))

    async def publish(
        self,
        subjects: Sequence[str],
        payload: bytes,
        reply: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Like ``publish_nowait`` but waits for room. Cancel-safe: cancelled means not sent."""
        await self._outbox.put(self._publication(subjects, payload, reply, headers=headers))

    async def publish_for_receipt(
        self,
        subjects: Sequence[str],
        payload: bytes,
        reply: str | None = None,
        headers: Headers | None = None,
    ) -> Receipt | None:
        """Send a message and wait for the count of its receivers.

        Cancelling stops waiting; the message may have been sent.

        Returns:
            None when none came within 2.5 s, or the link was lost.

        Raises:
            FrameRefused: the broker does not let us, or not now; says why.
            LocalProtocolError: as ``publish_nowait``.
        """
        with self._receipts.asking() as receipt_id:
            outgoing = self._publication(subjects, payload, reply, receipt_id, headers)
            with trio.move_on_after(RECEIPT_WITHIN_S):
                await self._outbox.put(outgoing)
                return await self._receipts.wait(receipt_id)
        return None

    @contextmanager
    def open_replies(self, request_token: str, *, max_bytes: int) -> Iterator[ByteQueue[Incoming]]:
        """Collect the replies whose subject has ``request_token``, up to ``max_bytes`` waiting.

        Beyond it replies are counted in the queue's ``dropped``. Enter it before publishing: it
        also subscribes, once a collective, and the broker takes both in this order.

        Raises:
            trio.WouldBlock: no room for the subscription.
        """
        self._subscribe_replies()
        with self._replies.waiting(request_token, max_bytes) as queue:
            yield queue

    async def answer_receipt(
        self,
        message: RoutedMessage,
        *,
        handed: int,
        partial: bool = False,
        without: Sequence[int] = (),
    ) -> None:
        """For relays: say how many final receivers a routed message had.

        Cancel-safe: cancelled means not sent. Does nothing when that link is gone.
        """
        receipt = Receipt(
            receipt_id=message.frame.receipt_id,
            handed=handed,
            partial=partial,
            without=tuple(without),
        )
        await self._outbox.put(Outgoing(encode_frame(receipt), link=message.link))

    # What the roaming task asks of its session.

    def subscriptions(self, link: int) -> list[Outgoing]:
        """All patterns as SUBSCRIBE frames for link number ``link``."""
        return [for_link(frame, link) for frame in self._subscriptions.frames()]

    async def take(self, event: Event, link: int) -> None:
        """One event of link number ``link``. Cancelling drops it with its link."""
        match event:
            case Deliver():
                await self._take_message(event)
            case Receipt():
                self._receipts.receipt(event)
            case Routed():
                size = len(event.tail)
                await self.routed.put(RoutedMessage(event, link), size)
            case _:
                await trio.lowlevel.checkpoint()

    def refused(self, error: Error, frame: Outgoing | None) -> None:
        """The broker refused one frame of ours."""
        about = frame.about if frame else f"frame {error.frame}"
        text = f"{about}: {error.reason.name.lower().replace('_', ' ')}: {error.text}"
        if frame and frame.receipt_id:
            refusal = FrameRefused(text, reason=error.reason, index=error.index)
            self._receipts.refused(frame.receipt_id, refusal)
        else:
            self.refusals[:] = [*self.refusals[-63:], text]
            self._roaming.last_error = text

    def link_lost(self, receipts_asked: set[int]) -> None:
        """The link is gone, and with it what it alone could bring."""
        self._receipts.lost(receipts_asked)

    async def _take_message(self, frame: Deliver) -> None:
        incoming = incoming_of(frame)
        tokens = frame.subject.split("/")
        if self._replies.is_reply(tokens):
            self._replies.hand_over(tokens, incoming)
        elif not self._roaming.trust_ear.took(frame.subject, incoming.payload):
            await self.incoming.put(incoming, incoming.size)

    def _subscribe_replies(self) -> None:
        own = f"{self.network}/{self.inbox}/{self.session_hex}/**"
        wanted = [f"{collective}/reply/{own}" for collective in self._collectives]
        link = self._roaming.number
        for frame in self._subscriptions.add_new(wanted):
            if self.connected:
                self._outbox.put_nowait(for_link(frame, link))

    async def _put_for_link(self, frame: Subscribe | Unsubscribe) -> None:
        if self.connected:
            await self._outbox.put(for_link(frame, self._roaming.number))
        else:
            await trio.lowlevel.checkpoint()

    def _publication(
        self,
        subjects: Sequence[str],
        payload: bytes,
        reply: str | None,
        receipt_id: int = 0,
        headers: Headers | None = None,
    ) -> Outgoing:
        tail = tail_of(payload, reply=reply, headers=headers)
        frame = Publish(subjects=tuple(subjects), receipt_id=receipt_id, tail=tail)
        data = self._roaming.encode_publish(frame, len(payload))
        return Outgoing(data, receipt_id=receipt_id, about=f"publish on {subjects[0]}")


@asynccontextmanager
async def open_session(
    connector: Connector, settings: SessionSettings, *, rng: Random, now_ms: Callable[[], int]
) -> AsyncIterator[Session]:
    """A session that keeps itself connected until the block is left.

    Leaving sends what waits and GOODBYE within ``leave_within_s``; cancelling aborts the link.
    An exception of the block comes out as it is, not in a group.

    Args:
        connector: Who we are and how to reach brokers.
        settings: Sizes and times.
        rng: For jitter.
        now_ms: Wall clock, milliseconds, for ``time_offset_ms``.
    """
    session = Session(connector, settings, rng=rng, now_ms=now_ms)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        roaming = session._roaming  # noqa: SLF001  # one class in two files
        nursery.start_soon(roaming.run)
        try:
            yield session
        except Exception as error:  # noqa: BLE001  # re-raised below, outside the nursery's group
            failure = error
        await roaming.leave(settings.leave_within_s)
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
