"""What the broker answers itself: questions about presence. The table lets nobody ask else."""

from __future__ import annotations

from functools import partial

from choria.errors import InvalidName, MessageError, Reason
from choria.messages import PresenceQuery, decode_query, encode_page, reply_subject
from choria.wire import Publish, reply_of, split_tail, tail_of

from .delivery import Delivery
from .member import Member
from .presence import Presence
from .verdicts import Verdict


class Desk:
    """Takes queries that were permitted, and answers them in turn with the fan-outs.

    Args:
        network: Whose broker we are, and
        broker: its name: the last two tokens of our answers' subject.
        presence: What is asked about.
        delivery: Carries the answers.
    """

    def __init__(self, network: str, broker: str, presence: Presence, delivery: Delivery) -> None:
        self._network = network
        self._broker = broker
        self._presence = presence
        self._delivery = delivery

    def take(self, member: Member, frame: Publish) -> Verdict | None:
        """Answer ``frame`` when its turn comes. Returns why it is refused, None if it is not."""
        collective = frame.subjects[0].rpartition("/")[2]
        prefix = reply_of(frame.tail)
        if prefix is None:
            return Verdict(Reason.NOT_PERMITTED, None, "a query needs a reply subject")
        try:
            subject = reply_subject(prefix, self._network, self._broker)
            query = decode_query(split_tail(frame.tail).payload)
        except (MessageError, InvalidName) as exc:
            return Verdict(Reason.NOT_PERMITTED, None, f"no query: {exc}")  # CWP-13.8-9
        if frame.receipt_id:
            self._delivery.receipt_now(member, frame.receipt_id, 1, [])
        self._delivery.run_later(member, partial(self._answer, collective, query, subject))
        return None

    def _answer(self, collective: str, query: PresenceQuery, subject: str) -> None:
        page = encode_page(self._presence.page(collective, query))
        self._delivery.emit(subject, tail_of(page))
