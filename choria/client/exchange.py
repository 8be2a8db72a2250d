"""One signed request under way: publish, collect, know when everybody has answered.

Answers of link grade are judged as they come. Signed ones go to the ``Prover`` and come back as
verdicts; those whose certificate nobody has wait until it was fetched, each node is asked once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping

import attrs
import trio

from choria.errors import ChoriaError
from choria.messages import is_signed
from choria.net import ByteQueue, Incoming, Session
from choria.trust import UnknownCertificate
from choria.wire import Receipt

from .answers import Answer, Pending, ReplyBook, judge, speaker_of
from .gathered import Gathered
from .proving import Job, Prover, Verdict

MAX_REPLY_QUEUE_BYTES = 64 << 20  # a ping of 50,000 nodes is a burst of 20 MB to one receiver
MAX_HELD_BYTES = 64 << 20
TAKE_AT_ONCE = 64
FETCH_AT_ONCE = 200
FETCHERS = 4


@attrs.define(kw_only=True, eq=False)
class Exchange:
    """Runs one request to its end.

    ``fetch`` gets certificates of up to ``FETCH_AT_ONCE`` nodes, by identity and hash, into ``book``,
    and says of each when it is there.
    """

    session: Session
    book: ReplyBook
    prover: Prover
    now_ms: Callable[[], int]
    message: bytes
    pending: Pending
    subjects: tuple[str, ...]
    gathered: Gathered
    on_answer: Callable[[Answer], None]
    fetch: Callable[[Mapping[str, bytes], Callable[[str], None]], Awaitable[None]]
    _targets: frozenset[str] = frozenset()
    _receipt: Receipt | None = None
    _answered: set[str] = attrs.field(factory=set)
    _held: dict[str, tuple[Job, bytes]] = attrs.field(factory=dict)
    _fetching: dict[str, tuple[Job, bytes]] = attrs.field(factory=dict)
    _ready: deque[Job] = attrs.field(factory=deque)
    _ready_more: trio.Event = attrs.field(factory=trio.Event)
    _held_bytes: int = 0
    _held_more: trio.Event = attrs.field(factory=trio.Event)
    _fetched: set[str] = attrs.field(factory=set)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def run(self) -> None:
        """Publish and collect until complete. Cancel-safe: what was believed stays in ``gathered``."""
        self._targets = frozenset(self.pending.request.targets)
        token = self.pending.request.id.hex()
        with self.session.open_replies(token, max_bytes=MAX_REPLY_QUEUE_BYTES) as replies:
            try:
                with self._scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._publish)
                        nursery.start_soon(self._prove_ready)
                        for _ in range(FETCHERS):
                            nursery.start_soon(self._fetch_held)
                        await self._receive(replies)
            finally:
                self.gathered.dropped += replies.dropped

    def give_up(self) -> None:
        """The time is over: who waits for a certificate has said nothing that can be believed."""
        waiting = [job for job, _ in (*self._fetching.values(), *self._held.values())]
        for job in (*self._ready, *waiting):
            self.gathered.reject(job.incoming, "its certificate could not be had in time")
        self._ready.clear()
        self._fetching.clear()
        self._held.clear()

    async def _publish(self) -> None:
        receipt = await self.session.publish_for_receipt(
            self.subjects, self.message, reply=self.pending.prefix
        )
        self._note_receipt(receipt)
        self._stop_if_complete()

    def _note_receipt(self, receipt: Receipt | None) -> None:
        self._receipt = receipt
        self.gathered.note_receipt(self.pending.request.targets, receipt)
        if receipt is not None:
            published_s = trio.current_time() - self.pending.sent_at_s
            self.gathered.published_s = max(self.gathered.published_s, published_s)

    async def _receive(self, replies: ByteQueue[Incoming]) -> None:
        while True:
            await replies.wait_any()
            now_ms, now = self.now_ms(), trio.current_time()
            signed = []
            for _ in range(min(len(replies), TAKE_AT_ONCE)):
                incoming = replies.get_nowait()
                if is_signed(incoming.payload):
                    signed.append(incoming)
                else:
                    self._take_bare(incoming, now_ms, now)
            for incoming in signed:
                await self.prover.put(self._job(incoming, now))

    def _take_bare(self, incoming: Incoming, now_ms: int, now: float) -> None:
        try:
            answer = judge(incoming, self.pending, self.book, now_ms, now)
        except (
            ChoriaError
        ) as exc:  # forged, malformed or misplaced: counted and named, never believed
            self.gathered.reject(incoming, str(exc))
        else:
            self._believe(answer)

    def _job(self, incoming: Incoming, now: float) -> Job:
        return Job(
            incoming=incoming,
            pending=self.pending,
            arrived_s=now,
            is_wanted=self._is_incomplete,
            done=self._judged,
        )

    def _judged(self, job: Job, verdict: Verdict) -> None:
        """Take the prover's verdict."""
        match verdict:
            case Answer():
                self._believe(verdict)
            case UnknownCertificate():
                self._hold(job, verdict)
            case _:
                self.gathered.reject(job.incoming, str(verdict))

    def _hold(self, job: Job, unknown: UnknownCertificate) -> None:
        """Keep an answer until its signer's certificate is here; one a node, and so many bytes."""
        incoming = job.incoming
        sender = speaker_of(incoming.subject)[1]
        if self._targets and sender not in self._targets:
            self.gathered.reject(incoming, "answers without being asked, and names no certificate")
        elif sender in self._fetched:
            self.gathered.reject(incoming, f"its certificate could not be had: {unknown}")
        elif sender in self._held:
            self.gathered.duplicates += 1
        elif self._held_bytes + incoming.size > MAX_HELD_BYTES:
            self.gathered.reject(incoming, "too many answers wait for certificates")
        else:
            self._held_bytes += incoming.size
            self._held[sender] = job, unknown.thumbprint
            self._held_more.set()

    def _believe(self, answer: Answer) -> None:
        if self._targets and answer.sender not in self._targets:
            self.gathered.unexpected.append(answer.sender)
        elif answer.sender in self._answered:
            self.gathered.duplicates += 1
        else:
            self._answered.add(answer.sender)
            self.gathered.answers[answer.sender] = answer
            self.on_answer(answer)
            self._stop_if_complete()

    def _is_incomplete(self) -> bool:
        """Not everybody who was handed the request has answered, or we do not know how many."""
        return (
            self._receipt is None
            or self._receipt.partial
            or len(self._answered) < self._receipt.handed
        )

    def _stop_if_complete(self) -> None:
        if not self._is_incomplete():
            self._scope.cancel()

    async def _fetch_held(self) -> None:
        while True:
            await self._held_more.wait()
            batch = self._next_held()
            if batch:
                wanted = {sender: hash_ for sender, (_, hash_) in batch.items()}
                await self.fetch(wanted, self._fetched_one)
            for sender in (
                batch.keys() & self._fetching.keys()
            ):  # the prover will say what is missing
                self._fetched_one(sender)

    def _fetched_one(self, sender: str) -> None:
        """Prove the answer of ``sender`` now: others of its batch may be slow, or silent."""
        self._ready.append(self._fetching.pop(sender)[0])
        self._ready_more.set()

    async def _prove_ready(self) -> None:
        while True:
            await self._ready_more.wait()
            self._ready_more = trio.Event()
            while self._ready:
                await self.prover.put(self._ready[0])
                self._ready.popleft()

    def _next_held(self) -> dict[str, tuple[Job, bytes]]:
        batch = {sender: self._held.pop(sender) for sender in list(self._held)[:FETCH_AT_ONCE]}
        self._held_bytes -= sum(job.incoming.size for job, _ in batch.values())
        self._fetched |= batch.keys()
        self._fetching |= batch
        if not self._held:
            self._held_more = trio.Event()
        return batch
