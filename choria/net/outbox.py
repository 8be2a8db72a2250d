"""What a session has to send: bounded in bytes, one reader, control frames first.

Publishes wait here while no broker is reachable; what belongs to one link (subscriptions, receipts
of another's message) carries that link's number and is dropped with it: subscriptions are said
again after WELCOME, and a receipt is for nobody else.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import trio

MAX_BATCH_BYTES: Final = 65536
_MAX_CONTROLS: Final = 64


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One encoded frame.

    Attributes:
        link: Number of the only link that it is for; None for any.
        receipt_id: The receipt that it asked for, 0 for none.
        about: What to say when the broker refuses it.
    """

    data: bytes
    link: int | None = None
    receipt_id: int = 0
    about: str = ""


class Outbox:
    """Frames of one session, over all its links.

    Attributes:
        pending_bytes: Bytes that wait, controls not counted.
        flooded: So many control answers wait that the broker must be flooding us.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: deque[Outgoing] = deque()
        self._controls: deque[bytes] = deque()
        self._reader = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()
        self._closed = False
        self.pending_bytes = 0

    @property
    def flooded(self) -> bool:
        """More control frames wait than an honest broker can cause."""
        return len(self._controls) > _MAX_CONTROLS

    @property
    def empty(self) -> bool:
        """Nothing waits."""
        return not self._frames and not self._controls

    def put_nowait(self, outgoing: Outgoing) -> None:
        """Queue a frame.

        Raises:
            trio.WouldBlock: over the bound; nothing was queued.
            trio.ClosedResourceError: the session is leaving.
        """
        if self._closed:
            raise trio.ClosedResourceError
        if self._frames and self.pending_bytes + len(outgoing.data) > self._max_bytes:
            raise trio.WouldBlock
        self._frames.append(outgoing)
        self.pending_bytes += len(outgoing.data)
        self._reader.unpark()

    async def put(self, outgoing: Outgoing) -> None:
        """Queue a frame, waiting for room. Cancel-safe: cancelled means not queued.

        Raises:
            trio.ClosedResourceError: the session is leaving.
        """
        await trio.lowlevel.checkpoint()
        while True:
            try:
                self.put_nowait(outgoing)
            except trio.WouldBlock:
                await self._writers.park()
            else:
                break

    def put_control(self, data: bytes) -> None:
        """Queue an answer to go ahead of everything else, for the present link only."""
        self._controls.append(data)
        self._reader.unpark()

    def close(self) -> None:
        """Nothing more comes in; what waits can still be sent."""
        self._closed = True
        self._reader.unpark_all()
        self._writers.unpark_all()

    def forget_controls(self) -> None:
        """The link that they were for is gone."""
        self._controls.clear()

    async def wait_ready(self) -> bool:
        """Wait until there is something to send. False when there never will be. Cancel-safe."""
        await trio.lowlevel.checkpoint()
        while self.empty and not self._closed:
            await self._reader.park()
        return not self.empty

    def take_controls(self) -> list[bytes]:
        """All control frames that wait."""
        taken = list(self._controls)
        self._controls.clear()
        return taken

    def take_batch(self, link: int) -> list[Outgoing]:
        """Some frames for link number ``link``, in order, about 64 KiB; skips those of others."""
        batch: list[Outgoing] = []
        size = 0
        while self._frames and size < MAX_BATCH_BYTES:
            outgoing = self._frames.popleft()
            self.pending_bytes -= len(outgoing.data)
            if outgoing.link is None or outgoing.link == link:
                batch.append(outgoing)
                size += len(outgoing.data)
        self._writers.unpark_all()
        return batch
