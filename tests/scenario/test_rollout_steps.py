"""Rollouts over the in-memory network: who was asked when it stops, whatever stops it."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from choria.client import (
    Call,
    Discovery,
    Exit,
    RolloutConfig,
    RolloutPlan,
    Scope,
    Stage,
    Why,
    discover,
    exit_of_call,
    exit_of_rollout,
    parse_amount,
    rollout_document,
)
from choria.client.methods import Method, Wanted, list_nodes
from choria.errors import ConfigError, Interrupted, UsageError
from choria.filters import Filter
from choria.programs.orders import Orders
from choria.programs.rollout import Rolling, roll_out
from choria.trust import Role
from tests.support.network import a_network
from tests.support.scripted_node import Said, honest, run_scripted, silent

SCOPE = Scope(network="alpha", collective="choria")
PING = Call(agent="rpcutil", action="ping")
STEP_S = 5.0


def _fails(said: Said):
    reply = said.reply(statuscode=1, statusmsg="no")
    return honest(said) if said.request.is_discovery else [said.signed(reply)]


def _hangs(said: Said):
    return honest(said) if said.request.is_discovery else silent(said)


class Watching:
    """An operator who says yes or no, and notes what is asked of her and when."""

    def __init__(self, *, agrees: bool = True, stop_at: int = 0) -> None:
        self.steps: list[tuple[float, Stage, int]] = []
        self.questions: list[str] = []
        self.stop = trio.Event()
        self._agrees = agrees
        self._stop_at = stop_at

    def step_begins(self, step) -> None:
        self.steps.append((trio.current_time(), step.stage, len(step.names)))
        if step.number == self._stop_at:
            self.stop.set()

    async def agrees(self, question: str) -> bool:
        self.questions.append(question)
        if self._stop_at < 0:
            self.stop.set()
            await trio.sleep_forever()
        return self._agrees


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def _plan(**typed) -> RolloutPlan:
    amounts = {key: parse_amount(typed.pop(key), "--x") for key in
               ("limit", "canary", "batch", "stop_after") if key in typed}  # fmt: skip
    ramp = tuple(parse_amount(each, "--ramp") for each in typed.pop("ramp", ()))
    return RolloutPlan(**amounts, ramp=ramp, **typed)


async def _roll(fleet, orders: Orders, watching: Watching, found: Discovery | None = None):
    """Ten nodes or so, one rollout; ``fleet`` maps names to scripts."""
    async with a_network() as network, network.caller() as caller, trio.open_nursery() as nursery:
        for name, script in fleet.items():
            member = network.member(Role.NODE, name)
            await nursery.start(partial(run_scripted, network, member, script))
        await wait_all_tasks_blocked()
        rolling = Rolling(
            what=PING,
            scope=SCOPE,
            found=found or await discover(caller, SCOPE, timeout_s=2),
            orders=orders,
            timeout_s=STEP_S,
            on_answer=lambda _: None,
            operator=watching,
        )
        try:
            return await roll_out(caller, rolling, watching.stop)
        finally:
            nursery.cancel_scope.cancel()


def _fleet(size: int = 10, **others):
    return {f"n{number:02}": honest for number in range(size)} | others


async def _stop_after(seconds: float, watching: Watching) -> None:
    await trio.sleep(seconds)
    watching.stop.set()


def _said_in(path: Path):
    """What the file of a state says, and that nobody else may read it."""
    assert path.stat().st_mode & 0o777 == 0o600
    return json.loads(path.read_text())


def _states_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*.json"))


async def test_one_step_is_a_call_like_any_other(autojump_clock: MockClock, state: Path) -> None:
    rolled = await _roll(_fleet(3), Orders(state=state), Watching())
    assert [answer.sender for answer in rolled.result.answers] == ["n00", "n01", "n02"]
    assert (rolled.stopped, rolled.not_asked) == (None, ())
    assert len(rolled.result.gathered.request_ids) == 1
    assert exit_of_rollout(rolled, exit_of_call(rolled.result)) is Exit.OK


async def test_batches_follow_each_other_after_their_pause(
    autojump_clock: MockClock, state: Path
) -> None:
    watching = Watching()
    rolled = await _roll(
        _fleet(10), Orders(plan=_plan(batch="4", sleep_s=30.0), state=state), watching
    )
    assert [count for _, _, count in watching.steps] == [4, 4, 2]
    times = [at for at, _, _ in watching.steps]
    assert [round(b - a) for a, b in pairwise(times)] == [30, 30]
    assert len(rolled.result.answers) == 10
    assert len(rolled.result.gathered.request_ids) == 3


async def test_a_batch_is_over_when_its_last_node_has_answered_not_at_the_time_out(
    autojump_clock: MockClock, state: Path
) -> None:
    watching = Watching()
    await _roll(_fleet(4), Orders(plan=_plan(batch="1", sleep_s=0), state=state), watching)
    assert watching.steps[-1][0] - watching.steps[0][0] < STEP_S


async def test_failures_stop_it_and_the_rest_is_never_asked(
    autojump_clock: MockClock, state: Path
) -> None:
    fleet = _fleet(10, n01=_fails, n03=_fails, n04=_fails)
    plan = _plan(batch="2", stop_after="20%", sleep_s=0)
    rolled = await _roll(fleet, Orders(plan=plan, state=state), Watching())
    assert rolled.stopped is not None
    assert rolled.stopped.why is Why.FAILURES
    assert rolled.result.expected == ("n00", "n01", "n02", "n03")
    assert rolled.not_asked == tuple(f"n{n:02}" for n in range(4, 10))
    assert exit_of_rollout(rolled, exit_of_call(rolled.result)) is Exit.FAILED


async def test_silence_is_a_failure_as_well(autojump_clock: MockClock, state: Path) -> None:
    fleet = _fleet(6, n00=_hangs)
    plan = _plan(batch="3", stop_after="1", sleep_s=0)
    rolled = await _roll(fleet, Orders(plan=plan, state=state), Watching())
    assert rolled.stopped is not None
    assert rolled.result.silent == ("n00",)
    assert len(rolled.not_asked) == 3


async def test_what_fails_in_the_last_step_stops_nothing(
    autojump_clock: MockClock, state: Path
) -> None:
    fleet = _fleet(4, n03=_fails)
    plan = _plan(batch="2", stop_after="1", sleep_s=0)
    rolled = await _roll(fleet, Orders(plan=plan, state=state), Watching())
    assert (rolled.stopped, rolled.not_asked) == (None, ())
    assert exit_of_rollout(rolled, exit_of_call(rolled.result)) is Exit.FAILED


@pytest.mark.parametrize("agrees", [True, False])
async def test_the_canary_goes_first_and_then_somebody_decides(
    autojump_clock: MockClock, state: Path, agrees: bool
) -> None:
    watching = Watching(agrees=agrees)
    orders = Orders(plan=_plan(canary="2", sleep_s=0), interactive=True, state=state)
    rolled = await _roll(_fleet(5), orders, watching)
    assert watching.steps[0][1:] == (Stage.CANARY, 2)
    assert watching.questions == ["2 of 2 nodes in the canary succeeded. Go on with the other 3?"]
    assert len(rolled.result.expected) == (5 if agrees else 2)
    assert (rolled.stopped is None) is agrees


CHECKS = [
    # condition, a node's script, goes on
    ("ok()", honest, True),
    ("ok()", _fails, False),
    ('data("pong") == 1', honest, True),
    ('data("pong") == 2', honest, False),
    ('data("missing") > 2', honest, False),
    ("ok()", _hangs, False),
]


@pytest.mark.parametrize(("expression", "script", "goes_on"), CHECKS)
async def test_a_condition_judges_the_canary_without_anybody(
    autojump_clock: MockClock, state: Path, expression, script, goes_on
) -> None:
    orders = Orders(plan=_plan(canary="1", canary_check=expression, sleep_s=0), state=state)
    rolled = await _roll(_fleet(3, n00=script), orders, Watching())
    assert (rolled.stopped is None) is goes_on
    assert len(rolled.not_asked) == (0 if goes_on else 2)


async def test_yes_goes_on_only_if_the_canary_succeeds(
    autojump_clock: MockClock, state: Path
) -> None:
    orders = Orders(plan=_plan(canary="1", sleep_s=0), yes=True, state=state)
    assert (await _roll(_fleet(3), orders, Watching())).stopped is None
    rolled = await _roll(_fleet(3, n00=_fails), orders, Watching())
    assert rolled.stopped is not None
    assert rolled.stopped.why is Why.CANARY


async def test_a_dry_run_sends_nothing_but_discovery(
    autojump_clock: MockClock, state: Path
) -> None:
    asked: list[str] = []

    def note(said: Said):
        asked.append(said.request.agent)
        return honest(said)

    orders = Orders(plan=_plan(batch="1"), dry_run=True, state=state)
    rolled = await _roll({"n00": note, "n01": note}, orders, Watching())
    assert set(asked) == {"discovery"}
    assert [step.names for step in rolled.prepared.steps] == [("n00",), ("n01",)]
    assert exit_of_rollout(rolled, exit_of_call(rolled.result)) is Exit.OK
    assert _states_in(state.parent) == []


async def test_many_nodes_want_a_yes_that_nobody_can_give(
    autojump_clock: MockClock, state: Path
) -> None:
    orders = Orders(config=RolloutConfig(confirm_above=2), state=state)
    with pytest.raises(BaseExceptionGroup) as caught:
        await _roll(_fleet(3), orders, Watching())
    assert caught.group_contains(UsageError, match="add --yes")


async def test_a_no_sends_nothing(autojump_clock: MockClock, state: Path) -> None:
    asked: list[str] = []

    def note(said: Said):
        asked.append(said.request.agent)
        return honest(said)

    config = RolloutConfig(high_impact=["rpcutil.*"])
    orders = Orders(config=config, interactive=True, state=state)
    with pytest.raises(BaseExceptionGroup) as caught:
        await _roll({"n00": note}, orders, Watching(agrees=False))
    assert caught.group_contains(Interrupted, match="nothing was sent")
    assert set(asked) == {"discovery"}


async def test_being_told_to_stop_at_the_question_sends_nothing(
    autojump_clock: MockClock, state: Path
) -> None:
    orders = Orders(config=RolloutConfig(confirm_above=0), interactive=True, state=state)
    with pytest.raises(BaseExceptionGroup) as caught:
        await _roll(_fleet(1), orders, Watching(stop_at=-1))
    assert caught.group_contains(Interrupted)


async def test_being_told_to_stop_while_waiting_names_who_was_not_waited_for(
    autojump_clock: MockClock, state: Path
) -> None:
    fleet = _fleet(6, n02=_hangs)
    watching = Watching(stop_at=2)
    rolled = await _roll(fleet, Orders(plan=_plan(batch="2", sleep_s=0), state=state), watching)
    assert rolled.stopped is not None
    assert rolled.stopped.why is Why.INTERRUPTED
    assert "n02" in rolled.unheard
    assert rolled.result.silent == ()
    assert rolled.not_asked == ("n04", "n05")
    assert exit_of_rollout(rolled, exit_of_call(rolled.result)) is Exit.INTERRUPTED


async def test_being_told_to_stop_in_a_pause_ends_the_pause(
    autojump_clock: MockClock, state: Path
) -> None:
    watching = Watching()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_after, 30, watching)
        plan = _plan(batch="1", sleep_s=3600.0)
        rolled = await _roll(_fleet(2), Orders(plan=plan, state=state), watching)
    assert trio.current_time() - began < 60
    assert rolled.not_asked == ("n01",)
    assert rolled.unheard == ()


async def test_being_told_to_stop_at_the_canary_s_question(
    autojump_clock: MockClock, state: Path
) -> None:
    orders = Orders(plan=_plan(canary="1", sleep_s=0), interactive=True, state=state)
    rolled = await _roll(_fleet(2), orders, Watching(stop_at=-1))
    assert rolled.stopped is not None
    assert rolled.stopped.why is Why.INTERRUPTED
    assert rolled.not_asked == ("n01",)


async def test_the_state_of_a_stopped_rollout_names_whom_to_go_on_with(
    autojump_clock: MockClock, state: Path
) -> None:
    fleet = _fleet(5, n00=_fails)
    plan = _plan(batch="2", stop_after="1", sleep_s=0)
    rolled = await _roll(fleet, Orders(plan=plan, state=state), Watching())
    document = _said_in(state)
    assert document["agent"] == "rpcutil"
    assert (document["done"], document["failed"]) == (["n01"], ["n00"])
    assert document == {"agent": "rpcutil", "action": "ping"} | rollout_document(rolled)
    again = await list_nodes(_flatfile(state))
    assert again.names == rolled.not_asked == ("n02", "n03", "n04")
    assert (await list_nodes(_flatfile(state, filter="failed"))).names == ("n00",)


async def test_a_process_that_is_killed_in_a_step_leaves_its_nodes_as_asked(
    autojump_clock: MockClock, state: Path
) -> None:
    seen: list[dict[str, object]] = []

    def look(said: Said):
        if not said.request.is_discovery:
            seen.append(_said_in(state))
        return honest(said)

    fleet = {"n00": look, "n01": look}
    await _roll(fleet, Orders(plan=_plan(batch="1", sleep_s=0), state=state), Watching())
    told = [(each["done"], each["unheard"], each["nodes"]) for each in seen]
    assert told == [([], ["n00"], ["n01"]), (["n00"], ["n01"], [])]


def _flatfile(path: Path, **options: str) -> Wanted:
    return Wanted(
        method=Method.FLATFILE,
        which=Filter(),
        collective="choria",
        timeout_s=1,
        options={"file": str(path), **options},
    )


async def test_a_state_that_cannot_be_kept_is_told_before_anybody_is_asked(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    asked: list[str] = []

    def note(said: Said):
        asked.append(said.request.agent)
        return honest(said)

    with pytest.raises(BaseExceptionGroup) as caught:
        await _roll({"n00": note}, Orders(state=tmp_path / "no" / "where"), Watching())
    assert caught.group_contains(ConfigError, match="cannot be written")
    assert set(asked) == {"discovery"}


async def test_a_rollout_in_steps_keeps_its_state_by_itself_until_it_is_finished(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    plan = _plan(batch="1", stop_after="1", sleep_s=0)
    await _roll(_fleet(2), Orders(plan=plan), Watching())
    assert _states_in(tmp_path) == []
    await _roll(_fleet(3, n00=_fails), Orders(plan=plan), Watching())
    (kept,) = _states_in(tmp_path)
    assert _said_in(kept)["nodes"] == ["n01", "n02"]


async def test_a_listed_node_that_is_not_there_is_gone_not_silent(
    autojump_clock: MockClock, state: Path
) -> None:
    found = Discovery(listed=("n00", "never"), method="flatfile", source="hosts.txt")
    rolled = await _roll(_fleet(1), Orders(state=state), Watching(), found)
    assert [answer.sender for answer in rolled.result.answers] == ["n00"]
    assert [(node.identity, node.why) for node in rolled.result.gone] == [
        ("never", "not connected")
    ]
    assert rolled.result.method == "flatfile"
