"""A relay: a member of two networks that carries requests one way and their replies back.

On each side it subscribes ``federation/<other>/**`` (requests for the other network) and
``<collective>/reply/<other>/**`` (answers to clients of the other network), both in a group, so that
any number of relays share the work and the death of one loses nothing that another can carry. A
request is published on the other side without its ``federation/<other>/`` and with the same bytes
behind it: reply prefixes need no rewriting, since they name their network. A receipt that was asked
for is answered with what the other side counted, so the count holds across networks.

Each message goes over once: the brokers pick one relay of the group by the payload, and a window of
digests drops what comes round a ring of networks (A11). The window's key is the payload and one
subject, never an id that a stranger could use up first, nor what anybody can change on the way. When
the window has no room, messages are refused, not forgotten: `window` says why.

Back-pressure: while ``far`` takes nothing, ``near`` is not read; then the near broker's queue for the
relay grows, and that broker pauses those who publish into it before it cuts the relay (CWP-10.2-4).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from hashlib import sha256
from typing import Final, TypeAlias

import attrs
import trio

from choria.errors import ChoriaError, FrameRefused, InvalidName
from choria.messages import (
    parse_federation_subject,
    parse_reply_prefix,
    parse_reply_subject,
    parse_request_subject,
)
from choria.net import RoutedMessage, Session
from choria.wire import Message, Receipt, split_tail

from .window import DEFAULT_CAPACITY, Seen, Window

log = logging.getLogger(__name__)

RECEIPTS_AT_ONCE: Final = 256
WARN_EVERY_S: Final = 60.0
_PRESENCE: Final = "sys/presence/"

_Pair: TypeAlias = tuple[int, str]  # index in the PUBLISH, and subject on the far side


@attrs.define
class Carried:
    """What one direction has done; for logs and metrics.

    Attributes:
        messages: Published on the far side, in part or in whole.
        repeated: Dropped, since all of it had been forwarded.
        refused: Not for this relay, or refused by the far broker.
        full: Dropped in part or in whole, since the window had no room.
    """

    messages: int = 0
    repeated: int = 0
    refused: int = 0
    full: int = 0


async def run_relay(
    left: Session,
    right: Session,
    collectives: tuple[str, ...],
    *,
    remember: int = DEFAULT_CAPACITY,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Carry both ways until cancelled. Cancelling drops what is under way: at most once.

    Args:
        left: One side.
        right: The other one.
        collectives: Those whose replies are carried.
        remember: How many forwarded subjects each direction remembers for 300 s.
        task_status: Told when both directions are subscribed.

    Raises:
        InvalidName: Both sides are the same network.
    """
    if left.network == right.network:
        raise InvalidName(f"both sides are network {left.network}: a relay joins two")
    async with trio.open_nursery() as nursery:
        for near, far in ((left, right), (right, left)):
            await _subscribe(near, far.network, collectives)
            nursery.start_soon(Direction(near, far, Window(remember)).run)
        task_status.started()


async def _subscribe(near: Session, far_network: str, collectives: tuple[str, ...]) -> None:
    replies = [f"{collective}/reply/{far_network}/**" for collective in collectives]
    await near.subscribe(f"federation/{far_network}/**", *replies, group=f"relay-{far_network}")


