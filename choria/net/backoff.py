"""How long to wait before the next try: full jitter, so that a fleet does not come back in step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from choria.errors import Reason

if TYPE_CHECKING:
    from random import Random  # noqa: TID251  # the type only

BACKOFF_CAP_S: Final = 20.0
RETRY_AFTER_CAP_S: Final = 600.0  # D11: no broker can send its members away for longer
NO_RETRY: Final = frozenset(
    {
        Reason.MALFORMED,
        Reason.FRAME_TOO_LARGE,
        Reason.UNKNOWN_FRAME,
        Reason.ILLEGAL_STATE,
        Reason.INVALID_FIELD,
        Reason.UNSUPPORTED_VERSION,
        Reason.UNSUPPORTED_CRITICAL,
        Reason.NOT_PERMITTED,
        Reason.LIMIT,
        Reason.IDENTITY_REFUSED,
        Reason.REVOKED,
    }
)
"""Asking again soon would change nothing (CWP-12-3): SPEC.md section 12, column *retry*."""
_BASE_S: Final = 1.0
_MAX_DOUBLINGS: Final = 16


class Backoff:
    """Waits between rounds of attempts. Full jitter: uniform in [0, min(cap, base * 2^n)].

    Equal or decorrelated jitter keeps a floor under each wait, and after a broker's restart the
    floor is where the whole fleet meets again; full jitter has none.
    """

    __slots__ = ("_cap_s", "_failures", "_rng")

    def __init__(self, rng: Random, *, cap_s: float = BACKOFF_CAP_S) -> None:
        self._rng = rng
        self._cap_s = cap_s
        self._failures = 0

    def next_delay_s(self) -> float:
        """The next wait in seconds; the range doubles with each call until ``reset``."""
        span_s = min(self._cap_s, _BASE_S * 2.0 ** min(self._failures, _MAX_DOUBLINGS))
        self._failures += 1
        return self._rng.uniform(0.0, span_s)

    def reset(self) -> None:
        """A broker welcomed us: start again with short waits."""
        self._failures = 0


def wait_after_s(reason: Reason, retry_after_ms: int, rng: Random) -> float:
    """How long a GOODBYE keeps us away: as asked, at most 10 minutes (D11).

    About ten minutes when the reason says that asking again is no use, with jitter, since a whole
    fleet may have been told the same.
    """
    asked_s = min(max(0, retry_after_ms) / 1000.0, RETRY_AFTER_CAP_S)
    if reason in NO_RETRY:
        return max(asked_s, RETRY_AFTER_CAP_S * rng.uniform(0.8, 1.0))
    return asked_s
