"""Saying no to one frame, and to a link that does nothing but ask. CWP-6.6."""

from __future__ import annotations

from choria.errors import Reason
from choria.wire import Error, clip_text

from .counters import Counters
from .member import Member
from .settings import BrokerSettings
from .verdicts import Verdict


class Refusals:
    """Answers refused frames with ERROR, in their order, and counts them by link.

    Args:
        settings: How many are borne.
        counters: The hub's.
    """

    def __init__(self, settings: BrokerSettings, counters: Counters) -> None:
        self._settings = settings
        self._counters = counters
        self._windows: dict[Member, tuple[float, int]] = {}  # of links that were refused something

    def __len__(self) -> int:
        return len(self._windows)

    def refuse(self, member: Member, verdict: Verdict, now: float) -> None:
        """Refuse the frame of ``member`` that is being handled."""
        reason, index, text = verdict
        self._counters.refused_frames[reason] += 1
        error = Error(reason=reason, frame=member.frames - 1, index=index, text=clip_text(text))
        member.send_control(error)
        since, count = self._windows.get(member, (now, 0))
        if now - since > self._settings.refusals_within_s:
            since, count = now, 0
        self._windows[member] = (since, count + 1)
        if count >= self._settings.refusals:
            member.peer.close(Reason.FLOOD, "too many refused frames")  # CWP-6.6-5

    def forget(self, member: Member) -> None:
        """``member`` is gone."""
        self._windows.pop(member, None)
