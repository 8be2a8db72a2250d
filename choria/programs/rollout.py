"""A call as a rollout: in which order nodes are asked, when somebody must say yes, when it stops."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random  # noqa: TID251  # a seed that was typed wants this very generator
from typing import Protocol

import attrs
import trio

from choria.client import (
    Answer,
    Call,
    Caller,
    Discovery,
    Hooks,
    Prepared,
    ReplyFilter,
    Rolled,
    Rollout,
    RolloutConfig,
    RolloutPlan,
    Scope,
    Step,
    StepDone,
    parse_reply_filter,
    prepare,
)
from choria.errors import FilterError, Interrupted, UsageError

from . import new_rng
from .rollout_state import StateFile


class Operator(Protocol):
    """Whoever runs the rollout."""

    def step_begins(self, step: Step) -> None:
        """The nodes of ``step`` are asked now."""

    async def agrees(self, question: str) -> bool:
        """Whether a yes was typed. Cancelling withdraws the question."""


class Nobody:
    """For calls that nobody watches: no question is ever answered with yes."""

    def step_begins(self, step: Step) -> None:
        """Nobody sees it."""

    async def agrees(self, question: str) -> bool:
        """No."""
        del question
        await trio.lowlevel.checkpoint()
        return False


@attrs.frozen(kw_only=True)
class Orders:
    """What the operator wants besides the call itself, judged before anything is sent.

    Attributes:
        dry_run: Find the nodes and say who would be asked; send nothing else.
        yes: Whatever would be asked of the operator, the answer is yes.
        interactive: Somebody can be asked.
        state: Where to keep who was asked; None: only when it stops early, at the usual place.
        high_impact: The agent's DDL calls the action one of high impact.
    """

    plan: RolloutPlan = attrs.field(factory=RolloutPlan)
    config: RolloutConfig = attrs.field(factory=RolloutConfig)
    dry_run: bool = False
    yes: bool = False
    interactive: bool = False
    state: Path | None = None
    high_impact: bool = False


def check_orders(orders: Orders) -> Orders:
    """Refuse what cannot be carried out.

    Raises:
        UsageError: a canary that nobody could judge, or a condition that cannot be read.
    """
    plan = orders.plan
    if plan.canary_check:
        try:
            parse_reply_filter(plan.canary_check)
        except FilterError as exc:
            raise UsageError(f"--canary-check: {exc}") from exc
    elif plan.canary and not (orders.interactive or orders.yes or orders.dry_run):
        raise UsageError(
            "--canary asks whether to go on, and there is no terminal: add --canary-check EXPR to judge "
            "the replies, or --yes to go on if all canaries succeed"
        )
    return orders


@attrs.frozen(kw_only=True)
class Rolling:
    """A call that is rolled out to the nodes of ``found``. ``timeout_s`` is for each step."""

    what: Call
    scope: Scope
    found: Discovery
    orders: Orders
    timeout_s: float
    on_answer: Callable[[Answer], None]
    operator: Operator


async def roll_out(caller: Caller, rolling: Rolling, stop: trio.Event) -> Rolled:
    """Ask the nodes as ordered. Setting ``stop`` ends it with an account of what happened.

    Raises:
        UsageError: the limit leaves nobody, or a yes is needed and nobody can be asked.
        Interrupted: the answer was no, or ``stop`` came before it; nothing was sent.
        ConfigError: the state cannot be kept where the operator wants it.
    """
    orders = rolling.orders
    prepared = prepare(rolling.found.names, orders.plan, _shuffler(orders.plan))
    state = StateFile.of(orders.state, rolling.what, prepared)
    rollout = Rollout(
        caller=caller,
        what=rolling.what,
        scope=rolling.scope,
        found=rolling.found,
        prepared=prepared,
        timeout_s=rolling.timeout_s,
        hooks=Hooks(
            on_answer=rolling.on_answer,
            on_step=rolling.operator.step_begins,
            keep=state.keep,
            judge_canary=_Judge(orders, rolling.operator, prepared).judge,
            stop=stop,
        ),
    )
    if orders.dry_run:
        return rollout.nothing_done()
    await confirm(rolling.what, orders, len(prepared.names), rolling.operator, stop)
    rolled = await rollout.run()
    state.end(rolled)
    return attrs.evolve(rolled, state=str(state.path or ""))


def _shuffler(plan: RolloutPlan) -> Callable[[Sequence[str]], Sequence[str]]:
    rng = new_rng() if plan.seed is None else Random(plan.seed)  # noqa: S311  # no secret
    return lambda names: rng.sample(names, len(names))


async def settle(
    what: Call, names: Sequence[str], orders: Orders, operator: Operator
) -> tuple[str, ...]:
    """Those of ``names`` that are asked, for calls whose replies nobody waits for. Cancel-safe.

    Raises:
        UsageError: the limit leaves nobody, or a yes is needed and nobody can be asked.
        Interrupted: the answer was no; nothing was sent.
    """
    chosen = prepare(names, orders.plan, _shuffler(orders.plan)).names
    await confirm(what, orders, len(chosen), operator, trio.Event())
    return chosen


async def confirm(
    what: Call, orders: Orders, count: int, operator: Operator, stop: trio.Event
) -> None:
    """Have somebody say yes, if one is needed. Cancel-safe.

    Raises:
        UsageError: there is nobody to ask.
        Interrupted: the answer was no, or ``stop`` was set first.
    """
    why = reason_to_confirm(what, orders, count)
    if not why or orders.yes:
        return
    if not orders.interactive:
        raise UsageError(
            f"{why}: add --yes, since there is no terminal to ask on; nothing was sent"
        )
    agreed = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on, stop, nursery.cancel_scope)
        agreed = await operator.agrees(f"{why}. Go on?")
        nursery.cancel_scope.cancel()
    if not agreed:
        raise Interrupted("not confirmed: nothing was sent")


async def _cancel_on(stop: trio.Event, scope: trio.CancelScope) -> None:
    await stop.wait()
    scope.cancel()


def reason_to_confirm(what: Call, orders: Orders, count: int) -> str:
    """Why somebody must say yes before ``count`` nodes are asked; empty when nobody must."""
    name, config = f"{what.agent}.{what.action}", orders.config
    if not count:
        return ""
    listed = any(fnmatch.fnmatchcase(name, pattern) for pattern in config.high_impact)
    if listed or orders.high_impact:
        whose = "rollout.high_impact" if listed else "its DDL"
        return f"{name} on {_nodes(count)}: {whose} says that its impact is high"
    if config.confirm_above is not None and count > config.confirm_above:
        return (
            f"{name} on {_nodes(count)}: more than rollout.confirm_above = {config.confirm_above}"
        )
    return ""


@attrs.frozen
class _Judge:
    """Decides after the canary whether the rest is asked."""

    orders: Orders
    operator: Operator
    prepared: Prepared

    async def judge(self, done: StepDone) -> str:
        """Why it ends here, or nothing."""
        if expression := self.orders.plan.canary_check:
            return _check(parse_reply_filter(expression), done)
        if self.orders.yes or not self.orders.interactive:
            return f"{_nodes(done.failures)} of the canary did not succeed" if done.failures else ""
        good = len(done.step.names) - done.failures
        rest = len(self.prepared.names) - len(done.step.names)
        said = f"{good} of {_nodes(len(done.step.names))} in the canary succeeded"
        agreed = await self.operator.agrees(f"{said}. Go on with the other {rest}?")
        return "" if agreed else "you did not want to go on after the canary"


def _check(condition: ReplyFilter, done: StepDone) -> str:
    """Silence is no reply that the condition is true of."""
    wrong = [answer.sender for answer in done.answers if not condition.keeps(answer)]
    if condition.problems:
        return f"--canary-check could not be judged: {condition.first_problem}"
    if bad := [*wrong, *done.missing]:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        return f"--canary-check is not true of {', '.join(bad[:3])}{more}"
    return ""


def _nodes(count: int) -> str:
    return f"{count} node" if count == 1 else f"{count} nodes"
