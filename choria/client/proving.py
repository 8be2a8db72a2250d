"""Proving signed answers off the receiver's path.

A signature costs 70 µs and more, a certificate that was never seen 300 µs. On the loop, ten thousand
answers would keep the link unread for seconds. So signed answers go through a queue, bounded in
bytes, to a few worker threads: OpenSSL works outside the GIL, and the receiver goes on reading.
Answers go in batches, because the way to a thread and back costs about as much as one signature.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import attrs
import trio

from choria.errors import ChoriaError
from choria.net import ByteQueue, Incoming

from .answers import Answer, Pending, ReplyBook, judge

PROVING_THREADS = 2
BATCH = 64
"""Answers a thread takes at once: at most some 20 ms, which is how long a cancellation may wait."""
MAX_WAITING_BYTES = 64 << 20
"""Beyond it an exchange leaves its answers in the session's queue, which is bounded too."""

T = TypeVar("T")
Verdict: TypeAlias = Answer | ChoriaError


class OffLoop(Protocol):
    """Runs plain work away from the event loop and waits for its result."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """The result of ``work``. Cancelling waits until work that has begun is done."""
        ...


def in_threads(count: int = PROVING_THREADS) -> OffLoop:
    """Work in worker threads, at most ``count`` at a time."""
    limiter = trio.CapacityLimiter(count)

    async def run(work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=limiter)

    return run


@attrs.frozen(kw_only=True)
class Job:
    """One signed answer that waits to be proved.

    Attributes:
        arrived_s: When it came, monotonic seconds.
        is_wanted: False when nobody cares for the verdict any more: then nothing is proved.
        done: Gets the verdict, on the loop.
    """

    incoming: Incoming
    pending: Pending
    arrived_s: float
    is_wanted: Callable[[], bool]
    done: Callable[[Job, Verdict], None]


class Prover:
    """Takes jobs, proves them in threads, hands back verdicts; shared by the chunks of one call."""

    def __init__(
        self,
        book: ReplyBook,
        off_loop: OffLoop,
        now_ms: Callable[[], int],
        *,
        max_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._book = book
        self._off_loop = off_loop
        self._now_ms = now_ms
        self._jobs: ByteQueue[Job] = ByteQueue(max_bytes)

    async def put(self, job: Job) -> None:
        """Queue ``job``, waiting for room. Cancel-safe: cancelled means not queued."""
        await self._jobs.put(job, job.incoming.size)

    async def run(self) -> None:
        """Prove until ``close`` was called and nothing waits. Cancelling drops what waits."""
        async with trio.open_nursery() as nursery:
            for _ in range(PROVING_THREADS):
                nursery.start_soon(self._work)

    def close(self) -> None:
        """No more jobs come."""
        self._jobs.close()

    async def _work(self) -> None:
        while batch := await self._batch():
            wanted = [job for job in batch if job.is_wanted()]
            if wanted:
                verdicts = await self._off_loop(
                    partial(_judge_all, wanted, self._book, self._now_ms())
                )
                for job, verdict in zip(wanted, verdicts, strict=True):
                    job.done(job, verdict)

    async def _batch(self) -> list[Job]:
        """What waits, at most ``BATCH``; empty when nothing will come any more."""
        batch: list[Job] = []
        try:
            batch.append(await self._jobs.get())
            while len(batch) < BATCH:
                batch.append(self._jobs.get_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            pass  # that was all
        return batch


def _judge_all(jobs: Sequence[Job], book: ReplyBook, now_ms: int) -> list[Verdict]:
    return [_judge(job, book, now_ms) for job in jobs]


def _judge(job: Job, book: ReplyBook, now_ms: int) -> Verdict:
    try:
        return judge(job.incoming, job.pending, book, now_ms, job.arrived_s)
    except ChoriaError as exc:  # a verdict like the other: forged, malformed or misplaced
        return exc
