"""What comes in for a session: replies by their request, messages, receipts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import trio

from choria.errors import FrameRefused
from choria.wire import Deliver, Receipt, split_tail

from .bytequeue import ByteQueue

_REPLY_TOKENS: Final = 6  # c/reply/<n>/<inbox>/<session>/<request>/...
_OVERHEAD_BYTES: Final = 256  # so that empty messages are not free


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as the broker delivered it. Nothing in it is proved but who may publish there."""

    subject: str
    reply: str | None
    headers: Mapping[int, int | bytes | str]
    payload: bytes

    @property
    def size(self) -> int:
        """What it counts for in bounded queues."""
        return len(self.payload) + len(self.subject) + _OVERHEAD_BYTES


def incoming_of(frame: Deliver) -> Incoming:
    """A DELIVER's parts. Raises what the tail's decoder raises."""
    message = split_tail(frame.tail)
    return Incoming(frame.subject, message.reply, message.headers, message.payload)


class ReplyDesk:
    """Hands replies to the request that they answer, by the request token of their subject.

    Attributes:
        late: Replies whose request nobody waits for any more.
    """

    def __init__(self, inbox: str, session_hex: str) -> None:
        self._own = [inbox, session_hex]
        self._open: dict[str, ByteQueue[Incoming]] = {}
        self.late = 0

    def is_reply(self, tokens: list[str]) -> bool:
        """Whether a subject of these tokens answers this session."""
        return len(tokens) >= _REPLY_TOKENS and tokens[1] == "reply" and tokens[3:5] == self._own

    def hand_over(self, tokens: list[str], incoming: Incoming) -> None:
        """Give a reply to who waits; over its bound it is counted in that queue's ``dropped``."""
        queue = self._open.get(tokens[5])
        if queue is None:
            self.late += 1
        else:
            queue.offer(incoming, incoming.size)

    @contextmanager
    def waiting(self, request_token: str, max_bytes: int) -> Iterator[ByteQueue[Incoming]]:
        """Collect the replies to one request."""
        queue: ByteQueue[Incoming] = ByteQueue(max_bytes)
        self._open[request_token] = queue
        try:
            yield queue
        finally:
            del self._open[request_token]
            queue.close()


class _Slot:
    __slots__ = ("done", "receipt", "refusal")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.receipt: Receipt | None = None
        self.refusal: FrameRefused | None = None


class ReceiptDesk:
    """Receipts that publishers wait for."""

    def __init__(self) -> None:
        self._last_id = 0
        self._slots: dict[int, _Slot] = {}

    @contextmanager
    def asking(self) -> Iterator[int]:
        """An id for a PUBLISH; leave the block when the answer is in or nobody cares."""
        self._last_id += 1
        receipt_id = self._last_id
        self._slots[receipt_id] = _Slot()
        try:
            yield receipt_id
        finally:
            del self._slots[receipt_id]

    async def wait(self, receipt_id: int) -> Receipt | None:
        """The receipt, or None when the link was lost. Cancel-safe.

        Raises:
            FrameRefused: the broker refused the PUBLISH.
        """
        slot = self._slots[receipt_id]
        await slot.done.wait()
        if slot.refusal is not None:
            raise slot.refusal
        return slot.receipt

    def receipt(self, receipt: Receipt) -> None:
        """A RECEIPT has come; one that nobody waits for is late and means nothing."""
        slot = self._slots.get(receipt.receipt_id)
        if slot is not None:
            slot.receipt = receipt
            slot.done.set()

    def refused(self, receipt_id: int, refusal: FrameRefused) -> None:
        """The PUBLISH that asked was refused."""
        slot = self._slots.get(receipt_id)
        if slot is not None:
            slot.refusal = refusal
            slot.done.set()

    def lost(self, receipt_ids: set[int]) -> None:
        """The link on which they were asked is gone: no receipt will come."""
        for receipt_id in receipt_ids & self._slots.keys():
            self._slots[receipt_id].done.set()
