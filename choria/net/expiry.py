"""When our own certificate ends, when it should be renewed, and what is said before it is too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from choria.trust import parse_certificate

if TYPE_CHECKING:
    from random import Random  # noqa: TID251  # the type only

_DAY_MS: Final = 86_400_000
RENEW_AFTER: Final = 2 / 3  # of its life, CWP-18.7-1
_SPREAD: Final = (
    1 / 10
)  # of its life: a fleet that was enrolled in an hour does not come back in one
WARN_AFTER: Final = 4 / 5


@dataclass(frozen=True, slots=True)
class Life:
    """From when to when a certificate holds, milliseconds since the epoch."""

    begins_ms: int
    ends_ms: int

    def renew_at_ms(self, rng: Random) -> int:
        """When to ask for the next one: after two thirds of its life, spread over a tenth of it."""
        return self._after(RENEW_AFTER + _SPREAD * rng.random())

    def warning(self, now_ms: int) -> str:
        """What to say of a certificate that ends soon; empty while there is time."""
        if now_ms < self._after(WARN_AFTER):
            return ""
        when = datetime.fromtimestamp(self.ends_ms // 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        if now_ms > self.ends_ms:
            return f"ended on {when}"
        return f"ends on {when}, {_left(self.ends_ms - now_ms)} from now"

    def _after(self, part: float) -> int:
        return self.begins_ms + int((self.ends_ms - self.begins_ms) * part)


def life_of(certificate_der: bytes) -> Life:
    """The life of a certificate. Raises TrustError."""
    certificate = parse_certificate(certificate_der)
    return Life(
        begins_ms=int(certificate.not_valid_before_utc.timestamp()) * 1000,
        ends_ms=int(certificate.not_valid_after_utc.timestamp()) * 1000,
    )


def _left(left_ms: int) -> str:
    if left_ms >= 2 * _DAY_MS:
        return f"{left_ms // _DAY_MS} days"
    minutes = left_ms // 60_000
    return f"{minutes // 60} hours" if minutes >= 120 else f"{minutes} minutes"
