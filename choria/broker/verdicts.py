"""Whether one frame is refused, and how that is said. CWP-6.6, CWP-6.9-7.

A refused frame has had no effect: everything is looked at before anything is done.
"""

from __future__ import annotations

from typing import NamedTuple

from choria.errors import Reason
from choria.wire import Publish, Subscribe, reply_of

from .member import Member
from .settings import BrokerSettings

BROKER_SUBJECTS = "sys/"
"""What the broker answers itself."""

_NO_REPLY = 0xF6


class Verdict(NamedTuple):
    """Why a frame is refused; the fields of its ERROR."""

    reason: Reason
    at: int | None  # which of its subjects or patterns
    text: str


def judge_publish(member: Member, frame: Publish, settings: BrokerSettings) -> Verdict | None:
    """Return why ``frame`` is refused, None if it is not."""
    if len(frame.subjects) == 1 and not frame.receipt_id and frame.tail[0] == _NO_REPLY:
        # Replies, and so nearly everything that ever comes: the subject is all there is to judge.
        subject = frame.subjects[0]
        if member.rights.publishing(subject) is not None:
            return None
        return _denied(member, 0, f"publish on {subject}")
    return _judge_in_full(member, frame, settings)


def _judge_in_full(member: Member, frame: Publish, settings: BrokerSettings) -> Verdict | None:
    publishing = member.rights.publishing
    receipts = True
    for index, subject in enumerate(frame.subjects):
        rule = publishing(subject)
        if rule is None:
            return _denied(member, index, f"publish on {subject}")
        receipts &= rule.receipt
    if frame.tail[0] != _NO_REPLY:
        reply = reply_of(frame.tail) or ""
        if not member.rights.may_ask_reply(reply):
            return _denied(member, None, f"ask for replies on {reply}")
    if len(frame.subjects) > 1:
        for index, subject in enumerate(frame.subjects):
            if subject.startswith(BROKER_SUBJECTS):
                return _denied(member, index, f"publish on {subject} and other subjects at once")
    if frame.receipt_id:
        return _judge_receipt(member, settings, allowed=receipts)
    return None


def judge_subscribe(member: Member, frame: Subscribe, most: int) -> Verdict | None:
    """Return why ``frame`` is refused, None if it is not. ``most``: subscriptions of a link."""
    for index, pattern in enumerate(frame.patterns):
        if not member.rights.may_subscribe(pattern, frame.group):
            where = "" if frame.group is None else f" in group {frame.group}"
            return _denied(member, index, f"subscribe {pattern}{where}")
    held = set(member.subscriptions)
    group = frame.group
    new = sum(p not in held if group is None else (p, group) not in held for p in frame.patterns)
    if len(held) + new > most:
        return Verdict(Reason.LIMIT, None, f"a link may hold {most} subscriptions")
    return None


def _judge_receipt(member: Member, settings: BrokerSettings, *, allowed: bool) -> Verdict | None:
    if not allowed:
        return _denied(member, None, "ask for a receipt here")
    if member.open_receipts >= settings.open_receipts:
        text = f"a link may await {settings.open_receipts} receipts at a time"
        return Verdict(Reason.LIMIT, None, text)
    return None


def _denied(member: Member, index: int | None, what: str) -> Verdict:
    text = f"{member.principal.role.value} {member.principal.name} may not {what}"
    return Verdict(Reason.NOT_PERMITTED, index, text)
