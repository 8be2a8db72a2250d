"""What an operator wants of a call besides the call itself, and when she must say yes to it."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Protocol

import attrs
import trio

from choria.client import Call, RolloutConfig, RolloutPlan, Step, parse_reply_filter
from choria.errors import FilterError, Interrupted, UsageError


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
        return f"{name} on {nodes_text(count)}: {whose} says that its impact is high"
    if config.confirm_above is not None and count > config.confirm_above:
        return f"{name} on {nodes_text(count)}: more than rollout.confirm_above = {config.confirm_above}"
    return ""


def nodes_text(count: int) -> str:
    """A number of nodes in words."""
    return f"{count} node" if count == 1 else f"{count} nodes"