@attrs.define(eq=False)
class Direction:
    """From ``near`` to ``far``: requests for ``far``, and replies to clients of ``far``."""

    near: Session
    far: Session
    window: Window = attrs.field(factory=Window)
    now: Callable[[], float] = trio.current_time
    carried: Carried = attrs.field(factory=Carried)
    _warned: float = -math.inf
    _receipts: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(RECEIPTS_AT_ONCE))

    async def run(self) -> None:
        """Carry until cancelled. While ``far`` takes nothing, ``near`` is not read (D4)."""
        async with trio.open_nursery() as nursery:
            async for message in self.near.routed:
                await self._carry(message, nursery)

    async def _carry(self, message: RoutedMessage, nursery: trio.Nursery) -> None:
        try:
            pairs = [(index, self._beyond(subject)) for index, subject in message.frame.pairs]
        except InvalidName:  # nobody who follows the specification sends it
            self.carried.refused += 1
            await self._answer(message, [], None)
            return
        inner = split_tail(message.frame.tail)
        fresh = self._fresh(pairs, inner)
        if not fresh:
            await self._answer(message, [], None)  # whom the first one reached was counted then
            return
        self.carried.messages += 1
        if message.frame.receipt_id:
            await self._receipts.acquire()  # bounds the tasks: while all are busy nothing is read
            nursery.start_soon(self._publish_for_receipt, message, fresh, inner)
        else:
            await self._publish(fresh, inner)

    def _beyond(self, subject: str) -> str:
        """The subject on the far side: requests lose their prefix, replies are as they are.

        Raises:
            InvalidName: No row lets a relay publish it there; asked anew, it would reach a third
                network (CWP-14.3-3, CWP-14.3-9).
        """
        if not subject.startswith("federation/"):
            network, beyond = parse_reply_subject(subject).origin, subject
        else:
            network, beyond = parse_federation_subject(subject)
            if not beyond.startswith(_PRESENCE):
                parse_request_subject(beyond)
        if network != self.far.network:
            raise InvalidName(f"{subject} is not for {self.far.network}")
        return beyond

    def _fresh(self, pairs: list[_Pair], inner: Message) -> list[_Pair]:
        """The pairs on which this payload was not forwarded and may be. CWP-14.3-3, CWP-14.3-5."""
        now, digest = self.now(), sha256(inner.payload).digest()
        found: dict[Seen, list[_Pair]] = {seen: [] for seen in Seen}
        for pair in pairs:
            key = sha256(pair[1].encode() + b"\0" + digest).digest()[:16]
            found[self.window.take(key, _asker(pair[1], inner.reply), now)].append(pair)
        if found[Seen.FULL]:
            self._count_full(now)
        elif not found[Seen.NEW]:
            self.carried.repeated += 1
        return found[Seen.NEW]

    def _count_full(self, now: float) -> None:
        self.carried.full += 1
        if now - self._warned >= WARN_EVERY_S:
            self._warned = now
            log.warning(
                "%s to %s: no room to remember what is forwarded (%d subjects), so messages are dropped; "
                "a larger `remember` in the relay's configuration makes room",
                self.near.network,
                self.far.network,
                len(self.window),
            )

    async def _publish(self, pairs: list[_Pair], inner: Message) -> None:
        subjects = [subject for _, subject in pairs]
        try:
            await self.far.publish(subjects, inner.payload, inner.reply, inner.headers)
        except ChoriaError:
            self.carried.refused += 1

    async def _publish_for_receipt(
        self, message: RoutedMessage, pairs: list[_Pair], inner: Message
    ) -> None:
        subjects = [subject for _, subject in pairs]
        try:
            receipt = await self._receipt(message, subjects, inner)
            await self._answer(message, [index for index, _ in pairs], receipt)
        finally:
            self._receipts.release()

    async def _answer(
        self, message: RoutedMessage, indices: list[int], receipt: Receipt | None
    ) -> None:
        """Answer what was asked (CWP-6.12-4); of what is unknown say partial, and no index (CWP-9-7)."""
        if not message.frame.receipt_id:
            return
        if receipt is None:
            await self.near.answer_receipt(message, handed=0, partial=True)
            return
        without = [indices[position] for position in receipt.without if position < len(indices)]
        partial = receipt.partial or len(indices) < len(message.frame.pairs)
        await self.near.answer_receipt(
            message, handed=receipt.handed, partial=partial, without=without
        )

    async def _receipt(
        self, message: RoutedMessage, subjects: list[str], inner: Message
    ) -> Receipt | None:
        within_s = message.frame.remaining_ms / 1000  # the broker has taken its hop's share
        with trio.move_on_after(within_s):
            try:
                return await self.far.publish_for_receipt(
                    subjects, inner.payload, inner.reply, inner.headers
                )
            except FrameRefused:
                self.carried.refused += 1
        return None


def _asker(subject: str, reply: str | None) -> str:
    """Whose share of the window a message takes: who asked, whichever way it goes. CWP-14.3-6."""
    try:
        return (parse_reply_prefix(reply) if reply else parse_reply_subject(subject)).inbox
    except InvalidName:  # all that name nobody share one
        return ""
