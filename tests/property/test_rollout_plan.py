"""Any fleet, any limits, marks, batches and thresholds: nobody twice, nobody too early, nobody too many."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from choria.client import Amount, Order, RolloutPlan, Stage, parse_amount, prepare
from choria.errors import UsageError

COUNTS = st.integers(1, 60).map(str)
SHARES = st.sampled_from(["0.5%", "1%", "5%", "10%", "33.3%", "50%", "99%", "100%"])
AMOUNTS = st.one_of(COUNTS, SHARES).map(lambda text: parse_amount(text, "--x"))
FLEETS = st.integers(0, 120).map(lambda size: [f"n{number:03}" for number in range(size)])


def _plans() -> st.SearchStrategy[RolloutPlan]:
    maybe = st.one_of(st.none(), AMOUNTS)
    return st.builds(
        RolloutPlan,
        limit=maybe,
        order=st.sampled_from(Order),
        canary=maybe,
        ramp=st.lists(AMOUNTS, max_size=5).map(tuple),
        batch=maybe,
        stop_after=maybe,
    )


def _shuffled(names):
    return random.Random(1).sample(names, len(names))


def _prepared(fleet, plan):
    try:
        return prepare(fleet, plan, _shuffled)
    except UsageError:
        assert plan.limit is not None
        assert plan.limit.floor_of(len(fleet)) == 0
        return None


@given(FLEETS, _plans())
def test_each_node_is_in_one_step_and_none_is_lost(fleet, plan):
    prepared = _prepared(fleet, plan)
    if prepared is not None:
        asked = [name for step in prepared.steps for name in step.names]
        assert tuple(asked) == prepared.names
        assert sorted([*asked, *prepared.left_out]) == fleet
        assert all(step.names for step in prepared.steps)
        assert [step.number for step in prepared.steps] == list(range(1, len(prepared.steps) + 1))
        assert {step.of for step in prepared.steps} <= {len(prepared.steps)}


@given(FLEETS, _plans())
def test_the_limit_is_never_exceeded_nor_missed(fleet, plan):
    prepared = _prepared(fleet, plan)
    if prepared is not None and plan.limit is not None:
        wanted = (
            plan.limit.count if plan.limit.share is None else int(plan.limit.share * len(fleet))
        )
        assert len(prepared.names) == min(wanted, len(fleet))


@given(FLEETS, _plans())
def test_stages_come_in_order_and_marks_are_not_passed(fleet, plan):
    prepared = _prepared(fleet, plan)
    if prepared is None:
        return
    order = [Stage.CANARY, Stage.RAMP, Stage.REST]
    stages = [order.index(step.stage) for step in prepared.steps]
    assert stages == sorted(stages)
    total, done = len(prepared.names), 0
    for step in prepared.steps:
        done += len(step.names)
        if step.stage is Stage.CANARY:
            assert step.number == 1
            assert done == min(plan.canary.step_of(total), total)
        elif plan.batch is not None:
            assert len(step.names) <= plan.batch.step_of(total)
        if step.stage is Stage.RAMP:
            assert done <= max(mark.step_of(total) for mark in plan.ramp)


@given(FLEETS, _plans())
def test_a_ramp_stops_at_each_of_its_marks(fleet, plan):
    """Whatever else is asked for, after a mark there is a step's end: somewhere to stop."""
    prepared = _prepared(fleet, plan)
    if prepared is None:
        return
    ends, done = {0}, 0
    for step in prepared.steps:
        done += len(step.names)
        ends.add(done)
    highest = 0 if plan.canary is None else min(plan.canary.step_of(done), done)
    for mark in plan.ramp:
        reached = min(mark.step_of(done), done)
        if reached > highest:  # one that lies below where we are asks nobody
            assert reached in ends
            highest = reached


@given(FLEETS, _plans(), st.data())
def test_no_step_follows_too_many_failures(fleet, plan, data):
    """A walk as the driver makes it: between two steps the count of failures decides."""
    prepared = _prepared(fleet, plan)
    if prepared is None:
        return
    failures = asked = 0
    for step in prepared.steps:
        if prepared.must_stop(failures):
            break
        asked += len(step.names)
        failures += data.draw(st.integers(0, len(step.names)))
        biggest = len(step.names)
        if prepared.failures_allowed is not None:
            assert failures < prepared.failures_allowed + biggest
    if plan.stop_after is None:
        assert asked == len(prepared.names)


@given(AMOUNTS, st.integers(1, 100_000))
def test_an_amount_is_never_more_than_there_is(amount: Amount, total: int):
    assert 0 <= amount.floor_of(total) <= total
    assert amount.step_of(total) >= 1
    if amount.share is not None:
        failures = amount.failures_of(total)
        assert failures / total >= amount.share or failures == 1
        assert failures == 1 or (failures - 1) / total < amount.share


@given(FLEETS, st.integers(0, 1000))
def test_a_seed_chooses_the_same_nodes_each_time(fleet, seed):
    plan = RolloutPlan(limit=parse_amount("50%", "--limit"), order=Order.RANDOM, seed=seed)
    if len(fleet) < 2:
        return

    def shuffle(names):
        return random.Random(seed).sample(names, len(names))

    one, two = prepare(fleet, plan, shuffle), prepare(fleet[::-1], plan, shuffle)
    assert one.names == two.names
