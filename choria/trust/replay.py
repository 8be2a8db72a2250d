"""The replay guard: a request runs at most once, over restarts and clocks set back.

Theory of operation. The key is (network, role, name, request id), never a hash of the message: ECDSA
signatures can be changed without the key and still verify, and the unprotected header is anybody's
(B3). The hash is kept beside it to tell a duplicate, which is normal (two relays, a move between
brokers), from other bytes under the same id, which is an attack (B1). A request is looked up early
(:meth:`ReplayGuard.check`) but entered only when it is about to run, after authorization, or anybody
with a certificate could fill the guard (B2); :meth:`ReplayGuard.enter` is also the atomic test, since
two copies may be judged at the same time. An entry leaves when the request can no longer be fresh,
and for no other reason: a full guard refuses, it does not forget.

Persistence. :meth:`enter` returns a record to append before the action runs, without fsync (an fsync
each would cap a node near 1,000 requests a second). The page cache survives the death of the
process; only a crash of the machine loses records, and :meth:`restore` sees that by the boot id and
then refuses everything that was signed before boot plus skew. Not covered is a crash that loses records
together with a clock that comes back earlier than it was: then the high-water mark is lost too.
"""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from choria.errors import TrustError

from .freshness import DEFAULT_MAX_TTL_MS, DEFAULT_SKEW_MS, Clock, Freshness
from .guard_records import (
    HASH_BYTES,
    MAX_BOOT_ID_BYTES,
    REQUEST_ID_BYTES,
    Caller,
    EntryRecord,
    StateRecord,
    caller_of,
    decode_record,
    encode_record,
)
from .principals import Principal

DEFAULT_CAPACITY: Final = 16_384  # entries of about 500 bytes
DEFAULT_CALLER_QUOTA: Final = 4_096


class Seen(enum.Enum):
    """What the guard knows about a request."""

    NEW = "new"
    DUPLICATE = "duplicate"  # the same bytes again: count it, do not answer (B1)
    CONFLICT = "conflict"  # other bytes under an id that was used: an attack, audit it
    BUSY = "busy"  # no room to remember it, so it must not run


class Entered(NamedTuple):
    """The outcome of :meth:`ReplayGuard.enter`; ``record`` is to be appended when ``seen`` is NEW."""

    seen: Seen
    record: bytes = b""


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """How much a guard remembers, and how long a request may stay fresh."""

    capacity: int = DEFAULT_CAPACITY
    caller_quota: int = DEFAULT_CALLER_QUOTA
    max_ttl_ms: int = DEFAULT_MAX_TTL_MS
    skew_ms: int = DEFAULT_SKEW_MS


_Key: TypeAlias = tuple[Caller, bytes]


