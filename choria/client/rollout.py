"""A rollout as a plan: which nodes, in which steps, and when to stop. Pure: values in, steps out.

The nodes are put in order (by name, or shuffled by a seed), the limit takes the first of them, and
marks cut them into stages: the canary, then each mark of the ramp, then the rest. Marks are
cumulative: ``--ramp 1,10%,50%`` asks one node, goes on until a tenth has been asked, then until half,
then asks all others. A batch size splits every stage but the canary. Each node stands in one step at
most, and steps are asked one after the other, so that what was decided after one step holds for all
nodes of the next.

A failure is a node that was asked and did not succeed: it said so, it left, or it stayed silent. Once
there are as many as the threshold allows, nobody else is asked.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import attrs

from choria.errors import UsageError

from .amounts import Amount

MAX_RAMP: Final = 32
MAX_SLEEP_S: Final = 86_400.0
DEFAULT_SLEEP_S: Final = 1.0
Shuffle = Callable[[Sequence[str]], Sequence[str]]


class Order(enum.StrEnum):
    """Who comes first."""

    FIRST = "first"
    RANDOM = "random"


class Stage(enum.StrEnum):
    """What a step is for."""

    CANARY = "canary"
    RAMP = "ramp"
    REST = "rest"


@attrs.frozen(kw_only=True)
class RolloutPlan:
    """What the operator wants of a rollout. The default asks everybody at once.

    Attributes:
        limit: Ask only so many.
        order: Who comes first.
        seed: Makes a random order the same each time.
        canary: So many are asked first, and nobody else before somebody agreed.
        canary_check: What must be true of each canary's reply, instead of a question.
        ramp: Cumulative marks.
        batch: Never more than so many at once.
        sleep_s: Pause between steps.
        stop_after: So many failures end it.
    """

    limit: Amount | None = None
    order: Order = Order.FIRST
    seed: int | None = None
    canary: Amount | None = None
    canary_check: str = ""
    ramp: tuple[Amount, ...] = ()
    batch: Amount | None = None
    sleep_s: float = DEFAULT_SLEEP_S
    stop_after: Amount | None = None

    @property
    def has_steps(self) -> bool:
        """Whether nodes are asked in more than one step."""
        return bool(self.canary or self.ramp or self.batch)


@attrs.frozen
class Step:
    """Nodes that are asked together; ``number`` of ``of``, from 1."""

    stage: Stage
    names: tuple[str, ...]
    number: int
    of: int


@attrs.frozen(kw_only=True)
class Prepared:
    """A plan applied to a fleet.

    Attributes:
        names: Who is asked, in order.
        left_out: Who matched and is beyond the limit.
        failures_allowed: The number of failures at which it ends; None: it never does.
    """

    plan: RolloutPlan
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    steps: tuple[Step, ...]
    failures_allowed: int | None

    def must_stop(self, failures: int) -> bool:
        """Whether so many failures end it."""
        return self.failures_allowed is not None and failures >= self.failures_allowed


def check_plan(plan: RolloutPlan) -> RolloutPlan:
    """Refuse what cannot work together.

    Raises:
        UsageError: the sentence says what, why and what instead.
    """
    if plan.stop_after and not plan.has_steps:
        raise UsageError(
            "--stop-after needs steps to stop between: add --batch, --ramp or --canary, or everybody is asked at once"
        )
    if plan.canary_check and not plan.canary:
        raise UsageError("--canary-check judges canaries: add --canary N")
    if not 0 <= plan.sleep_s <= MAX_SLEEP_S:
        raise UsageError(f"--batch-sleep {plan.sleep_s:g}: from 0 to {MAX_SLEEP_S:g} seconds")
    if len(plan.ramp) > MAX_RAMP:
        raise UsageError(f"--ramp has at most {MAX_RAMP} marks")
    for one, two in pairwise(plan.ramp):
        if _goes_down(one, two):
            raise UsageError(
                f"--ramp goes up: {two.text} after {one.text} asks nobody; marks count all nodes asked so far"
            )
    return plan


def _goes_down(one: Amount, two: Amount) -> bool:
    if one.count is not None and two.count is not None:
        return two.count <= one.count
    return one.share is not None and two.share is not None and two.share <= one.share


def prepare(found: Sequence[str], plan: RolloutPlan, shuffle: Shuffle) -> Prepared:
    """Apply ``plan`` to the nodes that were found. ``shuffle`` gives them in a random order.

    Raises:
        UsageError: the limit leaves nobody of those who were found.
    """
    ordered = sorted(set(found))
    if plan.order is Order.RANDOM:
        ordered = list(shuffle(ordered))
    kept = len(ordered) if plan.limit is None else plan.limit.floor_of(len(ordered))
    if ordered and not kept and plan.limit is not None:
        raise UsageError(
            f"--limit {plan.limit.text} of {len(ordered)} nodes is nobody: raise it, or write a number"
        )
    names = tuple(ordered[:kept])
    return Prepared(
        plan=plan,
        names=names,
        left_out=tuple(ordered[kept:]),
        steps=plan_steps(names, plan),
        failures_allowed=plan.stop_after.failures_of(len(names)) if plan.stop_after else None,
    )


def plan_steps(names: Sequence[str], plan: RolloutPlan) -> tuple[Step, ...]:
    """Cut ``names`` into steps; joined they are ``names`` again."""
    cuts: list[tuple[Stage, tuple[str, ...]]] = []
    done = 0
    for stage, mark in _marks(len(names), plan):
        if mark > done:
            cuts += [(stage, part) for part in _split(names[done:mark], stage, plan, len(names))]
            done = mark
    return tuple(
        Step(stage, part, number, len(cuts)) for number, (stage, part) in enumerate(cuts, 1)
    )


def _marks(total: int, plan: RolloutPlan) -> list[tuple[Stage, int]]:
    canary = [(Stage.CANARY, plan.canary.step_of(total))] if plan.canary else []
    ramp = [(Stage.RAMP, mark.step_of(total)) for mark in plan.ramp]
    marks = [*canary, *ramp, (Stage.REST, total)]
    return [(stage, min(mark, total)) for stage, mark in marks]


def _split(
    names: Sequence[str], stage: Stage, plan: RolloutPlan, total: int
) -> list[tuple[str, ...]]:
    if plan.batch is None or stage is Stage.CANARY:
        return [tuple(names)]
    size = plan.batch.step_of(total)
    return [tuple(names[at : at + size]) for at in range(0, len(names), size)]
