"""Rounds over all links: who was revoked or has expired goes; who listens hears of newer trust.

A round is done in slices, like a fan-out: 50,000 links are 50 ms of looking, and some seconds of
GOODBYE if all must go. It is begun when trust has changed and when the first certificate ends, never
for a message: the way of a message knows nothing of this (F5).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from choria.errors import Reason
from choria.messages import trust_subject
from choria.trust import ends_ms
from choria.wire import deliver_bytes, tail_of

from .counters import Counters
from .jobs import write_all
from .member import Member
from .routing import Interest
from .shelf import Shelf, TrustOffer

Inspect = Callable[[bytes, int], str]
"""Why a link of this pass must end at this time, empty if it may live: ``Issuers.inspect``."""

LOOKED_AT: Final = 1024  # links in one tick
TOLD: Final = 256
LOOK_AGAIN_S: Final = 60.0
"""The wall clock may be set: what it says is due is looked for at least so often."""


class Rounds:
    """Keeps links to what trust says.

    Args:
        network: Whose.
        members: All links, as the hub has them.
        interest: Who listens to news.
        shelf: What there is to tell.
        now_ms: The wall clock.
        counters: The hub's.
        retire: Takes a link out of the routing before it is closed.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # the hub's own parts, put together once
        self,
        network: str,
        members: Collection[Member],
        interest: Interest[Member],
        shelf: Shelf,
        now_ms: Callable[[], int],
        counters: Counters,
        retire: Callable[[Member], None],
    ) -> None:
        self._subject = trust_subject(network)
        self._members = members
        self._interest = interest
        self._shelf = shelf
        self._now_ms = now_ms
        self._counters = counters
        self._retire = retire
        self._inspect: Inspect | None = None
        self._unseen: deque[Member] = deque()
        self._untold: deque[Member] = deque()
        self._news = b""
        self._first_end_ms: float = math.inf

    @property
    def busy(self) -> bool:
        """Whether a round is under way."""
        return bool(self._unseen or self._untold)

    def judge_by(self, inspect: Inspect) -> None:
        """Say what links are judged by, from now on."""
        self._inspect = inspect
        self.begin()

    def begin(self) -> None:
        """Trust has changed: look at every link again, in the ticks that follow."""
        self._first_end_ms = math.inf
        self._unseen = deque(self._members)

    def offer(self, offer: TrustOffer) -> None:
        """There is another trust object: tell who listens, and look at every link."""
        if self._shelf.offer is not None and self._shelf.offer.mark == offer.mark:
            return
        self._shelf.offer = offer
        receivers, _ = self._interest.match(self._subject)
        payload = self._shelf.news(len(receivers))
        if payload is not None:
            self._news = deliver_bytes(self._subject, tail_of(payload))
            self._untold = deque(receivers)
        self.begin()

    def arrived(self, member: Member) -> None:
        """A link was welcomed; it was judged at its login."""
        if member.peer.link_pass:
            self._first_end_ms = min(self._first_end_ms, ends_ms(member.peer.link_pass))

    def tick(self, now: float) -> float | None:
        """Do a slice. Returns when to come back."""
        now_ms = self._now_ms()
        if not self._unseen and now_ms > self._first_end_ms:
            self.begin()
        self._look(now_ms)
        self._tell()
        if self.busy:
            return now
        if self._first_end_ms == math.inf:
            return None
        left_s = (self._first_end_ms - now_ms) / 1000 + 0.001
        return now + min(LOOK_AGAIN_S, max(0.0, left_s))

    def _look(self, now_ms: int) -> None:
        for _ in range(min(LOOKED_AT, len(self._unseen))):
            member = self._unseen.popleft()
            link_pass = member.peer.link_pass
            if not (member.live and link_pass):
                continue
            why = self._inspect(link_pass, now_ms) if self._inspect is not None else ""
            if why:
                self._send_away(member, why)
            else:
                self._first_end_ms = min(self._first_end_ms, ends_ms(link_pass))

    def _send_away(self, member: Member, why: str) -> None:
        self._counters.revoked += 1
        self._retire(member)  # nothing more is taken from it, nor delivered (CWP-20.4-2)
        who = f"{member.principal.role} {member.principal.name}"
        member.peer.close(Reason.REVOKED, f"certificate of {who} {why}")

    def _tell(self) -> None:
        told = [self._untold.popleft() for _ in range(min(TOLD, len(self._untold)))]
        if told:
            write_all(self._news, tuple(told), self._counters)
