"""The replay guard: once, and never again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from choria.errors import TrustError
from choria.trust import (
    BeforeBoot,
    Expired,
    Fresh,
    Freshness,
    Future,
    GuardLimits,
    Principal,
    ReplayGuard,
    Role,
    Seen,
)
from choria.trust.guard_records import MAX_RECORD_BYTES, decode_record
from choria.wire import encode_cbor

RIP = Principal("alpha", Role.CLIENT, "rip", frozenset({"fleet"}))
ANN = Principal("alpha", Role.CLIENT, "ann")
T = 1_790_000_000_000
TTL = 60_000
ONE, TWO = bytes(32), b"\x01" * 32


def ident(number: int) -> bytes:
    return number.to_bytes(16, "big")


def enter(
    guard: ReplayGuard, number: int, *, who: Principal = RIP, digest: bytes = ONE, at: int = T
) -> Seen:
    return guard.enter(who, ident(number), digest, created_ms=at, ttl_ms=TTL, now_ms=at).seen


@pytest.mark.parametrize(
    ("created", "ttl", "verdict"),
    [
        (T, TTL, Fresh()),
        (T - TTL + 1, TTL, Fresh()),
        (T - TTL, TTL, Expired(0)),
        (T - TTL - 5, TTL, Expired(5)),
        (T + 60_000, TTL, Fresh()),
        (T + 60_001, TTL, Future(1)),
        (T, 0, Expired(0)),
        (T, -5, Expired(0)),
        (T - 299_999, 10**9, Fresh()),
        (T - 300_000, 10**9, Expired(0)),
        (0, TTL, Expired(T - TTL)),
        (1 << 63, TTL, Future((1 << 63) - T - 60_000)),
    ],
)
def test_freshness(created: int, ttl: int, verdict: Freshness) -> None:
    assert ReplayGuard().freshness(created, ttl, T) == verdict


def test_a_clock_set_back_makes_nothing_fresh() -> None:
    guard = ReplayGuard()
    assert guard.freshness(T, TTL, T + TTL) == Expired(0)
    assert guard.freshness(T, TTL, T) == Expired(0)
    assert guard.high_water_ms == T + TTL


def test_once_then_duplicate_then_conflict() -> None:
    guard = ReplayGuard()
    assert guard.check(RIP, ident(1), ONE) is Seen.NEW
    assert [enter(guard, 1), enter(guard, 1), enter(guard, 1, digest=TWO)] == [
        Seen.NEW,
        Seen.DUPLICATE,
        Seen.CONFLICT,
    ]
    assert [guard.check(RIP, ident(1), digest) for digest in (ONE, TWO)] == [
        Seen.DUPLICATE,
        Seen.CONFLICT,
    ]


def test_looking_enters_nothing() -> None:
    guard = ReplayGuard()
    for number in range(100):
        guard.check(RIP, ident(number), ONE)
    assert len(guard) == 0


def test_renewed_certificate_same_caller_other_principal_another() -> None:
    guard = ReplayGuard()
    enter(guard, 1)
    assert guard.check(replace(RIP, grants=frozenset()), ident(1), ONE) is Seen.DUPLICATE
    for other in (ANN, replace(RIP, network="beta"), replace(RIP, role=Role.SERVICE)):
        assert guard.check(other, ident(1), ONE) is Seen.NEW


def test_quota_of_one_caller_leaves_room_for_others() -> None:
    guard = ReplayGuard(GuardLimits(capacity=5, caller_quota=3))
    assert [enter(guard, n) for n in range(4)] == [Seen.NEW] * 3 + [Seen.BUSY]
    assert [enter(guard, n, who=ANN) for n in range(3)] == [Seen.NEW] * 2 + [Seen.BUSY]
    assert guard.check(RIP, ident(0), ONE) is Seen.DUPLICATE  # full, and nothing was forgotten
    assert enter(guard, 9, at=T + TTL) is Seen.NEW
    assert len(guard) == 1


def test_entries_leave_when_they_can_no_longer_be_fresh() -> None:
    guard = ReplayGuard()
    enter(guard, 1)
    assert guard.expire(T + TTL - 1) == 0
    assert guard.expire(T + TTL) == 1
    assert guard.expire(T + TTL) == 0


@pytest.mark.parametrize(
    ("request_id", "digest"), [(b"", ONE), (bytes(15), ONE), (bytes(17), ONE), (bytes(16), b"")]
)
def test_wrong_lengths(request_id: bytes, digest: bytes) -> None:
    with pytest.raises(TrustError, match="16 bytes"):
        ReplayGuard().enter(RIP, request_id, digest, created_ms=T, ttl_ms=TTL, now_ms=T)


def log_of(*numbers: int, boot_id: bytes = b"one") -> list[bytes]:
    guard = ReplayGuard(boot_id=boot_id)
    log = guard.export()
    for number in numbers:
        log.append(guard.enter(RIP, ident(number), ONE, created_ms=T, ttl_ms=TTL, now_ms=T).record)
    return log


def restored(
    log: list[bytes], *, boot_id: bytes = b"one", at: int = T, limits: GuardLimits | None = None
) -> ReplayGuard:
    guard = ReplayGuard(limits, boot_id=boot_id)
    guard.restore(log, booted_ms=T - 3_600_000 if boot_id == b"one" else at, now_ms=at)
    return guard


def test_restart_of_the_program() -> None:
    guard = restored(log_of(1, 2))
    assert [guard.check(RIP, ident(n), ONE) for n in (1, 2, 3)] == [
        Seen.DUPLICATE,
        Seen.DUPLICATE,
        Seen.NEW,
    ]
    assert guard.freshness(T, TTL, T) == Fresh()
    again = restored(guard.export())
    assert [again.check(RIP, ident(n), TWO) for n in (1, 2, 3)] == [
        Seen.CONFLICT,
        Seen.CONFLICT,
        Seen.NEW,
    ]


def test_restart_with_the_clock_set_back() -> None:
    guard = restored(log_of(1), at=T - 10_000_000)
    assert guard.high_water_ms == T
    assert guard.check(RIP, ident(1), ONE) is Seen.DUPLICATE


def test_a_new_boot_refuses_what_was_signed_before_it() -> None:
    guard = restored(log_of(1), boot_id=b"two", at=T + 10_000)
    assert guard.freshness(T + 10_000, TTL, T + 10_000) == BeforeBoot(60_001)
    assert guard.freshness(T + 70_000, TTL, T + 10_000) == BeforeBoot(1)
    assert guard.freshness(T + 70_001, TTL, T + 80_000) == Fresh()
    later = restored(guard.export(), boot_id=b"two", at=T + 20_000)
    assert later.floor_ms == guard.floor_ms == T + 70_001


def test_a_new_boot_with_the_clock_behind_the_log() -> None:
    guard = restored(log_of(1), boot_id=b"two", at=0)
    assert guard.floor_ms == T + 60_001


def test_a_node_without_a_past_refuses_nothing() -> None:
    guard = restored([], boot_id=b"two")
    assert (guard.floor_ms, guard.freshness(T, TTL, T)) == (0, Fresh())


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xff",
        b"\x80",
        encode_cbor([1]),
        encode_cbor([3, b""]),
        encode_cbor([2, "a", "b", "c", b"", b"", 1, 1]),
        encode_cbor([1, b"one", 1, 1, 1, "x"]),
        encode_cbor([True, b"one", 1, 1, 1, 1]),
        bytes(MAX_RECORD_BYTES + 1),
    ],
)
def test_a_damaged_log_refuses_what_was_signed_before_now(bad: bytes) -> None:
    guard = ReplayGuard(boot_id=b"one")
    assert guard.restore([*log_of(1), bad], booted_ms=0, now_ms=T) == 1
    assert isinstance(guard.freshness(T, TTL, T), BeforeBoot)
    assert guard.check(RIP, ident(1), ONE) is Seen.DUPLICATE


def test_a_log_without_its_beginning_is_not_trusted() -> None:
    assert restored(log_of(1)[1:]).floor_ms == T + 60_001


@pytest.mark.parametrize(
    ("limits", "refuses"),
    [
        (GuardLimits(max_ttl_ms=600_000), True),
        (GuardLimits(skew_ms=90_000), True),
        (GuardLimits(max_ttl_ms=1000), False),
        (GuardLimits(capacity=1), False),
    ],
)
def test_longer_freshness_than_before_is_not_given_to_what_was_forgotten(
    limits: GuardLimits, *, refuses: bool
) -> None:
    assert bool(restored(log_of(1), limits=limits).floor_ms) is refuses


def test_an_id_used_again_after_it_expired_is_kept_over_a_restart() -> None:
    guard = ReplayGuard(boot_id=b"one")
    log = guard.export()
    for at in (T, T + TTL):
        log.append(guard.enter(RIP, ident(1), ONE, created_ms=at, ttl_ms=TTL, now_ms=at).record)
    assert restored(log, at=T + TTL).check(RIP, ident(1), ONE) is Seen.DUPLICATE


def test_records_of_the_longest_names_fit() -> None:
    long = Principal("n" * 253, Role.SERVICE, "m" * 253)
    entered = ReplayGuard().enter(long, ident(1), ONE, created_ms=T, ttl_ms=TTL, now_ms=T)
    assert decode_record(entered.record)
    with pytest.raises(TrustError, match="boot id"):
        ReplayGuard(boot_id=bytes(65))


def test_a_log_that_says_it_twice_counts_once() -> None:
    log = log_of(1)
    guard = restored([*log, *log[1:]], limits=GuardLimits(capacity=2))
    assert (len(guard), enter(guard, 2), enter(guard, 3)) == (1, Seen.NEW, Seen.BUSY)
