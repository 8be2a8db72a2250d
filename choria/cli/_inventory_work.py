"""What ``inventory`` does."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import trio

from choria.client import Answer, Exit, reply_document
from choria.errors import Refusal, UsageError
from choria.programs.look import NodeReport, look_at_node, plan_look
from choria.wire import parse_identity

from ._counting import account_lines, ask_quietly, count_values, exit_code, value_text
from ._finding import Finding
from ._fleet_work import question_from, reporting
from ._harmless import harmless, one_line
from ._options import Connection, Filters
from ._terminal import columns, padded, paper_for
from ._views import document_of

_STATISTICS: Final = (
    ("Version", "version"), ("Start Time", "starttime"), ("Config File", "configfile"),
    ("Process ID", "pid"), ("Total Messages", "total"), ("Messages Passed Filters", "passed"),
    ("Messages Filtered", "filtered"), ("Expired Messages", "ttlexpired"),
    ("Valid Requests", "validated"), ("Invalid Requests", "unvalidated"), ("Replies Sent", "replies"),
)  # fmt: skip
COLUMN_COUNT: Final = 3


@attrs.frozen(kw_only=True)
class InventoryOrder:
    """What was typed."""

    node: str | None
    where: Connection
    which: Filters
    finding: Finding
    collectives: bool
    no_facts: bool
    json: bool
    timeout_s: float | None


def show_inventory(order: InventoryOrder) -> int:
    """One node, or the collectives; the exit code."""
    work = _collectives if order.collectives else _node
    return reporting(order.json, order.where, lambda: work(order))


def _collectives(order: InventoryOrder) -> int:
    if order.node is not None:
        raise UsageError("--collectives is about many nodes: leave NODE away, or choose with -I")
    question = question_from("inventory", order.where, order.which, order.finding)
    outcome = ask_quietly(question, plan_look("collective_info", {}, order.timeout_s))
    good = [answer for answer in outcome.result.answers if answer.ok]
    counted = count_values(good, _names_of)
    if order.json:
        document = {
            "schema": "choria-trio/collectives/1",
            "collectives": {str(each.value): list(each.nodes) for each in counted},
            "request_stats": document_of(outcome)["request_stats"],
        }
        print(json.dumps(document, indent=2))
        return exit_code(outcome)
    names = [value_text(each.value) for each in counted]
    width = max([len("Collective"), *map(columns, names)])
    print(f"{padded('Collective', width)}  Nodes")
    for name, each in zip(names, counted, strict=True):
        print(f"{padded(name, width)}  {len(each.nodes)}")
    print("\n".join(account_lines(outcome)), file=sys.stderr)
    return exit_code(outcome)


def _names_of(data: Mapping[str, Any]) -> list[str]:
    found = data.get("collectives")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _node(order: InventoryOrder) -> int:
    if order.node is None:
        raise UsageError(
            "inventory needs the name of a node (choria-trio discover lists them), or --collectives"
        )
    identity = parse_identity(order.node)
    question = question_from("inventory", order.where, order.which, order.finding)
    report = trio.run(look_at_node, question, identity, order.timeout_s)
    if order.json:
        print(json.dumps(_document(order, report), indent=2, default=str))
    elif report.answers:
        print("\n".join(_lines(order, report)))
    if not order.json:
        print("".join(f"{line}\n" for line in _troubles(report)), end="", file=sys.stderr)
    return _exit(report)


def _exit(report: NodeReport) -> Exit:
    answers, missing = report.answers, len(report.answers) < 2
    if answers and all(each.refusal is Refusal.DENIED for each in answers):
        return Exit.DENIED
    if any(not each.ok for each in answers):
        return Exit.FAILED_AND_SILENT if missing else Exit.FAILED
    return Exit.SILENT if missing else Exit.OK


def _troubles(report: NodeReport) -> list[str]:
    lines = [
        f"{report.identity}: {one_line(each.statusmsg)}" for each in report.answers if not each.ok
    ]
    if not report.answers:
        why = "is not connected" if report.gone else "did not answer"
        lines.append(f"{report.identity} {why}")
    elif len(report.answers) < 2:
        lines.append(f"{report.identity} answered only in part")
    return list(dict.fromkeys(lines))


def _lines(order: InventoryOrder, report: NodeReport) -> list[str]:
    told = _data(report.inventory)
    lines = [f"Inventory for {report.identity}:", "", *_statistics(report), ""]
    for title, key in (("Agents", "agents"), ("Tagged Classes", "classes")):
        lines += [f"  {title}:", *_in_columns(told.get(key)), ""]
    if machines := told.get("machines"):
        lines += ["  Autonomous Agents:", *_in_columns(machines), ""]
    if not order.no_facts:
        facts = json.dumps(told.get("facts", {}), indent=2, sort_keys=True, ensure_ascii=False)
        lines += ["  Facts:", *(f"    {line}" for line in harmless(facts).split("\n")), ""]
    return lines[:-1]


def _statistics(report: NodeReport) -> list[str]:
    told = {**_data(report.inventory), **_data(report.stats)}
    rows = [(label, _value(key, told[key])) for label, key in _STATISTICS if key in told]
    rows.insert(3, ("Collectives", ", ".join(_names_of(told))))
    rows.insert(4, ("Main Collective", value_text(told.get("main_collective", ""))))
    width = max(len(label) for label, _ in rows)
    return [f"  {label:>{width}}: {text}".rstrip() for label, text in rows]


def _value(key: str, value: Any) -> str:
    if key == "starttime" and isinstance(value, int) and 0 <= value < 1 << 36:
        return datetime.fromtimestamp(value, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    return value_text(value)


def _in_columns(names: object) -> list[str]:
    """Sorted, down the columns as ``ls`` does."""
    shown = sorted(map(value_text, names)) if isinstance(names, list | dict) else []
    if not shown:
        return ["    none"]
    room = (paper_for(sys.stdout, colour=False).width or 80) - 4
    width = max(map(columns, shown)) + 2
    across = max(1, min(COLUMN_COUNT, room // width))
    down = -(-len(shown) // across)
    rows: list[Sequence[str]] = [shown[start::down] for start in range(down)]
    return ["    " + "".join(padded(each, width) for each in row).rstrip() for row in rows]


def _data(answer: Answer | None) -> dict[str, Any]:
    return answer.data if answer is not None and answer.ok else {}


def _document(order: InventoryOrder, report: NodeReport) -> dict[str, Any]:
    inventory = dict(_data(report.inventory))
    if order.no_facts:
        inventory.pop("facts", None)
    return {
        "schema": "choria-trio/inventory/1",
        "node": report.identity,
        "gone": report.gone,
        "inventory": inventory,
        "statistics": _data(report.stats),
        "troubles": [reply_document(each, "inventory") for each in report.answers if not each.ok],
    }
