"""A relay: a member of two networks that carries requests one way and their replies back.

On each side it subscribes ``federation/<other>/**`` (requests for the other network) and
``<collective>/reply/<other>/**`` (answers to clients of the other network), both in a group, so that
any number of relays share the work and the death of one loses nothing that another can carry. A
request is published on the other side without its ``federation/<other>/`` and with the same bytes
behind it: reply prefixes need no rewriting, since they name their network. A receipt that was asked
for is answered with what the other side counted, so the count holds across networks.

Each message goes over once: the brokers pick one relay of the group by the payload, and a bounded
window of digests drops what comes round a ring of networks (A11). The window's key is the payload and
one subject, never an id that a stranger could use up first, nor what anybody can change on the way.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import TypeAlias

import attrs
import trio

from choria.errors import ChoriaError, FrameRefused, InvalidName
from choria.messages import parse_federation_subject
from choria.net import RoutedMessage, Session
from choria.wire import Receipt, split_tail

WINDOW = 100_000
"""Digests remembered a direction, one a subject: about 15 MB, and at 300 messages a second 300 s."""
RECEIPTS_AT_ONCE = 256

_Pair: TypeAlias = tuple[int, str]  # index in the PUBLISH, and subject on the far side


@attrs.define
class Carried:
    """What one direction has done; for logs and metrics."""

    messages: int = 0
    repeated: int = 0
    refused: int = 0


async def run_relay(
    left: Session,
    right: Session,
    collectives: tuple[str, ...],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Carry both ways until cancelled. Cancelling drops what is under way: at most once.

    Raises:
        InvalidName: Both sides are the same network.
    """
    if left.network == right.network:
        raise InvalidName(f"both sides are network {left.network}: a relay joins two")
    async with trio.open_nursery() as nursery:
        for near, far in ((left, right), (right, left)):
            await _subscribe(near, far.network, collectives)
            nursery.start_soon(Direction(near, far).run)
        task_status.started()


async def _subscribe(near: Session, far_network: str, collectives: tuple[str, ...]) -> None:
    replies = [f"{collective}/reply/{far_network}/**" for collective in collectives]
    await near.subscribe(f"federation/{far_network}/**", *replies, group=f"relay-{far_network}")


@attrs.define(eq=False)
class Direction:
    """From ``near`` to ``far``: requests for ``far``, and replies to clients of ``far``."""

    near: Session
    far: Session
    carried: Carried = attrs.field(factory=Carried)
    _window: OrderedDict[bytes, None] = attrs.field(factory=OrderedDict)
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
        digest = sha256(split_tail(message.frame.tail).payload).digest()
        pairs = [pair for pair in pairs if not self._seen(pair[1], digest)]
        if not pairs:
            self.carried.repeated += 1
            await self._answer(message, [], None)  # whom the first one reached was counted then
            return
        self.carried.messages += 1
        if message.frame.receipt_id:
            await self._receipts.acquire()  # bounds the tasks: while all are busy nothing is read
            nursery.start_soon(self._publish_for_receipt, message, pairs)
        else:
            await self._publish(message, pairs)

    def _beyond(self, subject: str) -> str:
        """The subject on the far side: requests lose their prefix, replies are as they are."""
        if not subject.startswith("federation/"):
            return subject
        inner = parse_federation_subject(subject)
        if inner.network != self.far.network:
            raise InvalidName(f"{subject} is not for {self.far.network}")
        return inner.subject

    def _seen(self, subject: str, digest: bytes) -> bool:
        """Whether this payload went to ``subject`` before. CWP-14.3-3."""
        key = sha256(subject.encode() + b"\0" + digest).digest()
        if key in self._window:
            return True
        self._window[key] = None
        if len(self._window) > WINDOW:
            self._window.popitem(last=False)
        return False

    async def _publish(self, message: RoutedMessage, pairs: list[_Pair]) -> None:
        inner = split_tail(message.frame.tail)
        subjects = [subject for _, subject in pairs]
        try:
            await self.far.publish(subjects, inner.payload, inner.reply)
        except ChoriaError:
            self.carried.refused += 1

    async def _publish_for_receipt(self, message: RoutedMessage, pairs: list[_Pair]) -> None:
        subjects = [subject for _, subject in pairs]
        try:
            receipt = await self._receipt(message, subjects)
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

    async def _receipt(self, message: RoutedMessage, subjects: list[str]) -> Receipt | None:
        inner = split_tail(message.frame.tail)
        within_s = message.frame.remaining_ms / 1000  # the broker has taken its hop's share
        with trio.move_on_after(within_s):
            try:
                return await self.far.publish_for_receipt(subjects, inner.payload, inner.reply)
            except FrameRefused:
                self.carried.refused += 1
        return None
