"""What the broker answers itself: questions about presence, and for trust objects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from choria.errors import InvalidName, MessageError, Reason
from choria.messages import (
    TRUST_SUBJECTS,
    PresenceQuery,
    TrustQuery,
    decode_query,
    decode_trust_query,
    encode_page,
    encode_trust_page,
    reply_subject,
)
from choria.wire import Publish, reply_of, split_tail, tail_of

from .delivery import Delivery
from .member import Member
from .presence import Presence
from .shelf import Shelf
from .verdicts import Verdict


class Desk:
    """Takes queries that were permitted, and answers them in turn with the fan-outs.

    Args:
        network: Whose broker we are, and
        broker: its name: the last two tokens of our answers' subject.
        presence: What is asked about.
        delivery: Carries the answers.
        shelf: The trust object that members fetch.
    """

    def __init__(
        self, network: str, broker: str, presence: Presence, delivery: Delivery, shelf: Shelf
    ) -> None:
        self._network = network
        self._broker = broker
        self._presence = presence
        self._shelf = shelf
        self._delivery = delivery

    def take(self, member: Member, frame: Publish) -> Verdict | None:
        """Answer ``frame`` when its turn comes. Returns why it is refused, None if it is not."""
        prefix = reply_of(frame.tail)
        if prefix is None:
            return Verdict(Reason.NOT_PERMITTED, None, "a query needs a reply subject")
        try:
            subject = reply_subject(prefix, self._network, self._broker)
            answer = self._answer_to(frame.subjects[0], split_tail(frame.tail).payload)
        except (MessageError, InvalidName) as exc:
            return Verdict(Reason.NOT_PERMITTED, None, f"no query: {exc}")  # CWP-13.8-9
        if frame.receipt_id:
            self._delivery.receipt_now(member, frame.receipt_id, 1, [])
        self._delivery.run_later(member, partial(self._emit, subject, answer))
        return None

    def _answer_to(self, subject: str, payload: bytes) -> Callable[[], bytes]:
        """What makes the page when the turn has come. Raises MessageError: it is no query."""
        if subject.startswith(TRUST_SUBJECTS):
            return partial(self._trust_page, decode_trust_query(payload))
        return partial(self._presence_page, subject.rpartition("/")[2], decode_query(payload))

    def _presence_page(self, collective: str, query: PresenceQuery) -> bytes:
        return encode_page(self._presence.page(collective, query))

    def _trust_page(self, query: TrustQuery) -> bytes:
        return encode_trust_page(self._shelf.page(query))

    def _emit(self, subject: str, answer: Callable[[], bytes]) -> None:
        self._delivery.emit(subject, tail_of(answer()))
