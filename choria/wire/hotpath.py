"""PUBLISH, DELIVER and tails as they nearly always look, each read with one regular expression.

A broker reads one PUBLISH per message and a client one DELIVER per answer, and the general way
(scan, decode, check each field, encode the tail) takes ten times as long. The plain shape, which is
one subject, at most a receipt id, no headers and no unknown fields, is recognised here in one pass
in C. Whatever is not exactly that goes the general way, and a property test shows that both agree
on every input (CWP-6.9, CWP-6.10).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from .frames import Deliver, Publish
from .subjects import MAX_SUBJECT_BYTES, SUBJECT_GRAMMAR

# Atomic, so that no crafted subject makes the expression try twice.
_TEXT: Final = rb"([\x61-\x77]|\x78[\x18-\xff]|\x79[\x01-\x04].)((?>%b))" % SUBJECT_GRAMMAR.encode()
_RECEIPT: Final = (
    rb"[\x01-\x17]|\x18[\x18-\xff]|\x19[\x01-\xff]."
    rb"|\x1a(?!\0\0).{4}|\x1b(?!\0\0\0\0).{8}"
)
_PAYLOAD: Final = rb"[\x40-\x57]|\x58[\x18-\xff]|\x59[\x01-\xff].|\x5a(?!\0\0).{4}"
_TAIL: Final = rb"(\xf6|%b)\xa0(%b)" % (_TEXT, _PAYLOAD)

_PUBLISH: Final = re.compile(
    rb"\x86\x09\x81%b(?:\xa0|\xa1\x01(%b))%b" % (_TEXT, _RECEIPT, _TAIL), re.DOTALL
)
# Of that the commonest: an answer, 24 to 255 bytes of subject, 256 bytes to 64 KiB of payload.
_ANSWER: Final = re.compile(
    rb"\x86\x09\x81\x78[\x18-\xff]((?>%b))\xa0\xf6\xa0\x59[\x01-\xff]." % SUBJECT_GRAMMAR.encode(),
    re.DOTALL,
)
_DELIVER_START: Final = b"\x85\x0a"
_SUBJECT: Final = re.compile(SUBJECT_GRAMMAR.encode())
_PLAIN_TAIL: Final = re.compile(_TAIL, re.DOTALL)


def parse_publish(body: bytes) -> Publish | None:
    """Return the frame if ``body`` is a PUBLISH of the plain shape, else None: decode it in full."""
    answer = _ANSWER.match(body)
    if answer is not None:
        start, end = answer.span(1)
        tail = body[end + 1 :]
        if body[4] == end - start and (tail[3] << 8 | tail[4]) == len(tail) - 5:
            return Publish(subjects=(body[start:end].decode(),), tail=tail)
    return _parse_any_publish(body)


def _parse_any_publish(body: bytes) -> Publish | None:
    found = _PUBLISH.match(body)
    if found is None:
        return None
    subject_head, subject, receipt, *tail = found.groups()
    if _length(subject_head) != len(subject) or len(subject) > MAX_SUBJECT_BYTES:
        return None
    if not _fits(tail, len(body) - found.end()):
        return None
    return Publish(
        subjects=(subject.decode(),),
        receipt_id=0 if receipt is None else _argument(receipt),
        tail=body[found.start(4) :],
    )


def parse_deliver(body: bytes) -> Deliver | None:
    """Return the frame if ``body`` is a DELIVER of the plain shape, else None: decode it in full."""
    if not body.startswith(_DELIVER_START) or len(body) < 6:
        return None
    # Cut by its length before it is matched: the head of the reply looks like one letter more.
    size = body[2]
    at, end = (3, size - 0x5D) if 0x60 < size < 0x78 else (4, 4 + body[3])
    if (at == 4 and (size != 0x78 or end < 28)) or _SUBJECT.fullmatch(body, at, end) is None:
        return None
    found = _PLAIN_TAIL.match(body, end)
    if found is None or not _fits(found.groups(), len(body) - found.end()):
        return None
    return Deliver(subject=body[at:end].decode(), tail=body[end:])


def parse_tail(tail: bytes) -> tuple[str | None, int] | None:
    """Return the reply of a tail of the plain shape, and where its payload begins; else None."""
    found = _PLAIN_TAIL.match(tail)
    if found is None or not _fits(found.groups(), len(tail) - found.end()):
        return None
    reply = found[3]
    return None if reply is None else reply.decode(), found.end()


def _fits(tail: Sequence[Any], payload_bytes: int) -> bool:
    """Say whether the lengths in the heads are those of what followed them."""
    _, reply_head, reply, payload_head = tail
    if reply and (_length(reply_head) != len(reply) or len(reply) > MAX_SUBJECT_BYTES):
        return False
    return _length(payload_head) == payload_bytes


def _length(head: bytes) -> int:
    return head[0] & 31 if len(head) == 1 else int.from_bytes(head[1:], "big")


def _argument(item: bytes) -> int:
    return item[0] if len(item) == 1 else int.from_bytes(item[1:], "big")
