"""One signed request under way: publish, collect, know when everybody has answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio

from choria.errors import ChoriaError
from choria.messages import parse_reply_subject
from choria.net import Incoming, Session
from choria.trust import UnknownCertificate
from choria.wire import Receipt

from .answers import Answer, Pending, Rejected, ReplyBook, judge

MAX_REPLY_QUEUE_BYTES = 64 << 20  # a ping of 50,000 nodes is a burst of 20 MB to one receiver
MAX_REJECTED = 1_000
FETCH_AT_ONCE = 200


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
    published_s: float = 0.0
    elapsed_s: float = 0.0


@attrs.define(kw_only=True, eq=False)
class Exchange:
    """Runs one request to its end.

    ``fetch`` gets the certificates of up to ``FETCH_AT_ONCE`` nodes into ``book``.
    """

    session: Session
    book: ReplyBook
    now_ms: Callable[[], int]
    message: bytes
    pending: Pending
    subjects: tuple[str, ...]
    prefix: str
    gathered: Gathered
    on_answer: Callable[[Answer], None]
    fetch: Callable[[Sequence[str]], Awaitable[None]]
    _receipt: Receipt | None = None
    _answered: set[str] = attrs.field(factory=set)
    _held: dict[str, Incoming] = attrs.field(factory=dict)
    _held_more: trio.Event = attrs.field(factory=trio.Event)

    async def run(self) -> None:
        """Publish and collect until complete. Cancel-safe: what was believed stays in ``gathered``."""
        token = self.pending.request.id.hex()
        with self.session.open_replies(token, max_bytes=MAX_REPLY_QUEUE_BYTES) as replies:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._publish, nursery.cancel_scope)
                nursery.start_soon(self._fetch_held, nursery.cancel_scope)
                async for incoming in replies:
                    self._take(incoming)
                    self._stop_if_complete(nursery.cancel_scope)

    async def _publish(self, scope: trio.CancelScope) -> None:
        receipt = await self.session.publish_for_receipt(
            self.subjects, self.message, reply=self.prefix
        )
        self._note_receipt(receipt)
        self._stop_if_complete(scope)

    def _note_receipt(self, receipt: Receipt | None) -> None:
        self._receipt = receipt
        if receipt is None:
            self.gathered.partial = True
            return
        published_s = trio.current_time() - self.pending.sent_at_s
        self.gathered.published_s = max(self.gathered.published_s, published_s)
        self.gathered.handed = (self.gathered.handed or 0) + receipt.handed
        self.gathered.partial |= receipt.partial
        if targets := self.pending.request.targets:
            self.gathered.without += [
                targets[index] for index in receipt.without if index < len(targets)
            ]

    def _take(self, incoming: Incoming) -> None:
        try:
            answer = judge(incoming, self.pending, self.book, self.now_ms(), trio.current_time())
        except UnknownCertificate:
            self._hold(incoming)
        except (
            ChoriaError
        ) as exc:  # forged, malformed or misplaced: counted and named, never believed
            self._reject(incoming, str(exc))
        else:
            self._believe(answer)

    def _hold(self, incoming: Incoming) -> None:
        """Keep an answer until its signer's certificate is here; one a node, so this is bounded."""
        self._held[parse_reply_subject(incoming.subject).identity] = incoming
        self._held_more.set()

    def _reject(self, incoming: Incoming, why: str) -> None:
        if len(self.gathered.rejected) < MAX_REJECTED:
            *_, network, sender = incoming.subject.split("/")
            self.gathered.rejected.append(Rejected(sender=sender, network=network, why=why))

    def _believe(self, answer: Answer) -> None:
        targets = self.pending.request.targets
        if targets and answer.sender not in targets:
            self.gathered.unexpected.append(answer.sender)
        elif answer.sender in self._answered:
            self.gathered.duplicates += 1
        else:
            self._answered.add(answer.sender)
            self.gathered.answers[answer.sender] = answer
            self.on_answer(answer)

    def _stop_if_complete(self, scope: trio.CancelScope) -> None:
        """Everybody who was handed the request has answered, and we know how many that were."""
        if (
            self._receipt is not None
            and not self._receipt.partial
            and len(self._answered) >= self._receipt.handed
        ):
            scope.cancel()

    async def _fetch_held(self, scope: trio.CancelScope) -> None:
        while True:
            await self._held_more.wait()
            self._held_more = trio.Event()
            batch = list(self._held)[:FETCH_AT_ONCE]
            await self.fetch(batch)
            for identity in batch:
                self._take_again(self._held.pop(identity))
            self._stop_if_complete(scope)
            if self._held:
                self._held_more.set()

    def _take_again(self, incoming: Incoming) -> None:
        try:
            answer = judge(incoming, self.pending, self.book, self.now_ms(), trio.current_time())
        except ChoriaError as exc:
            self._reject(incoming, f"its certificate could not be had: {exc}")
        else:
            self._believe(answer)