class ReplayGuard:
    """Remembers each request that ran, for as long as it could run again. Pure: time is passed in."""

    __slots__ = ("_boot_id", "_by_expiry", "_clock", "_entries", "_held", "_limits")

    def __init__(self, limits: GuardLimits | None = None, *, boot_id: bytes = b"") -> None:
        self._limits = limits or GuardLimits()
        if len(boot_id) > MAX_BOOT_ID_BYTES:
            raise TrustError(
                f"a boot id of {len(boot_id)} bytes, at most {MAX_BOOT_ID_BYTES} are kept"
            )
        self._boot_id = boot_id
        self._clock = Clock(self._limits.max_ttl_ms, self._limits.skew_ms)
        self._entries: dict[_Key, tuple[bytes, int]] = {}  # -> message hash, expires_ms
        self._by_expiry: list[tuple[int, _Key]] = []
        self._held: dict[Caller, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def high_water_ms(self) -> int:
        """The latest wall clock ever seen; what is ahead of the clock now was set back since."""
        return self._clock.high_water_ms

    @property
    def skew_ms(self) -> int:
        """How far another clock may be ahead of ours."""
        return self._clock.skew_ms

    @property
    def floor_ms(self) -> int:
        """Whatever was signed before this is refused; 0 when nothing is."""
        return self._clock.floor_ms

    def freshness(self, created_ms: int, ttl_ms: int, now_ms: int) -> Freshness:
        """Whether a request may still, or already, run at ``now_ms``."""
        return self._clock.judge(created_ms, ttl_ms, now_ms)

    def check(self, principal: Principal, request_id: bytes, message_hash: bytes) -> Seen:
        """NEW, DUPLICATE or CONFLICT. Nothing is entered."""
        known = self._entries.get(_key(principal, request_id))
        if known is None:
            return Seen.NEW
        return Seen.DUPLICATE if known[0] == message_hash else Seen.CONFLICT

    def enter(
        self,
        principal: Principal,
        request_id: bytes,
        message_hash: bytes,
        *,
        created_ms: int,
        ttl_ms: int,
        now_ms: int,
    ) -> Entered:
        """Remember a request that is about to run: it may run iff the answer is NEW.

        Raises:
            TrustError: the id or the hash has a wrong length.
        """
        _check_lengths(request_id, message_hash)
        self.expire(now_ms)
        seen = self.check(principal, request_id, message_hash)
        if seen is not Seen.NEW:
            return Entered(seen)
        caller = caller_of(principal)
        if self._is_full(caller):
            return Entered(Seen.BUSY)
        expires_ms = self._clock.expires_ms(created_ms, ttl_ms)
        entry = EntryRecord(caller, request_id, message_hash, expires_ms, self.high_water_ms)
        self._insert(entry)
        return Entered(Seen.NEW, encode_record(entry))

    def expire(self, now_ms: int) -> int:
        """Forget what can no longer be fresh; how many entries that were."""
        high_water_ms = self._clock.see(now_ms)
        before = len(self._entries)
        while self._by_expiry and self._by_expiry[0][0] <= high_water_ms:
            _, key = heapq.heappop(self._by_expiry)
            del self._entries[key]
            self._release(key[0])
        return before - len(self._entries)

    def export(self) -> list[bytes]:
        """All records, to write a new log with; the first names boot, clock and settings."""
        state = StateRecord(
            self._boot_id,
            self.high_water_ms,
            self.floor_ms,
            self._limits.max_ttl_ms,
            self._limits.skew_ms,
        )
        entries = (
            EntryRecord(caller, request_id, digest, expires_ms, self.high_water_ms)
            for (caller, request_id), (digest, expires_ms) in self._entries.items()
        )
        return [encode_record(state), *map(encode_record, entries)]

    def restore(self, records: Iterable[bytes], *, booted_ms: int, now_ms: int) -> int:
        """Take up an earlier log: an export and what was appended to it. Call it once, before use.

        A damaged record never stops a node from starting: what it said is unknown, so everything
        signed before now plus skew is refused. The same holds when the settings keep requests fresh
        for longer than they did, because entries were forgotten under the old ones.

        Args:
            records: in the order of the log.
            booted_ms: the wall clock when this machine booted.
            now_ms: the wall clock.

        Returns:
            How many records were damaged.
        """
        damaged, state = 0, None
        for data in records:
            try:
                record = decode_record(data)
            except TrustError:
                damaged += 1
                continue
            self.expire(record.high_water_ms)  # an id may come again after its first use expired
            if isinstance(record, StateRecord):
                state = record
                self._clock.floor_ms = max(self.floor_ms, record.floor_ms)
            elif record.expires_ms > self.high_water_ms:
                self._insert(record)
        self._raise_floor(state, booted_ms=booted_ms, now_ms=now_ms, doubt=damaged > 0)
        self.expire(now_ms)
        return damaged

    def _raise_floor(
        self, state: StateRecord | None, *, booted_ms: int, now_ms: int, doubt: bool
    ) -> None:
        had_any = state is not None or bool(self._entries) or doubt
        if not had_any:
            return  # a node without a past has nothing to refuse
        trusted = state is not None and not doubt and _covers(state, self._limits)
        if trusted and state is not None and state.boot_id == self._boot_id:
            return
        until_ms = booted_ms if trusted else now_ms
        floor_ms = max(until_ms, self.high_water_ms) + self._limits.skew_ms + 1
        self._clock.floor_ms = max(self.floor_ms, floor_ms)

    def _insert(self, entry: EntryRecord) -> None:
        key = (entry.caller, entry.request_id)
        if key in self._entries:
            return  # the log says it twice: after an export that was written but not yet swapped in
        self._entries[key] = (entry.message_hash, entry.expires_ms)
        heapq.heappush(self._by_expiry, (entry.expires_ms, key))
        self._held[entry.caller] = self._held.get(entry.caller, 0) + 1

    def _release(self, caller: Caller) -> None:
        left = self._held[caller] - 1
        if left:
            self._held[caller] = left
        else:
            del self._held[caller]

    def _is_full(self, caller: Caller) -> bool:
        limits = self._limits
        return (
            len(self._entries) >= limits.capacity
            or self._held.get(caller, 0) >= limits.caller_quota
        )


def _key(principal: Principal, request_id: bytes) -> _Key:
    return caller_of(principal), request_id


def _covers(state: StateRecord, limits: GuardLimits) -> bool:
    return limits.max_ttl_ms <= state.max_ttl_ms and limits.skew_ms <= state.skew_ms


def _check_lengths(request_id: bytes, message_hash: bytes) -> None:
    if len(request_id) != REQUEST_ID_BYTES or len(message_hash) != HASH_BYTES:
        raise TrustError("a request id has 16 bytes and a message hash 32")
