"""The order of the steps: with any two things wrong, the earlier one decides."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from choria.messages import Kind, Request, encode_request, reply_prefix
from choria.node import MemoryLog, make_snapshot
from choria.node.case import Arrival, Bench, Case
from choria.node.judge import STEPS, judge
from choria.node.memory import CallerRates, Refused
from choria.node.outcomes import End
from choria.policy import Circumstances, PolicySet
from choria.trust import CallLimits, Credential, GuardLimits, Principal, Role, VerifiedRequest
from tests.support.node_world import an_agent

NOW_MS = 1_800_000_000_000
RIP = Principal("alpha", Role.CLIENT, "rip", frozenset({"fleet"}))
HASH = b"h" * 32


def a_credential(*allowed: str, begins_s: int = -60, ends_s: int = 60) -> Credential:
    return Credential(
        issuer="aaa", name="up.rip", network="alpha", issued_s=NOW_MS // 1000 + begins_s,
        ends_s=NOW_MS // 1000 + ends_s, id=bytes(16), point=bytes(64),
        limits=CallLimits(allowed=allowed),
    )  # fmt: skip


class FullDisk(MemoryLog):
    def append(self, record: bytes) -> None:
        raise OSError(28, "No space left on device")


async def say(inputs: dict[str, Any], context: Any) -> dict[str, Any]:
    raise AssertionError("the judge runs nothing")


@dataclass
class Setup:
    """A request that passes, until something is broken."""

    request: dict[str, Any] = field(
        default_factory=lambda: {
            "id": b"i" * 16,
            "network": "alpha",
            "collective": "choria",
            "kind": Kind.BROADCAST,
            "targets": (),
            "agent": "demo",
            "action": "say",
            "inputs": {},
            "filter": {},
            "created_ms": NOW_MS,
            "ttl_ms": 60_000,
            "grade": 2,
            "want_certificate": False,
            "max_reply_bytes": 0,
        }
    )
    reply_to: Principal = RIP
    policy: str = "allow\t*\t*\t*\t*\n"
    burst: int = 5
    room: bool = True
    log: MemoryLog = field(default_factory=MemoryLog)
    seen: bool = False
    hash: bytes = HASH
    credential: Credential | None = None
    fault: str = ""

    def judge(self) -> End | None:
        request = Request(**self.request)
        if self.seen:
            self.log.guard.enter(
                RIP, request.id, HASH, created_ms=NOW_MS, ttl_ms=60_000, now_ms=NOW_MS
            )
        prefix = reply_prefix(
            request.collective, RIP.network, self.reply_to.inbox, "a" * 32, request.token
        )
        arrival = Arrival("choria/agent/" + request.agent, prefix, b"")
        case = Case(arrival, NOW_MS, 0.0, make_snapshot({}, collected_ms=NOW_MS))
        verified = VerifiedRequest(
            RIP, encode_request(request), self.hash, self.credential, self.fault
        )
        stop = judge(self.bench(), case, verified)
        assert (stop is None) == case.entered or stop is not None
        assert (stop is None) <= (case.authorized is not None)
        return stop.end if stop else None

    def bench(self) -> Bench:
        policies = PolicySet({"default.policy": self.policy})
        return Bench(
            identity="web1",
            network="alpha",
            collectives=frozenset({"choria"}),
            agents={"demo": an_agent(say=say)},
            policies=lambda: policies,
            requests=self.log,
            rates=CallerRates(1.0, self.burst),
            refused=Refused(10),
            has_room=lambda _agent, _size: self.room,
        )


def re_aim(setup: Setup) -> None:
    setup.request["network"] = "london"


def reflect(setup: Setup) -> None:
    setup.reply_to = Principal("alpha", Role.CLIENT, "victim")


def age(setup: Setup) -> None:
    setup.request["created_ms"] = NOW_MS - 100_000


def repeat(setup: Setup) -> None:
    setup.seen = True


def hurry(setup: Setup) -> None:
    setup.burst = 0


def strip(setup: Setup) -> None:
    setup.fault = "none came"


def exceed(setup: Setup) -> None:
    setup.credential = a_credential("demo.whisper")


def deny(setup: Setup) -> None:
    setup.policy = "policy default deny\n"


def mismatch(setup: Setup) -> None:
    setup.request["filter"] = {1: ["db1"]}


def misspell(setup: Setup) -> None:
    setup.request["action"] = "shout"


def crowd(setup: Setup) -> None:
    setup.room = False


def fill_disk(setup: Setup) -> None:
    guard = setup.log.guard
    setup.log = FullDisk()
    setup.log.guard = guard


DEFECTS: list[tuple[Callable[[Setup], None], End]] = [
    (re_aim, End.RE_AIMED),
    (reflect, End.REFLECTED),
    (age, End.EXPIRED),
    (repeat, End.DUPLICATE),
    (hurry, End.BUSY),
    (strip, End.UNCREDENTIALED),
    (exceed, End.OUTSIDE_LIMITS),
    (deny, End.DENIED),
    (mismatch, End.NOT_MATCHED),
    (misspell, End.UNKNOWN_ACTION),
    (crowd, End.BUSY),
    (fill_disk, End.UNRECORDED),
]


def test_there_is_a_defect_for_each_step() -> None:
    assert len(DEFECTS) == len(STEPS)
    assert Setup().judge() is None


@pytest.mark.parametrize(("defect", "end"), DEFECTS)
def test_each_step_stops(defect: Callable[[Setup], None], end: End) -> None:
    setup = Setup()
    defect(setup)
    assert setup.judge() is end


@pytest.mark.parametrize(
    ("earlier", "later"),
    list(itertools.combinations(DEFECTS, 2)),
    ids=lambda defect: defect[0].__name__,
)
def test_the_earlier_step_decides(
    earlier: tuple[Callable[[Setup], None], End], later: tuple[Callable[[Setup], None], End]
) -> None:
    setup = Setup()
    later[0](setup)
    earlier[0](setup)
    assert setup.judge() is earlier[1]


def test_a_refused_request_does_not_fill_the_guard() -> None:
    for defect, _ in DEFECTS[:-1]:
        setup = Setup()
        defect(setup)
        setup.judge()
        assert len(setup.log.guard) == setup.seen


def test_a_full_guard_is_busy_and_runs_nothing() -> None:
    setup = Setup(log=MemoryLog(GuardLimits(caller_quota=1)))
    assert setup.judge() is None
    setup.request["id"] = b"j" * 16
    assert setup.judge() is End.BUSY


def test_the_same_id_for_other_bytes() -> None:
    setup = Setup()
    assert setup.judge() is None
    setup.hash = b"x" * 32
    assert setup.judge() is End.CONFLICT


class Listening(PolicySet):
    """Keeps what it was asked with."""

    circumstances: list[Circumstances]

    def decide(self, *call: Any) -> Any:
        self.circumstances.append(call[5])
        return super().decide(*call)


def test_an_engine_hears_of_the_circumstances() -> None:
    setup = Setup()
    setup.request["inputs"] = {"package": "zsh"}
    policies = Listening({"default.policy": setup.policy})
    policies.circumstances = []
    bench = dataclasses.replace(setup.bench(), policies=lambda: policies)
    setup.bench = lambda: bench  # type: ignore[method-assign]
    assert setup.judge() is End.BAD_INPUT  # the agent knows no such input; policy comes before
    assert policies.circumstances == [
        Circumstances(
            collective="choria",
            inputs={"package": "zsh"},
            created_s=NOW_MS // 1000,
            ttl_s=60,
            agents=("demo",),
        )
    ]


@pytest.mark.parametrize(
    ("credential", "end"),
    [
        (a_credential("demo.say"), None),
        (a_credential("demo.*"), None),
        (a_credential("*"), None),
        (a_credential(), End.OUTSIDE_LIMITS),
        (a_credential("demo.sa"), End.OUTSIDE_LIMITS),
        (a_credential("dem.*", "say.demo"), End.OUTSIDE_LIMITS),
        (a_credential("*", ends_s=0), End.UNCREDENTIALED),
        (a_credential("*", ends_s=1), None),
        (a_credential("*", begins_s=60), None),  # within the skew
        (a_credential("*", begins_s=61), End.UNCREDENTIALED),
    ],
)
def test_credentials_hold_for_a_time_and_for_some_actions(
    credential: Credential, end: End | None
) -> None:
    # CWP-21.5-4, CWP-21.6-2
    assert Setup(credential=credential).judge() is end


def test_a_clock_set_back_does_not_wake_a_credential() -> None:
    setup = Setup(credential=a_credential("*"))
    setup.log.guard.freshness(NOW_MS, 60_000, NOW_MS + 61_000)
    setup.request["ttl_ms"] = 300_000
    assert setup.judge() is End.UNCREDENTIALED


def test_limits_allow_nothing_that_policy_denies() -> None:
    # CWP-21.6-1
    setup = Setup(credential=a_credential("*"), policy="policy default deny\n")
    assert setup.judge() is End.DENIED
