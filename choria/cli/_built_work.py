"""What commands from files of YAML do: run a program, call an action, print names."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import trio

from choria.builder import (
    Discover,
    Exec,
    NodesPlan,
    Rpc,
    Values,
    plan_discover,
    plan_exec,
    plan_rpc,
)
from choria.errors import Interrupted, UsageError
from choria.programs.replace import become

from ._asking import ask_yes, can_ask
from ._call_work import Order, run_order
from ._discover_work import Asked, run_discover
from ._fleet_work import reporting
from ._options import Connection, Filters
from ._output import Output
from ._rolling import RollingOut
from ._typed import Typed


def run_program(command: Exec, values: Values, typed: Typed) -> int:
    """Become the program: its exit code is ours, and so are its streams and signals."""
    plan = plan_exec(command, values)
    confirm(command.confirm_prompt, typed.yes)
    sys.stdout.flush()
    become(plan.argv, plan.environment)


def run_request(command: Rpc, values: Values, typed: Typed) -> int:
    """Call the action; the exit code."""
    output = _output(command, typed.output)

    def judged() -> int:
        plan = plan_rpc(command, values)
        which = _which(plan.nodes, typed.which)
        everybody = which == Filters() and typed.finding.nodes is None
        yes = typed.yes or typed.rolling.yes
        confirm(command.confirm_prompt, yes)
        confirm(command.all_nodes_confirm_prompt if everybody else "", yes)
        order = Order(
            words=plan.words,
            where=_where(plan.nodes, typed.where),
            which=which,
            finding=typed.finding,
            rolling=_rolling(command, typed.rolling),
            asking=typed.asking,
            output=output,
        )
        return run_order(order)

    return reporting(output.is_json, typed.where, judged)


def run_discovery(command: Discover, values: Values, typed: Typed) -> int:
    """Print names; the exit code."""

    def judged() -> int:
        nodes = plan_discover(command, values)
        confirm(command.confirm_prompt, typed.yes)
        where, which = _where(nodes, typed.where), _which(nodes, typed.which)
        asked = Asked(where, which, typed.finding, None, verify=False, json=typed.json, jsonl=False)
        return run_discover(asked)

    return reporting(typed.json, typed.where, judged)


def confirm(prompt: str, yes: bool) -> None:
    """Have somebody say yes, if the command wants it.

    Raises:
        Interrupted: It was no.
        UsageError: There is nobody to ask.
    """
    if not prompt or yes:
        return
    if not can_ask():
        raise UsageError(f"{prompt!r} wants a yes, and there is no terminal to ask on: add --yes")
    if not trio.run(ask_yes, prompt):
        raise Interrupted("not confirmed: nothing was done")


def _which(nodes: NodesPlan, typed: Filters) -> Filters:
    """Both: what is typed narrows what the command says."""
    if (
        nodes.identities and typed.identity
    ):  # one name of a list is enough: more names are more nodes
        raise UsageError("this command names its nodes itself: leave --with-identity away")
    return dataclasses.replace(
        typed,
        identity=_both(nodes.identities, typed.identity),
        fact=_both(nodes.facts, typed.fact),
        with_class=_both(nodes.classes, typed.with_class),
        with_agent=_both(nodes.agents, typed.with_agent),
        select=_both(nodes.compounds, typed.select),
    )


def _both(ours: tuple[str, ...], typed: list[str] | None) -> list[str] | None:
    return [*ours, *(typed or ())] or None


def _where(nodes: NodesPlan, typed: Connection) -> Connection:
    return dataclasses.replace(typed, collective=typed.collective or nodes.collective)


def _rolling(command: Rpc, typed: RollingOut) -> RollingOut:
    changes: dict[str, Any] = {}
    if command.batch is not None and typed.batch is None:
        changes["batch"] = str(command.batch)
    if command.batch_sleep is not None and typed.batch_sleep is None:
        changes["batch_sleep"] = command.batch_sleep
    return dataclasses.replace(typed, **changes)


def _output(command: Rpc, typed: Output) -> Output:
    changes: dict[str, Any] = {"no_progress": typed.no_progress or command.no_progress}
    if command.output_format and not typed.forms:
        changes[command.output_format] = True
    if typed.display is None:
        changes["display"] = command.display
    return dataclasses.replace(typed, **changes)
