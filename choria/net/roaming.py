"""Keeps a session linked: rounds of attempts, waits, and what each failure is called."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from choria.errors import (
    ChoriaError,
    LinkLost,
    LocalProtocolError,
    ProtocolError,
    Reason,
    RemoteProtocolError,
)
from choria.wire import (
    Event,
    Goodbye,
    Hello,
    Limits,
    Link,
    Publish,
    Side,
    Welcome,
    encode_frame,
)

from .attachment import Attachment, Farewell, close_quickly
from .backoff import NO_RETRY, Backoff, wait_after_s
from .connector import Connector, Wire
from .endpoints import Endpoint
from .guest import LAST_WORDS_S, Guest, first_of, last_words, text_of
from .moving import DRAIN_S, SETTLE_S, Mover, Moves
from .outbox import Outbox
from .trust_news import TrustEar

if TYPE_CHECKING:
    from random import Random  # noqa: TID251  # the type only

    from .settings import SessionSettings

log = logging.getLogger(__name__)

VERSION: Final = 1
_REMEMBERED_FAILURES: Final = 64


class Roaming:
    """From broker to broker, for ever.

    Attributes:
        broker: Who welcomed us on the present link.
        token: Names the session to brokers and in reply subjects, on all its links.
        number: Of the present link; counts from 1.
        welcomed: How many links were welcomed.
        trust_ear: What brokers said of trust objects.
        failures: Last failure at each broker, for the operator.
    """

    def __init__(
        self,
        connector: Connector,
        settings: SessionSettings,
        guest: Guest,
        *,
        rng: Random,
        now_ms: Callable[[], int],
    ) -> None:
        self._connector = connector
        self._settings = settings
        self._guest = guest
        self.outbox = Outbox(settings.max_outbound_bytes)
        self.token = secrets.token_bytes(16)
        self._now_ms = now_ms
        self._rng = rng
        self._backoff = Backoff(rng, cap_s=settings.backoff_cap_s)
        self._hello = Hello(
            versions=(VERSION,),
            session=self.token,
            capabilities=(),
            boot=secrets.token_bytes(16),  # CWP-6.1-2
            software=settings.software,
            collectives=settings.collectives,
        )
        self._known = 0
        self._not_before: dict[Endpoint, float] = {}
        self._sent_away: set[Endpoint] = set()
        self._hints: tuple[str, ...] = ()
        self._attachment: Attachment | None = None
        self._left = trio.Event()
        self._changed = trio.lowlevel.ParkingLot()
        self._moves = Moves()
        self.limits: Limits = settings.limits
        self.broker: str | None = None
        self.number = 0
        self._begun = 0
        self.welcomed = 0
        self.time_offset_ms = 0
        self.trust_ear = TrustEar(connector.principal.network)
        self.last_error = ""
        self.failures: dict[str, str] = {}

    # For the session.

    async def wait_connected(self) -> None:
        """Wait for a WELCOME. Cancel-safe."""
        await trio.lowlevel.checkpoint()
        while self.broker is None:
            await self._changed.park()

    async def wait_decided(self) -> bool:
        """Wait for a WELCOME, or until every broker has said that asking again is no use. Cancel-safe.

        Returns:
            Whether there was a WELCOME.
        """
        await trio.lowlevel.checkpoint()
        while self.broker is None:
            if self._known and len(self._sent_away) >= self._known:
                return False
            await self._changed.park()
        return True

    async def wait_disconnected(self) -> None:
        """Wait for the present link's end. Cancel-safe."""
        await trio.lowlevel.checkpoint()
        while self.broker is not None:
            await self._changed.park()

    def failures_text(self) -> str:
        """Each broker that was tried, and why it failed."""
        if not self.failures:
            return self.last_error or "no broker is known: configure one, or its SRV records"
        return "; ".join(f"{where}: {why}" for where, why in self.failures.items())

    async def move(self) -> None:
        """Change to a second link to the same broker. Cancel-safe: the present link stays.

        Raises:
            LinkLost: there is no link, or none could be opened beside it; says why.
        """
        if self.broker is None:
            await trio.lowlevel.checkpoint()
            raise LinkLost(f"there is no link to move: {self.failures_text()}")
        await self._moves.ask(self._settings.connect_within_s)

    def encode_publish(self, frame: Publish, payload_bytes: int) -> bytes:
        """Encode within the broker's limits. Raises LocalProtocolError."""
        if payload_bytes > self.limits.payload_bytes:
            raise LocalProtocolError(
                f"{payload_bytes} bytes of payload, the network takes {self.limits.payload_bytes}",
                reason=Reason.PAYLOAD_TOO_LARGE,
            )
        if not 0 < len(frame.subjects) <= self.limits.subjects_per_publish:
            raise LocalProtocolError(
                f"{len(frame.subjects)} subjects, a message takes 1 to {self.limits.subjects_per_publish}",
                reason=Reason.LIMIT,
            )
        return encode_frame(frame)

    async def leave(self, within_s: float) -> None:
        """Send what waits, say GOODBYE, end. Cancelling aborts the link."""
        self.outbox.close()
        if self.broker is None:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(within_s):
            await self._left.wait()

    # The task.

    async def run(self) -> None:
        """Attempt, run, wait, again. Cancelling aborts the present link; never returns otherwise."""
        while True:
            welcomed_before = self.welcomed
            await self._round()
            if self._left.is_set():
                return
            if self.welcomed > welcomed_before:
                self._backoff.reset()
            await trio.sleep(self._wait_s())

    async def _round(self) -> None:
        """Try each broker once, until one has welcomed us and that link has ended."""
        endpoints = self._sorted(await self._connector.lookup())
        if not endpoints:
            self.last_error = "no broker is known: configure one, or its SRV records"
        for endpoint in endpoints:
            if self._not_before.get(endpoint, 0.0) > trio.current_time():
                continue
            before = self.welcomed
            await self._attempt(endpoint)
            if self.welcomed > before or self._left.is_set():
                return

    def _wait_s(self) -> float:
        """Jitter, or the rest of a retry-after when every broker has sent us away."""
        jitter_s = self._backoff.next_delay_s()
        now = trio.current_time()
        self._not_before = {e: at for e, at in self._not_before.items() if at > now}
        if self._not_before and len(self._not_before) == self._known:
            return max(jitter_s, min(self._not_before.values()) - now)
        return jitter_s

    def _sorted(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        """A GOODBYE's broker names change the order only: they never add an address (CWP-6.5-4, D11)."""
        self._known = len(set(endpoints))
        hints = self._hints
        return sorted(
            endpoints,
            key=lambda e: next(
                (i for i, h in enumerate(hints) if h in (e.host, e.text)), len(hints)
            ),
        )

    async def _attempt(self, endpoint: Endpoint) -> None:
        """One link from connect to its end; every failure ends here, in words."""
        self._begun += 1
        self.number = self._begun
        try:
            await self._link_to(endpoint)
        except* Farewell as group:
            self._note_goodbye(endpoint, first_of(group).goodbye)
        except* (ChoriaError, trio.TooSlowError, OSError) as group:
            self._note(endpoint, text_of(first_of(group)))
        finally:
            self._detach()

    async def _link_to(self, endpoint: Endpoint) -> None:
        wire: Wire | None = None
        try:
            with trio.move_on_after(self._settings.connect_within_s) as deadline:
                wire = await self._connector.connect(endpoint)
                attachment = self._attach(wire)
                welcome = await self._log_in(attachment)
            if deadline.cancelled_caught or wire is None:
                raise LinkLost(f"no WELCOME within {self._settings.connect_within_s:g} s")
            self._welcome(endpoint, welcome)
            await self._carry(attachment, endpoint)
        finally:
            if wire is not None:
                await wire.aclose()

    def _attach(self, wire: Wire) -> Attachment:
        self._attachment = self._make_attachment(wire, self.number)
        return self._attachment

    def _make_attachment(self, wire: Wire, number: int) -> Attachment:

        async def take(event: Event) -> None:
            await self._guest.take(event, number)

        return Attachment(
            number=number,
            wire=wire,
            link=Link(Side.MEMBER, self._settings.limits, now=trio.current_time()),
            outbox=self.outbox,
            take=take,
            refused=self._guest.refused,
        )

    async def _log_in(self, attachment: Attachment) -> Welcome:
        try:
            return await attachment.log_in(self._hello, partial(self._check_welcome, attachment))
        except ProtocolError as error:
            await last_words(attachment, error)
            raise

    def _check_welcome(self, attachment: Attachment, welcome: Welcome) -> None:
        """CWP-6.2-3, in the order of CWP-6.2-8; the link has compared it with HELLO before."""
        ours = self._connector.principal.network
        if welcome.network != ours:
            raise RemoteProtocolError(
                f"broker {welcome.broker} is of network {welcome.network}, we are of {ours}",
                reason=Reason.WRONG_NETWORK,
            )
        proved = attachment.wire.broker
        if proved is not None and welcome.broker != proved:
            raise RemoteProtocolError(
                f"a broker that is {proved} by its certificate calls itself {welcome.broker}",
                reason=Reason.IDENTITY_REFUSED,
            )

    def _welcome(self, endpoint: Endpoint, welcome: Welcome) -> None:
        self.welcomed += 1
        self.broker = welcome.broker
        self.limits = self._settings.limits.adopting(welcome.limits)
        self.time_offset_ms = welcome.time_ms - self._now_ms()
        self.trust_ear.welcomed(welcome.trust)
        self._hints = ()
        self._sent_away.clear()
        self.failures.pop(endpoint.text, None)
        log.info("welcomed by broker %s at %s", welcome.broker, endpoint.text)
        self._changed.unpark_all()

    async def _carry(self, attachment: Attachment, endpoint: Endpoint) -> None:
        """Carry a link to its end, and those that it moves to, each while the one before drains."""
        present, wires = attachment, []
        async with trio.open_nursery() as drains:
            try:
                while (following := await self._carry_one(present, endpoint)) is not None:
                    drains.start_soon(self._drain, present, following)
                    present = following
                    wires.append(present.wire)
            finally:
                with close_quickly():
                    for wire in wires:
                        await wire.aclose()
            drains.cancel_scope.cancel()

    async def _carry_one(self, attachment: Attachment, endpoint: Endpoint) -> Attachment | None:
        """One link; the one that follows it, or None when the session has been left."""
        mover = Mover(self._moves, partial(self._open_another, endpoint), attachment)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(mover.run)
                await attachment.run(self._guest.subscriptions(attachment.number))
                nursery.cancel_scope.cancel()
            if mover.following is not None:
                return mover.following
            # The outbox was closed and is empty: we are leaving.
            with trio.move_on_after(LAST_WORDS_S):
                await attachment.say_goodbye(Reason.NORMAL)
            self._left.set()
        except* ProtocolError as group:
            await last_words(attachment, first_of(group))
            raise
        return None

    async def _open_another(self, endpoint: Endpoint) -> Attachment:
        """A second link to the same broker, welcomed. Cancelling closes it. Raises as an attempt."""
        wire = await self._connector.connect(endpoint)
        try:
            self._begun += 1
            attachment = self._make_attachment(wire, self._begun)
            welcome = await attachment.log_in(self._hello, partial(self._check_welcome, attachment))
        except BaseException:
            with close_quickly():
                await wire.aclose()
            raise
        attachment.settle()
        self._attachment, self.number = attachment, attachment.number
        self.outbox.forget_controls()  # they were for the link before
        self._welcome(endpoint, welcome)
        return attachment

    async def _drain(self, attachment: Attachment, following: Attachment) -> None:
        try:
            with trio.move_on_after(SETTLE_S + DRAIN_S):
                await attachment.drain(following, SETTLE_S)
        except* (ChoriaError, Farewell, OSError) as end:
            log.debug("the link before has ended: %s", text_of(first_of(end)))
        finally:
            self._guest.link_lost(attachment.receipts_asked())
            with close_quickly():
                await attachment.wire.aclose()

    def _detach(self) -> None:
        attachment, self._attachment = self._attachment, None
        self.broker = None
        self.outbox.forget_controls()
        if attachment is not None:
            self._guest.link_lost(attachment.receipts_asked())
        self._changed.unpark_all()

    def _note_goodbye(self, endpoint: Endpoint, goodbye: Goodbye) -> None:
        wait_s = wait_after_s(goodbye.reason, goodbye.retry_after_ms, self._rng)
        if wait_s:
            self._not_before[endpoint] = trio.current_time() + wait_s
        if goodbye.reason in NO_RETRY:  # CWP-12-3
            self._sent_away.add(endpoint)
        self._hints = goodbye.brokers
        words = goodbye.reason.name.lower().replace("_", " ")
        self._note(
            endpoint,
            f"broker said goodbye: {words}" + (f": {goodbye.text}" if goodbye.text else ""),
        )

    def _note(self, endpoint: Endpoint, why: str) -> None:
        self.last_error = f"{endpoint.text}: {why}"
        self.failures.pop(endpoint.text, None)
        self.failures[endpoint.text] = why
        if len(self.failures) > _REMEMBERED_FAILURES:
            del self.failures[next(iter(self.failures))]
        log.warning("link to %s ended: %s", endpoint.text, why)
