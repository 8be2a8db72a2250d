"""For tests of agents: call an action as a node would, without a node.

::

    from choria.agents.testing import call, call_external

    assert call(Deploy(), "release", version="1.2")["running"] == "1.2"
    assert call_external(Path("deploy.json"), "release", version="1.2")["running"] == "1.2"

Inputs are judged by the DDL, defaults put in, errors raised as a node would tell them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import trio

from choria.ddl import AgentDDL, check_inputs, parse_ddl
from choria.errors import AgentError
from choria.node import ActionContext, NodeInfo
from choria.node import Agent as Hosted
from choria.trust import Principal, Role

from .found.external import load_external
from .found.external_calls import ExternalProgram
from .library import ShippedAgent
from .native import Agent, build_agent

_CLOSE_WITHIN_S: Final = 5.0
_NOW_MS: Final = 1_800_000_000_000


def call(
    agent: Agent, action: str, facts: Mapping[str, Any] | None = None, **inputs: Any
) -> dict[str, Any]:
    """What a caller of a native agent would get as data.

    Raises:
        DDLError: the DDL refuses the inputs, or the class makes none.
        AgentError: the action failed, or there is none of this name, or it took too long.
    """
    hosted = build_agent(agent)
    return trio.run(_call, hosted, action, inputs, facts or {})


def call_external(
    ddl: Path, action: str, facts: Mapping[str, Any] | None = None, **inputs: Any
) -> dict[str, Any]:
    """What a caller of the external agent with this DDL file would get as data; it is activated first.

    Raises:
        DDLError: the DDL cannot be read, or refuses the inputs.
        AgentError: the program failed, or does not want to run here, or took too long.
    """
    read = parse_ddl(ddl.read_bytes())
    program = ddl.resolve().with_suffix("")
    external = ExternalProgram(program=program, config=program.with_name(f"{program.name}.cfg"))
    return trio.run(_call_external, read, external, action, inputs, facts or {})


async def _call_external(
    ddl: AgentDDL,
    external: ExternalProgram,
    action: str,
    inputs: dict[str, Any],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    hosted = await load_external(ddl, external, facts)
    if hosted is None:
        raise AgentError(f"{ddl.name} does not want to run on this machine")
    try:
        return await _call(hosted, action, inputs, facts)
    finally:
        if isinstance(hosted, ShippedAgent):  # the process of one that lasts
            with trio.move_on_after(_CLOSE_WITHIN_S, shield=True):
                await hosted.close()


async def _call(
    hosted: Hosted, action: str, inputs: dict[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    ddl = hosted.ddl
    if action not in ddl.actions:
        raise AgentError(f"{ddl.name} has no action {action}", statuscode=2)
    checked = check_inputs(ddl.actions[action], inputs)
    with trio.move_on_after(ddl.metadata.timeout):
        return dict(await hosted.actions[action](checked, _context(ddl, facts)))
    raise AgentError(f"no result within the agent's {ddl.metadata.timeout} s", statuscode=5)


def _context(ddl: AgentDDL, facts: Mapping[str, Any]) -> ActionContext:
    node = NodeInfo(
        identity="test",
        version="0",
        started_ms=_NOW_MS,
        collectives=("choria",),
        main_collective="choria",
        config_file="",
        agents=lambda: (ddl,),
        classes=tuple,
        counters=dict,
    )
    return ActionContext(
        request_id=bytes(16),
        callerid="choria=test",
        principal=Principal("test", Role.CLIENT, "test"),
        collective="choria",
        facts=facts,
        node=node,
        now_ms=_NOW_MS,
        created_ms=_NOW_MS,
        ttl_ms=60_000,
    )
