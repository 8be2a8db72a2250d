"""The error tree and the reason codes that travel.

Two tables live here because both ends, the specification and the command line must agree on them:
``Reason`` says why a link or a frame was refused (SPEC.md section 12), ``Refusal`` says why a node
did not do what a request asked (SPEC.md section 13). Everything else derives from ``ChoriaError``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Reason(enum.IntEnum):
    """Why a link ends (GOODBYE) or one frame is refused (ERROR). Numbers are never reused."""

    NORMAL = 0
    DRAINING = 1
    MALFORMED = 2
    FRAME_TOO_LARGE = 3
    UNKNOWN_FRAME = 4
    ILLEGAL_STATE = 5
    INVALID_FIELD = 6
    UNSUPPORTED_VERSION = 7
    UNSUPPORTED_CRITICAL = 8
    NOT_PERMITTED = 9
    LIMIT = 10
    PAYLOAD_TOO_LARGE = 11
    TIMEOUT = 12
    SLOW_CONSUMER = 13
    IDENTITY_REFUSED = 14
    DUPLICATE_IDENTITY = 15
    BUSY = 16
    WRONG_NETWORK = 17
    REVOKED = 18
    FLOOD = 19
    INTERNAL = 20


FRAME_REASONS = frozenset(
    {
        Reason.UNSUPPORTED_CRITICAL,
        Reason.NOT_PERMITTED,
        Reason.LIMIT,
        Reason.PAYLOAD_TOO_LARGE,
        Reason.BUSY,
    }
)
"""Reasons an ERROR frame may carry: one frame is refused and the link lives."""


class Refusal(enum.IntEnum):
    """Why a node answered without running the action. Numbers are never reused."""

    DENIED = 1
    EXPIRED = 2
    FROM_THE_FUTURE = 3
    NOT_ADDRESSED = 4
    NOT_MATCHED = 5
    BUSY = 6
    RESULT_TOO_LARGE = 7
    INVALID_INPUT = 8
    UNKNOWN_AGENT = 9
    UNKNOWN_ACTION = 10
    TIMED_OUT = 11
    FAILED = 12
    UNSUPPORTED = 13


class ChoriaError(Exception):
    """The root: everything that choria raises on purpose."""


class ProtocolError(ChoriaError):
    """Abstract. ``reason`` is what the GOODBYE or ERROR frame will carry."""

    def __init__(self, message: str, *, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class LocalProtocolError(ProtocolError):
    """A bug on this side: nothing was sent, no state has changed."""

    def __init__(self, message: str, *, reason: Reason = Reason.INTERNAL) -> None:
        super().__init__(message, reason=reason)


class RemoteProtocolError(ProtocolError):
    """The peer's fault: answer GOODBYE(reason), then close."""


class CodecError(ChoriaError):
    """Bytes that are not CBOR of our profile. ``code`` is stable, ``offset`` counts bytes."""

    def __init__(self, code: str, offset: int) -> None:
        super().__init__(f"{code} at byte {offset}")
        self.code = code
        self.offset = offset


class InvalidName(ChoriaError, ValueError):  # noqa: N818  # reads as what it is
    """A name, subject or pattern outside the grammar."""


class MessageError(ChoriaError):
    """An end-to-end message (request, reply, presence) of the wrong shape."""


class TrustError(ChoriaError):
    """A certificate, chain or signature that proves nothing. The text says why."""


class PolicyError(ChoriaError):
    """A policy file that cannot be read; the text names file and line."""


class FilterError(ChoriaError):
    """A filter that cannot be parsed; the text says where."""


class DDLError(ChoriaError):
    """A DDL that cannot be read, or an input that it refuses."""


class EnrolError(ChoriaError):
    """A machine did not get its certificate; the text says why and what to do."""


class LoginError(ChoriaError):
    """Nobody is logged in, or the login has ended; the text says why and what to do."""


class ConfigError(ChoriaError):
    """Configuration that cannot be used; the text names file, key and what to write instead."""


class UsageError(ChoriaError):
    """What was typed cannot work; nothing was sent. The text says why and what to write instead."""


class DiscoveryError(ChoriaError):
    """A discovery method could not say which nodes are meant; the text says why."""


class Interrupted(ChoriaError):  # noqa: N818  # a fact
    """The operator told us to stop before there was anything to account for."""


class RepliesOverflow(ChoriaError):  # noqa: N818  # a fact
    """A program reads replies more slowly than they come, and too many wait; the text says how many."""


class SpawnError(ChoriaError):
    """A program could not be started, or did more than it may; the text says why."""


class AgentError(ChoriaError):
    """What an action raises to fail with Choria's status code and a message.

    Attributes:
        statuscode: 1 aborted, 3 missing data, 4 invalid data, 5 unknown error (choria.md 1.2).
        data: what the caller gets beside the text.
    """

    def __init__(
        self, message: str, *, statuscode: int = 1, data: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.statuscode = statuscode
        self.data = dict(data or {})


class LinkLost(ChoriaError):  # noqa: N818  # a fact, as events are
    """A connection ended. ``reason`` when the peer said one."""

    def __init__(
        self, message: str, *, reason: Reason | None = None, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s


class FrameRefused(ChoriaError):  # noqa: N818  # a fact
    """The broker refused one frame of ours and kept the link: its ERROR's reason, index and text."""

    def __init__(self, message: str, *, reason: Reason, index: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.index = index


class BrokerUnreachable(ChoriaError):  # noqa: N818  # a fact
    """No broker could be reached in time; the text lists each one tried and why it failed."""


class BrokersRefuse(BrokerUnreachable):  # a fact
    """Every broker was reached and refused us, for a reason that waiting does not heal."""
