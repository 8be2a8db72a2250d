"""What the node remembers about callers: how fast they ask, and which requests it has refused."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeAlias

from choria.trust import Principal, Seen

_Key: TypeAlias = tuple[str, str, str]
MAX_CALLERS: Final = 1024


def caller_key(principal: Principal) -> _Key:
    """What stays of a principal when its certificate is renewed."""
    return principal.network, principal.role.value, principal.name


class CallerRates:
    """A token bucket for each caller. Time is monotonic seconds.

    Of more than ``MAX_CALLERS`` the one that asked longest ago is forgotten; its bucket has refilled
    or a thousand others, each with a certificate, asked since.
    """

    __slots__ = ("_buckets", "_burst", "_rate")

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._rate = rate_per_s
        self._burst = burst
        self._buckets: OrderedDict[_Key, tuple[float, float]] = OrderedDict()

    def take(self, principal: Principal, now: float) -> bool:
        """Whether the caller may have one more request now."""
        key = caller_key(principal)
        tokens, since = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - allowed, now)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        return allowed


class Refused:
    """Requests that were answered without running, so that each is answered once (B1).

    The replay guard knows only what ran (B2). This memory may forget, since a second refusal is a
    nuisance and not a second run: it is bounded, in memory, and drops the oldest.
    """

    __slots__ = ("_capacity", "_known")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: OrderedDict[tuple[_Key, bytes], bytes] = OrderedDict()

    def check(self, principal: Principal, request_id: bytes, message_hash: bytes) -> Seen:
        """NEW, DUPLICATE or CONFLICT, as the replay guard has them."""
        known = self._known.get((caller_key(principal), request_id))
        if known is None:
            return Seen.NEW
        return Seen.DUPLICATE if known == message_hash else Seen.CONFLICT

    def remember(self, principal: Principal, request_id: bytes, message_hash: bytes) -> None:
        """Note that this one is being refused."""
        self._known[caller_key(principal), request_id] = message_hash
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)
