"""A real replay guard and its log, driven by the traces of the model of at-most-once."""

from __future__ import annotations

from typing import Any

from choria.trust import (
    BeforeBoot,
    Expired,
    Fresh,
    Future,
    GuardLimits,
    Principal,
    ReplayGuard,
    Role,
    Seen,
)
from tests.support.traces import Step

CALLER = Principal("alpha", Role.CLIENT, "rip")
UNIT_MS = 1000
START_MS = 1_000_000


class Node:
    """A real guard, its log as a list of records, and the clock of the model."""

    def __init__(self, capacity: int, start_ms: int = START_MS) -> None:
        self._start_ms = start_ms
        self.limits = GuardLimits(
            capacity=capacity, caller_quota=capacity, max_ttl_ms=2 * UNIT_MS, skew_ms=UNIT_MS
        )
        self.now = 0
        self.boots = 0
        self.guard = ReplayGuard(self.limits, boot_id=b"0")
        self.guard.expire(self.to_ms(0))
        self.disk = self.guard.export()
        self.tail: list[bytes] = []

    def to_ms(self, time: int) -> int:
        return self._start_ms + UNIT_MS * time

    def do(self, step: Step) -> None:
        if step["name"] == "take":
            assert self.take(step["id"], step["enc"], step["created"]) == step["out"]
        else:
            self.act(step)
        self.compare(step["shows"])

    def act(self, step: Step) -> None:
        """Everything but taking a request."""
        match step["name"]:
            case "clock":
                self.now = step["now"]
            case "compact":
                self.disk, self.tail = self.guard.export(), []
            case "restart":
                self.start(self.guard.export())
            case "kill":
                self.start(self.disk + self.tail)
            case "crash":
                self.now = step["now"]
                self.boots += 1
                self.start(self.disk + self.tail[: step["kept"]])
            case name:
                assert name == "sign"

    def take(self, number: int, encoding: int, created: int) -> str:
        """Steps 7, 8 and 13 of CWP-13.6-1."""
        ident, digest = number.to_bytes(16, "big"), encoding.to_bytes(32, "big")
        created_ms, ttl_ms, now_ms = self.to_ms(created), 2 * UNIT_MS, self.to_ms(self.now)
        match self.guard.freshness(created_ms, ttl_ms, now_ms):
            case Expired() | BeforeBoot():
                return "expired"
            case Future():
                return "future"
            case Fresh():
                pass
        seen = self.guard.check(CALLER, ident, digest)
        if seen is Seen.NEW:
            times = {"created_ms": created_ms, "ttl_ms": ttl_ms, "now_ms": now_ms}
            entered = self.guard.enter(CALLER, ident, digest, **times)
            seen = entered.seen
            if seen is Seen.NEW:
                self.tail.append(entered.record)
                return "run"
        return seen.value

    def start(self, log: list[bytes]) -> None:
        self.guard = ReplayGuard(self.limits, boot_id=str(self.boots).encode())
        now_ms = self.to_ms(self.now)
        assert self.guard.restore(log, booted_ms=now_ms, now_ms=now_ms) == 0
        self.disk, self.tail = self.guard.export(), []

    def compare(self, shows: dict[str, Any]) -> None:
        assert self.guard.high_water_ms == self.to_ms(shows["high"])
        assert len(self.guard) == shows["held"]
        if shows["floor"]:  # the first millisecond beyond is as good as the model's next unit
            assert self.guard.floor_ms == self.to_ms(shows["floor"] - 1) + 1
        else:
            assert self.guard.floor_ms == 0
