"""Signed requests out, believable answers in: the one way a client speaks to nodes.

``Caller.gather`` sends one request, or a directed call's several chunks, and collects until every
addressed node has answered or the time is over. When it is complete is exact: a receipt says how many
nodes a broadcast was handed to, and which targets of a directed call had nobody listening. Receipt and
answers may come in any order. Distinct verified senders are counted, never messages (C2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import trio

from choria.messages import (
    CERTIFICATE_AGENT,
    GET_ACTION,
    MAX_TARGETS,
    Grade,
    Kind,
    Request,
    agent_subject,
    encode_request,
    federation_subject,
    node_subject,
    reply_prefix,
    request_hash,
)
from choria.net import Session
from choria.trust import Signer

from .answers import Answer, Pending, ReplyBook
from .certificates import offered
from .exchange import Exchange
from .gathered import Gathered
from .proving import OffLoop, Prover, in_threads

CERTIFICATES_ASKED_UP_TO = 200
"""Up to so many targets, replies carry their certificate; beyond, missing ones are fetched (C5)."""
FETCH_TIMEOUT_S = 10.0
PROVE_WITHIN_S = 30.0
"""After the time-out, for the signatures of answers that came before it: 64 MiB of them, RSA and new."""


def _nothing(answer: Answer) -> None:
    """For who does not care for answers as they come."""


@attrs.frozen(kw_only=True)
class Ask:
    """What is asked of whom.

    Attributes:
        targets: Identities. Empty means nobody; only None means everybody who hosts ``agent`` and
            matches ``filter``, so that a list that came out empty can never reach the whole fleet.
    """

    agent: str
    action: str
    network: str
    collective: str
    ttl_ms: int
    inputs: dict[str, Any] = attrs.field(factory=dict)
    filter: dict[int, list[Any]] = attrs.field(factory=dict)
    targets: tuple[str, ...] | None
    grade: Grade = Grade.SIGNED


@attrs.define(kw_only=True, eq=False)
class Caller:
    """A connected principal that signs requests and verifies answers.

    ``now_ms`` is the wall clock, ``new_id`` yields 16 random bytes, ``off_loop`` runs what proves
    signatures.
    """

    session: Session
    signer: Signer
    book: ReplyBook
    now_ms: Callable[[], int]
    new_id: Callable[[], bytes]
    off_loop: OffLoop = attrs.field(factory=in_threads)

    async def gather(
        self,
        ask: Ask,
        *,
        timeout_s: float,
        on_answer: Callable[[Answer], None] = _nothing,
        into: Gathered | None = None,
    ) -> Gathered:
        """Send ``ask``; return when all who were asked have answered, or after ``timeout_s``.

        ``on_answer`` sees each answer as it comes. Cancelling stops waiting; what was sent is sent,
        and what came is in ``into``, which several asks may share.
        """
        started = trio.current_time()
        gathered = Gathered() if into is None else into
        prover = Prover(self.book, self.off_loop, self.now_ms)
        exchanges = [
            self._exchange(each, prover, gathered, on_answer) for each in self._requests(ask)
        ]
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(prover.run)
                with trio.move_on_after(timeout_s):
                    await _run_all(exchanges)
                prover.close()
                nursery.cancel_scope.deadline = trio.current_time() + PROVE_WITHIN_S
        finally:
            for exchange in exchanges:
                exchange.give_up()
        gathered.elapsed_s = trio.current_time() - started
        return gathered

    async def send(self, ask: Ask, on_sent: Callable[[Request], None]) -> Gathered:
        """Send ``ask`` and wait for the receipts only. Nodes answer, and nobody hears them.

        ``on_sent`` sees each signed chunk as it leaves. Cancelling stops between chunks.
        """
        gathered = Gathered()
        for request in self._requests(ask):
            gathered.request_ids.append(request.id)
            message = self.signer.sign_request(encode_request(request))
            on_sent(request)
            prefix = self.prefix(request.collective, request.id)
            receipt = await self.session.publish_for_receipt(
                self._subjects(request), message, reply=prefix
            )
            gathered.note_receipt(request.targets, receipt)
        return gathered

    def prefix(self, collective: str, request_id: bytes) -> str:
        """The reply prefix of one request of ours."""
        session = self.session
        return reply_prefix(
            collective, session.network, session.inbox, session.session_hex, request_id.hex()
        )

    def _requests(self, ask: Ask) -> list[Request]:
        targets = ask.targets
        if targets is None:
            return [self._request(ask, ())]
        chunks = [targets[i : i + MAX_TARGETS] for i in range(0, len(targets), MAX_TARGETS)]
        return [self._request(ask, chunk) for chunk in chunks]

    def _request(self, ask: Ask, targets: tuple[str, ...]) -> Request:
        return Request(
            id=self.new_id(),
            network=ask.network,
            collective=ask.collective,
            kind=Kind.DIRECTED if targets else Kind.BROADCAST,
            targets=targets,
            agent=ask.agent,
            action=ask.action,
            inputs=ask.inputs,
            filter=ask.filter,
            created_ms=self.now_ms(),
            ttl_ms=ask.ttl_ms,
            grade=ask.grade,
            max_reply_bytes=0,
            want_certificate=0 < len(ask.targets or ()) <= CERTIFICATES_ASKED_UP_TO,
        )

    def _exchange(
        self,
        request: Request,
        prover: Prover,
        gathered: Gathered,
        on_answer: Callable[[Answer], None],
    ) -> Exchange:
        message = self.signer.sign_request(encode_request(request))
        gathered.request_ids.append(request.id)
        return Exchange(
            session=self.session,
            book=self.book,
            prover=prover,
            now_ms=self.now_ms,
            message=message,
            pending=Pending(
                request=request,
                message_hash=request_hash(message),
                prefix=self.prefix(request.collective, request.id),
                own_network=self.session.network,
                sent_at_s=trio.current_time(),
            ),
            subjects=self._subjects(request),
            gathered=gathered,
            on_answer=on_answer,
            fetch=partial(self._fetch_certificates, request),
        )

    def _subjects(self, request: Request) -> tuple[str, ...]:
        """Where ``request`` is published: through a relay when its network is not ours."""
        plain = (
            tuple(node_subject(request.collective, target) for target in request.targets)
            if request.targets
            else (agent_subject(request.collective, request.agent),)
        )
        if request.network == self.session.network:
            return plain
        return tuple(federation_subject(request.network, subject) for subject in plain)

    async def _fetch_certificates(
        self, request: Request, wanted: Mapping[str, bytes], on_kept: Callable[[str], None]
    ) -> None:
        """Ask nodes for the certificates of ``wanted``, hashes by identity; say whose are here.

        The answer needs no signature: a reply names its signer's certificate by hash (CWP-13).
        """
        ask = Ask(
            agent=CERTIFICATE_AGENT,
            action=GET_ACTION,
            network=request.network,
            collective=request.collective,
            ttl_ms=request.ttl_ms,
            targets=tuple(wanted),
            grade=Grade.LINK,
        )

        def keep(answer: Answer) -> None:
            if self.book.certificates.keep_one(offered(answer.data), wanted[answer.sender]):
                on_kept(answer.sender)

        await self.gather(ask, timeout_s=FETCH_TIMEOUT_S, on_answer=keep)


async def _run_all(exchanges: Sequence[Exchange]) -> None:
    async with trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(exchange.run)
