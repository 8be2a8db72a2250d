"""What ``facts`` does."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from choria.programs.call import Outcome
from choria.programs.look import plan_look

from ._counting import Counted, account_lines, ask_quietly, count_values, exit_code, value_text
from ._finding import Finding
from ._fleet_work import question_from, reporting
from ._options import Connection, Filters
from ._terminal import columns, padded, paper_for
from ._views import document_of

UNSET: Final = "(not set)"


@attrs.frozen(kw_only=True)
class FactsOrder:
    """What was typed."""

    fact: str
    where: Connection
    which: Filters
    finding: Finding
    reverse: bool
    names: bool
    table: bool
    json: bool
    timeout_s: float | None


def report_fact(order: FactsOrder) -> int:
    """Ask for the fact, count its values; the exit code."""
    return reporting(order.json, order.where, lambda: _report(order))


def _report(order: FactsOrder) -> int:
    question = question_from("facts", order.where, order.which, order.finding)
    plan = plan_look("get_fact", {"fact": order.fact}, order.timeout_s)
    outcome = ask_quietly(question, plan)
    good = [answer for answer in outcome.result.answers if answer.ok]
    counted = count_values(good, _value)
    if order.reverse:
        counted.reverse()
    if order.json:
        print(json.dumps(_document(order, outcome, counted), indent=2, default=str))
        return exit_code(outcome)
    lines = _table(counted) if order.table else _list(order, counted)
    print("".join(f"{line}\n" for line in lines), end="")
    print("\n".join(account_lines(outcome)), file=sys.stderr)
    return exit_code(outcome)


def _value(data: Mapping[str, Any]) -> list[Any]:
    return [data.get("value")]


def _text(each: Counted) -> str:
    return UNSET if each.value is None else value_text(each.value)


def _list(order: FactsOrder, counted: Sequence[Counted]) -> list[str]:
    """As Choria's: ``  value found N times``."""
    lines = [f"Report for fact: {order.fact}", ""]
    width = max((columns(_text(each)) for each in counted), default=0)
    for each in counted:
        times = f"{len(each.nodes)} time{'' if len(each.nodes) == 1 else 's'}"
        lines.append(f"  {padded(_text(each), width)}  found {times}")
        if order.names:
            lines += [*(f"      {name}" for name in each.nodes), ""]
    return lines


def _table(counted: Sequence[Counted]) -> list[str]:
    paper = paper_for(sys.stdout, colour=False)
    room = (paper.width or 10_000) - 8
    width = min(room, max((columns(_text(each)) for each in counted), default=5))
    lines = [f"{padded('Value', width)}  Nodes", f"{'-' * width}  -----"]
    return [*lines, *(f"{padded(_text(each), width)}  {len(each.nodes)}" for each in counted)]


def _document(order: FactsOrder, outcome: Outcome, counted: Sequence[Counted]) -> dict[str, Any]:
    """The nodes stand by name, so that it can be piped into the next call."""
    call = document_of(outcome)
    return {
        "schema": "choria-trio/facts/1",
        "fact": order.fact,
        "values": [
            {"value": each.value, "count": len(each.nodes), "nodes": list(each.nodes)}
            for each in counted
        ],
        "replies": call["replies"],
        "request_stats": call["request_stats"],
    }
