"""All ways in which a request can end, and what follows from each, as one table.

A request that the node can authenticate, that is aimed at it and that it has not seen before is
always answered. The others are never answered: an answer to bytes that prove nothing could be aimed
at a victim, and one to a duplicate would let one captured frame call for answers again and again (B1).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from choria.errors import Refusal
from choria.policy import Outcome


class End(enum.Enum):
    """How the work on one request ended."""

    MALFORMED = enum.auto()  # size, shape, or no request inside a good signature
    UNTRUSTED = enum.auto()  # certificate or signature proves nothing
    RE_AIMED = enum.auto()  # signed for another network, collective, kind or node
    REFLECTED = enum.auto()  # its reply is aimed at somebody else's inbox
    EXPIRED = enum.auto()
    FUTURE = enum.auto()
    DUPLICATE = enum.auto()
    CONFLICT = enum.auto()  # an id that was used, with other bytes
    BUSY = enum.auto()  # rate or quota of the caller, room of the node
    UNCREDENTIALED = enum.auto()  # logged in, and without a credential that counts
    OUTSIDE_LIMITS = enum.auto()  # more than the credential allows
    DENIED = enum.auto()
    UNSUPPORTED = enum.auto()  # another version of the request, or a critical key
    NOT_MATCHED = enum.auto()
    UNKNOWN_AGENT = enum.auto()
    UNKNOWN_ACTION = enum.auto()
    BAD_INPUT = enum.auto()
    UNRECORDED = enum.auto()  # guard or audit cannot be written: fail closed
    SUCCEEDED = enum.auto()
    ABORTED = enum.auto()  # the action itself said no, with a status code of its own
    CRASHED = enum.auto()
    TIMED_OUT = enum.auto()
    TOO_LARGE = enum.auto()


class AnswerKind(enum.Enum):
    """Whether and how an end is told to the caller."""

    NONE = enum.auto()
    LINK = enum.auto()  # unsigned: the broker vouches for the sender
    SIGNED = enum.auto()


class AuditKind(enum.Enum):
    """Whether an end is written down."""

    ALWAYS = enum.auto()
    SPARING = enum.auto()  # strangers and duplicates must not fill the disk: some, and a count


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows from an end; ``counter`` is one of ``counters.NAMES``."""

    answer: AnswerKind
    refusal: Refusal | None
    counter: str
    audit: AuditKind
    outcome: Outcome


_NONE, _LINK, _SIGNED = AnswerKind
_ALWAYS, _SPARING = AuditKind

CONSEQUENCES: Final[Mapping[End, Consequence]] = {
    End.MALFORMED: Consequence(_NONE, None, "malformed", _SPARING, Outcome.MALFORMED),
    End.UNTRUSTED: Consequence(_NONE, None, "unvalidated", _SPARING, Outcome.UNTRUSTED),
    End.RE_AIMED: Consequence(
        _SIGNED, Refusal.NOT_ADDRESSED, "misaddressed", _SPARING, Outcome.RE_AIMED
    ),
    End.REFLECTED: Consequence(_NONE, None, "misdirected", _SPARING, Outcome.REFLECTED),
    End.EXPIRED: Consequence(_SIGNED, Refusal.EXPIRED, "ttlexpired", _SPARING, Outcome.EXPIRED),
    End.FUTURE: Consequence(
        _SIGNED, Refusal.FROM_THE_FUTURE, "ttlexpired", _SPARING, Outcome.FROM_THE_FUTURE
    ),
    End.DUPLICATE: Consequence(_NONE, None, "duplicates", _SPARING, Outcome.DUPLICATE),
    End.CONFLICT: Consequence(_NONE, None, "conflicts", _ALWAYS, Outcome.REPLAY),
    End.BUSY: Consequence(_SIGNED, Refusal.BUSY, "busy", _SPARING, Outcome.BUSY),
    End.DENIED: Consequence(_SIGNED, Refusal.DENIED, "denied", _ALWAYS, Outcome.DENIED),
    End.UNCREDENTIALED: Consequence(
        _SIGNED, Refusal.DENIED, "denied", _ALWAYS, Outcome.UNCREDENTIALED
    ),
    End.OUTSIDE_LIMITS: Consequence(
        _SIGNED, Refusal.DENIED, "denied", _ALWAYS, Outcome.OUTSIDE_LIMITS
    ),
    End.UNSUPPORTED: Consequence(
        _SIGNED, Refusal.UNSUPPORTED, "invalid", _ALWAYS, Outcome.UNSUPPORTED
    ),
    End.NOT_MATCHED: Consequence(
        _LINK, Refusal.NOT_MATCHED, "filtered", _ALWAYS, Outcome.NOT_MATCHED
    ),
    End.UNKNOWN_AGENT: Consequence(
        _SIGNED, Refusal.UNKNOWN_AGENT, "unknown", _ALWAYS, Outcome.UNKNOWN_AGENT
    ),
    End.UNKNOWN_ACTION: Consequence(
        _SIGNED, Refusal.UNKNOWN_ACTION, "unknown", _ALWAYS, Outcome.UNKNOWN_ACTION
    ),
    End.BAD_INPUT: Consequence(
        _SIGNED, Refusal.INVALID_INPUT, "invalid", _ALWAYS, Outcome.BAD_INPUT
    ),
    End.UNRECORDED: Consequence(_SIGNED, Refusal.FAILED, "unaudited", _ALWAYS, Outcome.UNRECORDED),
    End.SUCCEEDED: Consequence(_SIGNED, None, "succeeded", _ALWAYS, Outcome.SUCCEEDED),
    End.ABORTED: Consequence(_SIGNED, None, "failed", _ALWAYS, Outcome.FAILED),
    End.CRASHED: Consequence(_SIGNED, Refusal.FAILED, "failed", _ALWAYS, Outcome.FAILED),
    End.TIMED_OUT: Consequence(_SIGNED, Refusal.TIMED_OUT, "timedout", _ALWAYS, Outcome.TIMED_OUT),
    End.TOO_LARGE: Consequence(
        _SIGNED, Refusal.RESULT_TOO_LARGE, "oversized", _ALWAYS, Outcome.RESULT_TOO_LARGE
    ),
}
"""Success is signed too, unless the call asks little: see `reply.is_link_grade`."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the work on a request stops: the end, and the sentence that caller or audit gets."""

    end: End
    text: str
