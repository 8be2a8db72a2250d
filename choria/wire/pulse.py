"""When a link must speak, and when silence is its end (CWP-10.1).

After an interval without a frame a PING goes out, after the next one a second, and after a third the
link is dead. Every whole frame starts this again, whatever it is: a busy link exchanges no PINGs,
and of two idle ends only the one whose interval is shorter sends them. While the owner reads nothing
from the peer, silence is not counted, or back-pressure would become a wave of reconnects (D5).
"""

from __future__ import annotations

from typing import Final

from choria.errors import Reason, RemoteProtocolError

from .limits import MAX_PINGS, Limits

_JITTER: Final = 0.1  # the largest part that is cut off an interval. CWP-10.1-3


class Pulse:
    """The timers of a `Link`. Its base and not a part of it: another object a link is 90 bytes.

    Attributes:
        limits: in force.
        reading: False while the owner reads nothing from the peer.
    """

    __slots__ = ("_deadline", "_misses", "_owed", "_part", "_pings", "limits", "reading")

    def __init__(self, limits: Limits, *, deadline: float, jitter: float) -> None:
        """Await the first frame until ``deadline``."""
        self.limits = limits
        self.reading = True
        self._deadline = deadline
        self._part = 1 - _JITTER * jitter  # of the interval that the limits say
        self._misses = 0
        self._pings: tuple[int, ...] = ()  # tokens of ours that wait for PONG
        self._owed: tuple[int, ...] = ()  # tokens of the peer that wait for our PONG

    def awaits(self, token: int) -> bool:
        """Whether a PING of ours with ``token`` waits for its PONG."""
        return token in self._pings

    def _heard(self, now: float) -> None:
        self._misses = 0
        self._deadline = now + self.limits.ping_interval_s * self._part

    def _is_silent(self) -> bool:
        return self.reading and self._misses >= self.limits.ping_misses

    def _beat(self, now: float) -> bool:
        """Note that an interval has passed without a frame; return whether a PING must go out."""
        self._misses = self._misses + 1 if self.reading else 0
        self._deadline = now + self.limits.ping_interval_s * self._part
        return len(self._pings) < MAX_PINGS

    def _owe(self, token: int) -> None:
        if len(self._owed) == MAX_PINGS:
            raise RemoteProtocolError("PING while two wait for PONG", reason=Reason.FLOOD)
        self._owed += (token,)

    def _settle(self, token: int) -> None:
        self._pings = tuple(other for other in self._pings if other != token)
