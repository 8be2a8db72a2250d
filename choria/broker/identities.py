"""One link per node identity: the newest wins, unless two machines fight over the name (D9).

Two machines with one name would otherwise throw each other out for ever, and each request would
reach whichever was last. So a takeover by another start of the program counts, and after three
within a minute the older link stays and newcomers are told to come back in ten minutes.

The same boot token means the same running program: a planned move, or a link whose end we have not
noticed yet. It never counts; the older link has what the newer one does not subscribe, and drains.

Clients, services and relays may hold any number of links.
"""

from __future__ import annotations

import enum
from collections import Counter, deque

from .member import Member


class Claim(enum.Enum):
    """What becomes of a newcomer, and of the link that held the name."""

    FREE = enum.auto()  # nobody held it
    MOVED = enum.auto()  # the same program: the older one drains
    TAKEN_OVER = enum.auto()  # another one: the older one goes
    REFUSED = enum.auto()  # the older one stays


class Identities:
    """Node identities and the link that speaks for each.

    Args:
        takeovers: How many takeovers ...
        within_s: ... within so many seconds turn the rule round.
    """

    def __init__(self, *, takeovers: int, within_s: float) -> None:
        self._holders: dict[str, Member] = {}
        self._recent: deque[tuple[float, str]] = deque()  # takeovers of all names, oldest first
        self._counts: Counter[str] = Counter()
        self._most = takeovers
        self._within_s = within_s

    def __len__(self) -> int:
        return len(self._holders)

    def holder(self, identity: str) -> Member | None:
        """The link that gets what is directed to ``identity``."""
        return self._holders.get(identity)

    def judge(self, identity: str, boot: bytes, now: float) -> Claim:
        """Say what a newcomer's claim amounts to. Nothing changes but the count of takeovers."""
        holder = self._holders.get(identity)
        if holder is None:
            return Claim.FREE
        if holder.boot == boot:
            return Claim.MOVED
        self._forget_old(now)
        if self._counts[identity] >= self._most:
            return Claim.REFUSED
        self._recent.append((now, identity))
        self._counts[identity] += 1
        return Claim.TAKEN_OVER

    def hold(self, member: Member) -> None:
        """Let ``member`` speak for its name from now on."""
        self._holders[member.principal.name] = member

    def release(self, member: Member) -> bool:
        """``member`` is gone. True if nobody else speaks for its name."""
        name = member.principal.name
        if self._holders.get(name) is not member:
            return False
        del self._holders[name]
        return True

    def _forget_old(self, now: float) -> None:
        # One queue for all names: after a power cut a whole fleet takes over from dead links.
        while self._recent and self._recent[0][0] <= now - self._within_s:
            _, identity = self._recent.popleft()
            self._counts[identity] -= 1
            if not self._counts[identity]:
                del self._counts[identity]
