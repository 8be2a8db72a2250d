"""A call as a rollout: in which order nodes are asked, when somebody must say yes, when it stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random  # noqa: TID251  # a seed that was typed wants this very generator

import attrs
import trio

from choria.client import (
    Answer,
    Call,
    Discovery,
    Gatherer,
    Hooks,
    Prepared,
    ReplyFilter,
    Rolled,
    Rollout,
    RolloutPlan,
    Scope,
    StepDone,
    parse_reply_filter,
    prepare,
)

from . import new_rng
from .orders import Operator, Orders, confirm, nodes_text
from .rollout_state import StateFile


def _not_shown(count: int) -> None:
    """For who does not show how far it is."""


@attrs.frozen(kw_only=True)
class Rolling:
    """A call that is rolled out to the nodes of ``found``.

    Attributes:
        timeout_s: For each step.
        on_chosen: Is told how many nodes will be asked if nothing stops it.
    """

    what: Call
    scope: Scope
    found: Discovery
    orders: Orders
    timeout_s: float
    on_answer: Callable[[Answer], None]
    operator: Operator
    on_chosen: Callable[[int], None] = _not_shown


async def roll_out(caller: Gatherer, rolling: Rolling, stop: trio.Event) -> Rolled:
    """Ask the nodes as ordered. Setting ``stop`` ends it with an account of what happened.

    Raises:
        UsageError: the limit leaves nobody, or a yes is needed and nobody can be asked.
        Interrupted: the answer was no, or ``stop`` came before it; nothing was sent.
        ConfigError: the state cannot be kept where the operator wants it.
    """
    orders = rolling.orders
    prepared = prepare(rolling.found.names, orders.plan, _shuffler(orders.plan))
    rolling.on_chosen(len(prepared.names))
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
            return (
                f"{nodes_text(done.failures)} of the canary did not succeed"
                if done.failures
                else ""
            )
        good = len(done.step.names) - done.failures
        rest = len(self.prepared.names) - len(done.step.names)
        said = f"{good} of {nodes_text(len(done.step.names))} in the canary succeeded"
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
