"""The guard against a naive model, over restarts, reboots that lose records, and clocks set back."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from choria.trust import Fresh, GuardLimits, Principal, ReplayGuard, Role, Seen

CALLERS = [Principal("alpha", Role.CLIENT, "rip"), Principal("beta", Role.CLIENT, "rip")]
LIMITS = GuardLimits(capacity=12, caller_quota=8, max_ttl_ms=300, skew_ms=60)
Message = tuple[Principal, bytes, bytes, int, int]  # caller, id, hash, created, ttl

# Small sets around the limits, or most walks would miss the one millisecond that matters.
AGES = st.sampled_from([-61, -60, -59, 0, 1, 99])
TTLS = st.sampled_from([1, 100, 300, 400])
STEPS = st.sampled_from([1, 59, 60, 61, 98, 99, 100, 101, 299, 300])


class Guarded(RuleBasedStateMachine):
    """The world knows each message ever made, which ones ran, and the latest clock ever shown."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.latest = 10_000
        self.boots = 0
        self.guard = ReplayGuard(LIMITS, boot_id=b"0")
        self.log = self.guard.export()
        self.synced = len(self.log)
        self.messages: list[Message] = []
        self.ran: set[Message] = set()
        self.ids = 0

    @rule(who=st.sampled_from(CALLERS), age=AGES, ttl=TTLS)
    def ask(self, who: Principal, age: int, ttl: int) -> None:
        self.ids += 1
        message = (who, self.ids.to_bytes(16, "big"), bytes(32), self.now - age, ttl)
        self.messages.append(message)
        self.take(message)

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """Mostly what ran, and of late: that is what must not run again."""
        candidates = [m for m in self.messages if m in self.ran][-4:] or self.messages
        self.take(data.draw(st.sampled_from(candidates)))

    @rule()
    def replay_everything(self) -> None:
        for message in self.messages:
            self.take(message)

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def forge(self, data: st.DataObject) -> None:
        """Other bytes under an id in use: it never runs while the first one could."""
        who, ident, _, created, ttl = message = data.draw(st.sampled_from(self.messages))
        seen = self.guard.check(who, ident, b"\1" * 32)
        assert seen is not Seen.DUPLICATE
        if message in self.ran and self.is_fresh(created, ttl) and not self.boots:
            assert seen is Seen.CONFLICT

    def take(self, message: Message) -> None:
        who, ident, digest, created, ttl = message
        self.latest = max(self.latest, self.now)
        fresh = self.guard.freshness(created, ttl, self.now)
        if not isinstance(fresh, Fresh):
            return
        assert self.is_fresh(created, ttl)
        entered = self.guard.enter(
            who, ident, digest, created_ms=created, ttl_ms=ttl, now_ms=self.now
        )
        if entered.seen is Seen.NEW:
            assert message not in self.ran, "it ran twice"
            self.ran.add(message)
            self.log.append(entered.record)
        elif entered.seen is Seen.BUSY:
            assert self.held(who) >= LIMITS.caller_quota or self.held(None) >= LIMITS.capacity
        else:
            assert message in self.ran

    def is_fresh(self, created: int, ttl: int) -> bool:
        return created - 60 <= self.guard.high_water_ms < created + min(ttl, 300)

    def held(self, who: Principal | None) -> int:
        return sum(self.is_fresh(m[3], m[4]) and who in (None, m[0]) for m in self.ran)

    @rule(step=STEPS)
    def time_passes(self, step: int) -> None:
        self.now += step

    @rule(step=STEPS)
    def clock_is_set_back(self, step: int) -> None:
        self.now = max(self.now - step, 0)

    @rule()
    def program_restarts(self) -> None:
        self.start()

    @rule()
    def log_is_rewritten(self) -> None:
        self.log = self.guard.export()
        self.synced = len(self.log)

    @rule(lost=st.sampled_from([0, 1, 20]))
    def machine_crashes(self, lost: int) -> None:
        """The end of the log is lost; the clock comes back no earlier than it was."""
        del self.log[max(self.synced, len(self.log) - lost) :]
        self.now = max(self.now, self.latest)
        self.boots += 1
        self.start()

    def start(self) -> None:
        self.guard = ReplayGuard(LIMITS, boot_id=str(self.boots).encode())
        self.guard.restore(self.log, booted_ms=self.now, now_ms=self.now)
        self.log = self.guard.export()
        self.synced = len(self.log)

    @invariant()
    def bounded(self) -> None:
        assert len(self.guard) <= LIMITS.capacity


TestGuarded = Guarded.TestCase
TestGuarded.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
