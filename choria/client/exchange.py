"""One signed request under way: publish, collect, know when everybody has answered.

Answers of link grade are judged as they come. Signed ones go to the ``Prover`` and come back as
verdicts; those whose certificate nobody has wait until it was fetched, each node is asked once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import attrs
import trio

from choria.errors import ChoriaError
from choria.messages import is_signed
from choria.net import ByteQueue, Incoming, Session
from choria.trust import UnknownCertificate
from choria.wire import Receipt

from .answers import Answer, Pending, Rejected, ReplyBook, judge, speaker_of
from .proving import Job, Prover, Verdict

MAX_REPLY_QUEUE_BYTES = 64 << 20  # a ping of 50,000 nodes is a burst of 20 MB to one receiver
MAX_HELD_BYTES = 64 << 20
MAX_REJECTED = 1_000
TAKE_AT_ONCE = 64
FETCH_AT_ONCE = 200
FETCHERS = 4


@attrs.define(kw_only=True)
class Gathered:
    """What came of an ``Ask``. Complete or not: ``partial`` and ``without`` say what is missing.

    Attributes:
        request_ids: One for each signed chunk.
        answers: By identity, the first believable answer of each.
        handed: Final receivers that the receipts counted; None when no receipt came.
        partial: A part of the network did not say whether it was reached.
        without: Targets that nobody subscribed for: these nodes are gone.
        duplicates: Further answers of nodes that had answered.
        unexpected: Nodes that answered without being asked.
        rejected: Messages that proved nothing, the first ``MAX_REJECTED``.
        dropped: Messages that came faster than they were taken, beyond ``MAX_REPLY_QUEUE_BYTES``.
        published_s: Until the broker had taken the last chunk: its receipt came.
    """

    request_ids: list[bytes] = attrs.field(factory=list)
    answers: dict[str, Answer] = attrs.field(factory=dict)
    handed: int | None = None
    partial: bool = False
    without: list[str] = attrs.field(factory=list)
    duplicates: int = 0
    unexpected: list[str] = attrs.field(factory=list)
    rejected: list[Rejected] = attrs.field(factory=list)
    dropped: int = 0
    published_s: float = 0.0
    elapsed_s: float = 0.0

    def note_receipt(self, targets: Sequence[str], receipt: Receipt | None) -> None:
        """Note what the broker says about one request to ``targets``; None: it did not say."""
        if receipt is None:
            self.partial = True
            return
        self.handed = (self.handed or 0) + receipt.handed
        self.partial |= receipt.partial
        self.without += [targets[index] for index in receipt.without if index < len(targets)]

    def reject(self, incoming: Incoming, why: str) -> None:
        """Note a message that proves nothing."""
        if len(self.rejected) < MAX_REJECTED:
            network, sender = speaker_of(incoming.subject)
            self.rejected.append(Rejected(sender=sender, network=network, why=why))


@attrs.define(kw_only=True, eq=False)
class Exchange:
    """Runs one request to its end.

    ``fetch`` gets certificates of up to ``FETCH_AT_ONCE`` nodes, by identity and hash, into ``book``.
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
    fetch: Callable[[Mapping[str, bytes]], Awaitable[None]]
    _targets: frozenset[str] = frozenset()
    _receipt: Receipt | None = None
    _answered: set[str] = attrs.field(factory=set)
    _held: dict[str, tuple[Job, bytes]] = attrs.field(factory=dict)
    _fetching: dict[str, tuple[Job, bytes]] = attrs.field(factory=dict)
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
                        for _ in range(FETCHERS):
                            nursery.start_soon(self._fetch_held)
                        await self._receive(replies)
            finally:
                self.gathered.dropped += replies.dropped

    def give_up(self) -> None:
        """The time is over: who waits for a certificate has said nothing that can be believed."""
        for job, _ in [*self._fetching.values(), *self._held.values()]:
            self.gathered.reject(job.incoming, "its certificate could not be had in time")
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
                await self.fetch({sender: hash_ for sender, (_, hash_) in batch.items()})
            for sender in batch:
                await self.prover.put(self._fetching[sender][0])
                del self._fetching[sender]

    def _next_held(self) -> dict[str, tuple[Job, bytes]]:
        batch = {sender: self._held.pop(sender) for sender in list(self._held)[:FETCH_AT_ONCE]}
        self._held_bytes -= sum(job.incoming.size for job, _ in batch.values())
        self._fetched |= batch.keys()
        self._fetching |= batch
        if not self._held:
            self._held_more = trio.Event()
        return batch
