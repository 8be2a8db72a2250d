"""A queue bounded in bytes, because a bound in items lets one sender hold gigabytes (principle 5)."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class ByteQueue(Generic[T]):
    """Items with sizes, first in first out; producers wait or are told, consumers wait.

    One item is always taken when the queue is empty, so that an item larger than the bound can
    pass alone.

    Attributes:
        pending_bytes: Sum of the sizes of the items that wait.
        dropped: How many items ``offer`` refused.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()
        self._closed = False
        self.pending_bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put_nowait(self, item: T, size: int) -> None:
        """Queue ``item``.

        Raises:
            trio.WouldBlock: the bound is reached.
            trio.ClosedResourceError: after ``close``.
        """
        if self._closed:
            raise trio.ClosedResourceError
        if self._items and self.pending_bytes + size > self._max_bytes:
            raise trio.WouldBlock
        self._items.append((item, size))
        self.pending_bytes += size
        self._readers.unpark()

    def offer(self, item: T, size: int) -> bool:
        """Queue ``item`` or count it in ``dropped``; False when it was dropped."""
        try:
            self.put_nowait(item, size)
        except (trio.WouldBlock, trio.ClosedResourceError):
            self.dropped += 1
            return False
        return True

    async def put(self, item: T, size: int) -> None:
        """Queue ``item``, waiting for room. Cancel-safe: cancelled means not queued.

        Raises:
            trio.ClosedResourceError: after ``close``.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            try:
                self.put_nowait(item, size)
            except trio.WouldBlock:
                await self._writers.park()
            else:
                break

    def get_nowait(self) -> T:
        """The oldest item.

        Raises:
            trio.WouldBlock: nothing waits.
            trio.EndOfChannel: nothing waits and nothing will come.
        """
        if not self._items:
            if self._closed:
                raise trio.EndOfChannel
            raise trio.WouldBlock
        item, size = self._items.popleft()
        self.pending_bytes -= size
        self._writers.unpark_all()
        return item

    async def get(self) -> T:
        """The oldest item, waiting for one. Cancel-safe: no item is lost.

        Raises:
            trio.EndOfChannel: nothing waits and nothing will come.
        """
        await self.wait_any()
        return self.get_nowait()

    async def wait_any(self) -> None:
        """Wait until ``get_nowait`` does not block. Cancel-safe."""
        await trio.lowlevel.checkpoint()  # also with items waiting: a busy consumer must yield
        while not self._items and not self._closed:
            await self._readers.park()

    def close(self) -> None:
        """Nothing more comes in; what waits can still be taken out."""
        self._closed = True
        self._readers.unpark_all()
        self._writers.unpark_all()

    def __aiter__(self) -> ByteQueue[T]:
        return self

    async def __anext__(self) -> T:
        """The next item. Cancel-safe: no item is lost."""
        try:
            return await self.get()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
