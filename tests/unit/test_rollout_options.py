"""Amounts and plans as typed: what is read, and what is refused with which words."""

from __future__ import annotations

import pytest

from choria.client import (
    Order,
    RolloutConfig,
    RolloutPlan,
    check_plan,
    parse_amount,
    plan_steps,
    prepare,
)
from choria.client.calls import Call
from choria.errors import UsageError
from choria.programs.orders import Orders, check_orders, reason_to_confirm

AMOUNTS = [
    # text, of how many, rounded down, as a step, as failures
    ("1", 10, 1, 1, 1),
    ("20", 10, 10, 10, 20),
    ("10%", 100, 10, 10, 10),
    ("10%", 9, 0, 1, 1),
    ("10%", 19, 1, 1, 2),
    ("2.5%", 200, 5, 5, 5),
    ("100%", 7, 7, 7, 7),
    ("0.1%", 50_000, 50, 50, 50),
]
WRONG = ["", "0", "0%", "-1", "101%", "1.5", "many", "10 %", "1e3", "99999999999", "½"]


@pytest.mark.parametrize(("text", "total", "floor", "step", "failures"), AMOUNTS)
def test_amounts_are_rounded_as_their_use_wants(text, total, floor, step, failures):
    amount = parse_amount(text, "--limit")
    assert amount.floor_of(total) == floor
    assert amount.step_of(total) == step
    assert amount.failures_of(total) == failures


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_amount_is_refused_by_its_flag(text):
    with pytest.raises(UsageError, match="--limit"):
        parse_amount(text, "--limit")


def _amount(text: str):
    return parse_amount(text, "--x")


REFUSED = [
    (RolloutPlan(stop_after=_amount("1")), "add --batch, --ramp or --canary"),
    (RolloutPlan(canary_check="ok()"), "add --canary N"),
    (RolloutPlan(batch=_amount("1"), sleep_s=-1), "--batch-sleep -1"),
    (RolloutPlan(batch=_amount("1"), sleep_s=float("nan")), "--batch-sleep nan"),
    (RolloutPlan(ramp=(_amount("50%"), _amount("10%"))), "10% after 50%"),
    (RolloutPlan(ramp=(_amount("5"), _amount("5"))), "5 after 5"),
    (RolloutPlan(ramp=(_amount("5"),) * 40), "at most 32"),
]


@pytest.mark.parametrize(("plan", "says"), REFUSED, ids=[row[1] for row in REFUSED])
def test_plans_that_cannot_work_are_refused_with_the_reason(plan, says):
    with pytest.raises(UsageError, match=says):
        check_plan(plan)


def test_a_limit_that_leaves_nobody_is_an_error_and_not_everybody():
    with pytest.raises(UsageError, match="10% of 9 nodes is nobody"):
        prepare([f"n{n}" for n in range(9)], RolloutPlan(limit=_amount("10%")), list)


def test_a_limit_beyond_the_fleet_is_the_fleet():
    """Choria fills such a list up with empty names."""
    prepared = prepare(["a", "b"], RolloutPlan(limit=_amount("5")), list)
    assert prepared.names == ("a", "b")


def test_a_random_order_is_the_shuffle_s():
    plan = RolloutPlan(limit=_amount("2"), order=Order.RANDOM)
    assert prepare("abc", plan, lambda names: names[::-1]).names == ("c", "b")


def test_ramp_marks_are_cumulative_and_batches_split_what_lies_between():
    plan = RolloutPlan(canary=_amount("1"), ramp=(_amount("3"), _amount("50%")), batch=_amount("4"))
    steps = plan_steps([f"n{n:02}" for n in range(20)], plan)
    said = [(step.stage.value, len(step.names)) for step in steps]
    assert said == [
        ("canary", 1), ("ramp", 2), ("ramp", 4), ("ramp", 3), ("rest", 4), ("rest", 4), ("rest", 2),
    ]  # fmt: skip


CONFIRMED = [
    # agent.action, nodes, confirm_above, high_impact, in the DDL, the reason
    ("package.install", 10, None, [], False, ""),
    ("package.install", 10, 10, [], False, ""),
    ("package.install", 11, 10, [], False, "more than rollout.confirm_above = 10"),
    ("package.purge", 1, None, ["package.purge"], False, "rollout.high_impact says"),
    ("box.reboot", 1, None, ["*.reboot"], False, "box.reboot on 1 node: rollout.high_impact"),
    ("package.purge", 1, None, [], True, "its DDL says"),
    ("package.purge", 0, 0, ["*"], True, ""),
]


@pytest.mark.parametrize(("name", "count", "above", "listed", "marked", "reason"), CONFIRMED)
def test_when_somebody_must_say_yes(name, count, above, listed, marked, reason):
    agent, _, action = name.partition(".")
    config = RolloutConfig(confirm_above=above, high_impact=listed)
    orders = Orders(config=config, high_impact=marked)
    said = reason_to_confirm(Call(agent=agent, action=action), orders, count)
    assert (reason in said) if reason else said == ""


def test_a_canary_that_nobody_can_judge_is_refused_before_anything_is_sent():
    plan = RolloutPlan(canary=_amount("1"))
    with pytest.raises(UsageError, match="--canary-check EXPR"):
        check_orders(Orders(plan=plan))
    for able in (
        Orders(plan=plan, yes=True),
        Orders(plan=plan, interactive=True),
        Orders(plan=RolloutPlan(canary=_amount("1"), canary_check="ok()")),
    ):
        assert check_orders(able) is able
