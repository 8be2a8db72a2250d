"""``facts`` and ``inventory`` as programs: questions of rpcutil whose answers are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import trio

from choria.agents import shipped_ddl
from choria.client import Answer, Ask, Call, Caller, Discovery, KnownDdl, Scope
from choria.errors import DDLError

from .call import find_targets
from .call_plan import CallPlan, judge_inputs
from .fleet import Question, connected, scope_of

AGENT: Final = "rpcutil"
CHUNK: Final = 200
"""Nodes whose whole inventories are held at the same time."""


def plan_look(action: str, inputs: Mapping[str, str], timeout_s: float | None) -> CallPlan:
    """A call of rpcutil, judged as a node judges it.

    Raises:
        DDLError: an input is refused.
    """
    ddl = shipped_ddl(AGENT)
    if ddl is None:  # pragma: no cover  # it is part of this package
        raise DDLError("this installation lacks rpcutil's DDL")
    known = KnownDdl(ddl=ddl, origin="choria-trio, which ships it", sha256="")
    return CallPlan(
        what=judge_inputs(known, Call(agent=AGENT, action=action, inputs=dict(inputs))),
        known=known,
        display="none",
        chosen=False,
        timeout_s=timeout_s or float(ddl.metadata.timeout),
        typed="",
    )


@attrs.frozen(kw_only=True)
class NodeReport:
    """Everything about one node.

    Attributes:
        inventory: Agents, classes, facts, collectives; None when it did not answer or refused.
        stats: Its process; None likewise.
    """

    identity: str
    inventory: Answer | None
    stats: Answer | None
    gone: bool

    @property
    def answers(self) -> list[Answer]:
        """What came."""
        return [each for each in (self.inventory, self.stats) if each is not None]


async def look_at_node(question: Question, identity: str, timeout_s: float | None) -> NodeReport:
    """Ask one node about itself. Cancel-safe.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
    """
    plan = plan_look("inventory", {}, timeout_s)
    gone = False
    answers: dict[str, Answer] = {}
    async with connected(question) as caller:
        scope = scope_of(question, caller.session)

        async def ask(action: str) -> None:
            nonlocal gone
            said = await caller.gather(_ask(scope, action, (identity,)), timeout_s=plan.timeout_s)
            gone |= identity in said.without
            if (answer := said.answers.get(identity)) is not None:
                answers[action] = answer

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "inventory")
            nursery.start_soon(ask, "daemon_stats")
    return NodeReport(
        identity=identity,
        inventory=answers.get("inventory"),
        stats=answers.get("daemon_stats"),
        gone=gone,
    )


@attrs.frozen(kw_only=True)
class Taken:
    """What came of asking everybody for an inventory.

    Attributes:
        names: Whose inventory was handed on.
        failed: Who answered something else.
        missing: Who did not answer.
    """

    found: Discovery
    names: tuple[str, ...]
    failed: tuple[Answer, ...]
    missing: tuple[str, ...]


async def take_inventories(
    question: Question,
    timeout_s: float | None,
    take: Callable[[Answer], None],
    progress: Callable[[int, int], None],
) -> Taken:
    """Hand the inventory of each node that matches to ``take``, a few hundred at a time. Cancel-safe.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
    """
    plan = plan_look("inventory", {}, timeout_s)
    names: list[str] = []
    failed: list[Answer] = []
    async with connected(question) as caller:
        scope, found = await find_targets(caller, question, plan)
        for start in range(0, len(found.names), CHUNK):
            progress(start, len(found.names))
            chunk = tuple(found.names[start : start + CHUNK])
            for answer in await _inventories(caller, scope, chunk, plan.timeout_s):
                if answer.ok:
                    names.append(answer.sender)
                    take(answer)
                else:
                    failed.append(answer)
    answered = {*names, *(each.sender for each in failed)}
    missing = tuple(name for name in found.names if name not in answered)
    return Taken(found=found, names=tuple(names), failed=tuple(failed), missing=missing)


async def _inventories(
    caller: Caller, scope: Scope, names: tuple[str, ...], timeout_s: float
) -> list[Answer]:
    gathered = await caller.gather(_ask(scope, "inventory", names), timeout_s=timeout_s)
    return [gathered.answers[name] for name in sorted(gathered.answers)]


def _ask(scope: Scope, action: str, names: tuple[str, ...]) -> Ask:
    inputs: dict[str, Any] = {}
    return Ask(
        agent=AGENT,
        action=action,
        inputs=inputs,
        network=scope.network,
        collective=scope.collective,
        ttl_ms=scope.ttl_ms,
        targets=names,
    )
