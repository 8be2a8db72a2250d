"""One call from judging its inputs to the account of everybody who was asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import trio

from choria.client import (
    Answer,
    Call,
    Caller,
    ClientConfig,
    DdlCache,
    Discovery,
    KnownDdl,
    Scope,
    ask_fleet,
)
from choria.ddl import check_inputs
from choria.programs.call import find_targets
from choria.programs.call_plan import CallPlan, default_timeout_s, find_action
from choria.programs.fleet import Question, scope_of
from choria.programs.interfaces import find_interface
from choria.programs.orders import Nobody, Orders
from choria.programs.rollout import Rolling, roll_out

from .asking import Options
from .calling import Run
from .lean import LeanCaller
from .replies import Nodes, Summary, summary_of

log = logging.getLogger(__name__)


@attrs.frozen
class Standing:
    """What every question of one fleet shares.

    Attributes:
        network: The one that is asked; empty: our own.
        begin: Runs a call as a task of the fleet.
    """

    caller: Caller
    config: ClientConfig
    network: str
    cache: DdlCache
    begin: Callable[[Run], None]


@attrs.frozen(kw_only=True)
class Asked:
    """A call as a program wrote it."""

    agent: str
    action: str
    inputs: Mapping[str, Any]
    question: Question
    given: Nodes | None
    options: Options
    orders: Orders


async def carry_out(
    at: Standing, asked: Asked, on_answer: Callable[[Answer], None], stop: trio.Event
) -> Summary:
    """Judge, find, ask, account. Cancel-safe; setting ``stop`` ends it with an account."""
    plan = await _plan(at, asked)
    scope, found = await _targets(at, asked, plan)
    rolling = Rolling(
        what=plan.what,
        scope=scope,
        found=found,
        orders=asked.orders,
        timeout_s=plan.timeout_s + asked.question.config.discovery_timeout_s,
        on_answer=on_answer,
        operator=Nobody(),
    )
    return summary_of(await roll_out(LeanCaller(at.caller), rolling, stop), found)


async def _plan(at: Standing, asked: Asked) -> CallPlan:
    known, inputs = None, dict(asked.inputs)
    if asked.options.judge:
        known = await _interface(at, asked)
        inputs = check_inputs(find_action(known.ddl, asked.action), inputs)
    return CallPlan(
        what=Call(agent=asked.agent, action=asked.action, inputs=inputs),
        known=known,
        display="all",
        chosen=False,
        timeout_s=asked.options.timeout_s or default_timeout_s(known),
    )


async def _interface(at: Standing, asked: Asked) -> KnownDdl:
    """What is known here and new enough, or what the fleet says, which is then kept."""
    question = asked.question
    known = find_interface(question, asked.agent, at.cache)
    if known is not None and (known.age_s is None or known.age_s <= at.config.ddl_cache_s):
        return known
    scope = attrs.evolve(scope_of(question, at.caller.session), filter={}, identities=())
    handed = await ask_fleet(at.caller, scope, asked.agent, timeout_s=question.timeout_s)
    try:
        at.cache.put(handed.kept)
    except OSError as wrong:
        log.warning("the DDL of %s is not kept: %s", asked.agent, wrong)
    origin = f"{', '.join(handed.kept.nodes)} of {handed.kept.network}, just now"
    return KnownDdl(ddl=handed.ddl, origin=origin, sha256=handed.kept.sha256, age_s=0.0)


async def _targets(at: Standing, asked: Asked, plan: CallPlan) -> tuple[Scope, Discovery]:
    if asked.given is None:
        return await find_targets(at.caller, asked.question, plan)
    found = Discovery(listed=asked.given.names, method="given", source="the program")
    return scope_of(asked.question, at.caller.session), found
