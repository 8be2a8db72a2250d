"""What ``plugin doc`` does."""

from __future__ import annotations

import json

import attrs

from choria.client import KnownDdl
from choria.ddl import action_help, agent_help, markdown
from choria.errors import UsageError
from choria.programs.interfaces import open_cache

from ._call_inputs import interface_of
from ._call_names import known_names
from ._finding import Finding
from ._fleet_work import question_from, reporting
from ._harmless import harmless, one_line
from ._options import Connection, Filters
from ._terminal import width_of


@attrs.frozen(kw_only=True)
class DocOrder:
    """What was typed."""

    agent: str | None
    where: Connection
    markdown: bool
    json: bool
    refresh: bool


def show_doc(order: DocOrder) -> int:
    """Print it; the exit code."""
    return reporting(order.json, order.where, lambda: _show(order))


def _show(order: DocOrder) -> int:
    if order.markdown and order.json:
        raise UsageError("--markdown and --json cannot be had together: choose one")
    if order.agent is None:
        return _list(order)
    question = question_from("call", order.where, Filters(), Finding())
    known = interface_of(order.agent, question, open_cache(), refresh=order.refresh)
    if order.json:
        print(json.dumps(known.ddl.source, indent=2))
    elif order.markdown:
        print(harmless(markdown(known.ddl)), end="")
    else:
        print("\n".join(_text(known)))
    return 0


def _text(known: KnownDdl) -> list[str]:
    width = width_of()
    lines = agent_help(known.ddl, width)
    for name in sorted(known.ddl.actions):
        lines += ["", "", *action_help(known.ddl, known.ddl.actions[name], width)]
    if known.ddl.warnings:
        lines += ["", "", "The DDL was read leniently:"]
        lines += [f"  {warning}" for warning in known.ddl.warnings]
    return [harmless(line) for line in [*lines, "", f"DDL from {known.origin}"]]


def _list(order: DocOrder) -> int:
    names = known_names(order.where.config)
    if order.json:
        print(json.dumps({"schema": "choria-trio/agents/1", "agents": names}, indent=2))
        return 0
    if order.markdown:
        raise UsageError("--markdown needs the name of an agent: choria-trio plugin doc lists them")
    for place, agents in names.items():
        if agents:
            print(f"{place}: {one_line(', '.join(agents))}")
    print("Next: choria-trio plugin doc AGENT; agents that are not listed are asked of the fleet")
    return 0
