"""The audit log: one JSON line for each decision, each tied to the line before by a hash.

Field names are Choria's (``timestamp``, ``request_id``, ``request_time``, ``caller``, ``sender``,
``agent``, ``action``, ``data``), so that what reads its log reads ours, and ours follow. A line ends
in ``"previous":"<hash of the line before>","hash":"<SHA-256 of this line's bytes before ,"hash">"}``.

What the chain proves: from the first line to the last nothing was changed, removed, put in or
moved by somebody who did not also rewrite every later line. There is no key in it, so whoever may
write the file can rewrite its tail; keep the newest hash elsewhere (``expected_last``) to notice.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import re
from typing import Any, Final

import msgspec

GENESIS: Final = "0" * 64
"""What the first line of a log follows."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ENDING: Final = re.compile(rb',"previous":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}')
ENDING_BYTES: Final = len(b',"previous":"","hash":""}') + 128


class Decision(enum.StrEnum):
    """What the node made of a request; each outcome belongs to one of these."""

    ALLOWED = "allowed"
    DENIED = "denied"  # by policy, or by what the caller's credential allows
    REFUSED = "refused"  # before or beside policy: it proved nothing, came late, made no sense
    NONE = ""  # the line is about the log itself


class Outcome(enum.StrEnum):
    """What became of a request. The words stand in logs and never change their meaning."""

    ALLOWED = "allowed"  # it may run, and begins; its end has a line of its own
    SUCCEEDED = "succeeded"
    DENIED = "denied"
    MALFORMED = "malformed"
    UNTRUSTED = "untrusted"
    REVOKED = "revoked"
    RE_AIMED = "re-aimed"  # signed for another network, collective, kind or target
    REFLECTED = "reflected"  # its reply is aimed at an inbox that is not the signer's
    EXPIRED = "expired"
    FROM_THE_FUTURE = "from-the-future"
    DUPLICATE = "duplicate"  # the same bytes once more: normal after a reconnect
    REPLAY = "replay"  # the same id with other bytes: an attack
    BUSY = "busy"
    NOT_MATCHED = "not-matched"
    UNKNOWN_AGENT = "unknown-agent"
    UNKNOWN_ACTION = "unknown-action"
    BAD_INPUT = "bad-input"
    UNSUPPORTED = "unsupported"
    RESULT_TOO_LARGE = "result-too-large"
    TIMED_OUT = "timed-out"
    FAILED = "failed"
    UNRECORDED = "unrecorded"  # not run, because that could not be written down
    GAP = "gap"  # what was decided before this line could not be written
    UNCREDENTIALED = "uncredentialed"  # logged in, and without a credential that counts
    OUTSIDE_LIMITS = "outside-limits"  # more than the credential allows


_DECISIONS: Final = dict.fromkeys(Outcome, Decision.REFUSED) | {
    Outcome.ALLOWED: Decision.ALLOWED,
    Outcome.SUCCEEDED: Decision.ALLOWED,
    Outcome.RESULT_TOO_LARGE: Decision.ALLOWED,
    Outcome.TIMED_OUT: Decision.ALLOWED,
    Outcome.FAILED: Decision.ALLOWED,
    Outcome.DENIED: Decision.DENIED,
    Outcome.UNCREDENTIALED: Decision.DENIED,
    Outcome.OUTSIDE_LIMITS: Decision.DENIED,
    Outcome.GAP: Decision.NONE,
}


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. What is not known yet when a request is refused stays empty.

    ``caller`` is the caller id as policy saw it, ``sender`` the proved name of the principal,
    ``rule`` the policy line as ``file:line``, ``grade`` how the answer was authenticated, ``data``
    the inputs, ``duration_ms`` how long the action ran, None for what did not run or only begins.
    For a caller who logged in ``via`` is the login service, ``credential`` its id and ``limits``
    what it allows. ``request_time`` is in seconds, as in Choria; ``time_ms`` is when it was decided.
    """

    time_ms: int
    outcome: Outcome
    reason: str = ""
    request_id: str = ""
    request_time: int = 0
    caller: str = ""
    network: str = ""
    sender: str = ""
    agent: str = ""
    action: str = ""
    data: Any = None
    rule: str = ""
    grade: str = ""
    duration_ms: int | None = None
    via: str = ""
    credential: str = ""
    limits: tuple[str, ...] = ()

    @property
    def decision(self) -> Decision:
        """What the outcome means: allowed, denied or refused."""
        return _DECISIONS[self.outcome]

    @property
    def timestamp_utc(self) -> str:
        """``time_ms`` in Choria's form, ``2006-01-02T15:04:05.000000+0000``."""
        moment = _EPOCH + dt.timedelta(milliseconds=self.time_ms)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%f%z")


def chain(previous_hash: str, record: AuditRecord) -> tuple[bytes, str]:
    """Return the line to append, with its LF, and the hash that the next line follows."""
    fields = {
        "timestamp": record.timestamp_utc,
        "decision": record.decision.value,
        **msgspec.structs.asdict(record),
    }
    del fields["time_ms"]
    if not record.via:  # nobody logged in: a line is as it always was
        del fields["via"], fields["credential"], fields["limits"]
    body = (
        msgspec.json.encode(fields, enc_hook=str)[:-1]
        + b',"previous":"%s"' % previous_hash.encode()
    )
    digest = hashlib.sha256(body).hexdigest()
    return body + b',"hash":"%s"}\n' % digest.encode(), digest


def hash_of_line(line: bytes) -> str | None:
    """The hash that a line claims; None if it is no whole line. To go on after a restart."""
    ending = ENDING.fullmatch(line.rstrip(b"\n")[-ENDING_BYTES:])
    return ending[2].decode() if ending else None
