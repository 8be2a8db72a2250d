"""Fan-outs to many, done in slices and in turn. CWP-6.9-11, E8.

One fan-out to 50,000 members is a second of writing. Done at once it would freeze every other link,
so it is a job: one slice of one job a tick, the jobs in turn, a slice bounded by writes and bytes.
Its publisher is paused meanwhile: that keeps the order of its messages (D6), is the back-pressure,
and bounds the jobs to one a link.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from choria.wire import deliver_bytes

from .counters import Counters
from .member import Member
from .receipts import PendingReceipt
from .settings import BrokerSettings

log = logging.getLogger(__name__)


class Job(Protocol):
    """Work for one publisher that takes more than one tick."""

    publisher: Member
    pending: PendingReceipt | None

    def run(self) -> bool:
        """Do one bounded slice. True when nothing is left."""
        ...


class Spread(NamedTuple):
    """A subject and the members that get the message on it."""

    subject: str
    receivers: tuple[Member, ...]


def write_all(data: bytes, receivers: tuple[Member, ...], counters: Counters) -> int:
    """Write ``data`` to each. Returns how many took it. One broken receiver is no one else's loss."""
    handed = 0
    for member in receivers:
        if member.live:  # it may have left since the match
            try:
                member.peer.write(data)
            except Exception:  # the border of one link (E3)
                log.exception("a message could not be written to %s", member.principal.label)
                counters.failed_writes += 1
            else:
                handed += 1
    counters.delivered += handed
    return handed


class FanOut:
    """The deliveries of one PUBLISH.

    The bytes of a subject are made when its turn comes: 256 subjects with a payload of 1 MiB would
    otherwise be 256 MiB. They are the same object for all its receivers.

    Attributes:
        publisher: Whose message it is.
        pending: Its receipt, if it asked for one.
    """

    def __init__(
        self,
        publisher: Member,
        tail: bytes,
        spreads: list[Spread],
        pending: PendingReceipt | None,
        settings: BrokerSettings,
        counters: Counters,
    ) -> None:
        self.publisher = publisher
        self.pending = pending
        self._tail = tail
        self._spreads = deque(spreads)
        self._data = b""
        self._at = 0
        self._settings = settings
        self._counters = counters

    def run(self) -> bool:
        """Write up to a slice. True when all is written."""
        writes, size = self._settings.slice_writes, self._settings.slice_bytes
        while self._spreads and writes > 0:
            subject, receivers = self._spreads[0]
            if not self._data:
                self._data = deliver_bytes(subject, self._tail)
            count = min(writes, max(size, 0) // len(self._data))
            if not count and writes < self._settings.slice_writes:
                break
            count = count or 1  # a message larger than a slice is a slice of its own
            batch = receivers[self._at : self._at + count]
            handed = write_all(self._data, batch, self._counters)
            if self.pending is not None:
                self.pending.handed += handed
            writes -= len(batch)
            size -= len(batch) * len(self._data)
            self._advance(len(batch), len(receivers))
        return not self._spreads

    def _advance(self, by: int, of: int) -> None:
        self._at += by
        if self._at >= of:
            self._spreads.popleft()
            self._data = b""
            self._at = 0


class Errand:
    """One bounded piece of work that the broker does itself, an answer about presence.

    As a job it takes its turn among the fan-outs, and whoever asks without end is paused each time.
    """

    def __init__(self, publisher: Member, action: Callable[[], None]) -> None:
        self.publisher = publisher
        self.pending: PendingReceipt | None = None
        self._action = action

    def run(self) -> bool:
        """Do it."""
        self._action()
        return True


class Jobs:
    """Jobs in turn."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: Job) -> None:
        """Queue ``job`` behind the others, its publisher paused."""
        job.publisher.pause()
        self._waiting.append(job)

    def take(self) -> Job:
        """Take the next job out. Put it back with `again`."""
        return self._waiting.popleft()

    def again(self, job: Job) -> None:
        """Put a job that is not done behind the others."""
        self._waiting.append(job)
