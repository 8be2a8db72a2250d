"""What ``tool inventory`` does: a file of the fleet as ``--dm inventory`` and Choria read it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import attrs
import msgspec
import trio

from choria.client import Answer, Exit
from choria.client.methods import (
    INVENTORY_SCHEMA,
    MAX_INVENTORY_BYTES,
    Inventory,
    parse_inventory,
    read_source,
)
from choria.errors import UsageError
from choria.programs.fleet import Question
from choria.programs.look import Taken, take_inventories

from ._finding import Finding
from ._fleet_work import question_from, reporting
from ._options import Connection, Filters
from ._outfile import output_to
from ._terminal import can_redraw, environment
from ._text import missing_lines, names_line, refused_lines

_CLEAR = "\r\x1b[K"


@attrs.frozen(kw_only=True)
class InventoryFile:
    """What was typed."""

    path: Path
    where: Connection
    which: Filters
    finding: Finding
    update: bool
    json: bool
    timeout_s: float | None


def check_file(path: Path, where: Connection, *, as_json: bool) -> int:
    """Say whether an inventory can be used; the exit code."""

    def work() -> int:
        inventory = _read(path)
        names, groups = [node.name for node in inventory.nodes], sorted(inventory.groups)
        if as_json:
            print(json.dumps({"file": str(path), "nodes": len(names), "groups": groups}))
        else:
            print(f"{path}: {_nodes(len(names))}, {len(groups)} groups, usable")
        return Exit.OK

    return reporting(as_json, where, work)


def write_file(order: InventoryFile) -> int:
    """Ask, and write the file; the exit code."""
    return reporting(order.json, order.where, lambda: _write(order))


def _write(order: InventoryFile) -> int:
    if order.path.exists() and not order.update:
        raise UsageError(f"{order.path} exists: add --update to bring it up to date")
    old = _read(order.path) if order.update and order.path.exists() else None
    question = question_from("inventory", order.where, order.which, order.finding)
    with output_to(order.path) as out:
        taken, kept = _fill(order, question, old, out)
        if not taken.names:
            raise UsageError(_nobody(taken))
    _tell(order, taken, kept)
    if taken.failed:
        return Exit.FAILED_AND_SILENT if taken.missing else Exit.FAILED
    return Exit.SILENT if taken.missing or taken.found.silent else Exit.OK


def _nobody(taken: Taken) -> str:
    why = taken.found.hint or "nobody answered"
    if taken.failed:
        why = f"{taken.failed[0].sender}: {taken.failed[0].statusmsg}"
    return f"nothing was written: {why}"


def _fill(
    order: InventoryFile, question: Question, old: Inventory | None, out: TextIO
) -> tuple[Taken, int]:
    """What was taken, and how many nodes were kept. Nodes are written as they come: of 50,000, only a few hundred are ever held."""
    head = {"$schema": INVENTORY_SCHEMA, "groups": list(_groups(old))}
    out.write(json.dumps(head, indent=1).removesuffix("\n}") + ',\n "nodes": [')
    first = True

    def put(node: dict[str, Any]) -> None:
        nonlocal first
        out.write(f"{'' if first else ','}\n  {json.dumps(node, default=str)}")
        first = False

    taken = trio.run(
        take_inventories, question, order.timeout_s, lambda answer: put(_node(answer)), _progress
    )
    _progress(-1, 0)
    answered = set(taken.names)
    kept = [node for node in (old.nodes if old is not None else ()) if node.name not in answered]
    for node in kept:
        put(_kept(node))
    out.write("\n ]\n}\n")
    return taken, len(kept)


def _node(answer: Answer) -> dict[str, Any]:
    """A node as the file has it; what it answers in another form is left out."""
    data = answer.data
    facts = data.get("facts")
    return {
        "name": answer.sender,
        "collectives": _names(data.get("collectives")),
        "facts": facts if isinstance(facts, dict) else {},
        "classes": _names(data.get("classes")),
        "agents": _names(data.get("agents")),
    }


def _names(found: object) -> list[str]:
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _kept(node: Any) -> dict[str, Any]:
    return msgspec.structs.asdict(node)


def _groups(old: Inventory | None) -> Iterator[dict[str, Any]]:
    for name, group in (old.groups if old is not None else {}).items():
        wanted = msgspec.structs.asdict(group)
        yield {"name": name, "filter": {key: value for key, value in wanted.items() if value}}


def _read(path: Path) -> Inventory:
    data = trio.run(read_source, str(path), MAX_INVENTORY_BYTES)
    return parse_inventory(data, str(path), lenient=False)


def _progress(done: int, total: int) -> None:
    if can_redraw(sys.stderr, environment()):
        text = "" if done < 0 else f"{done} / {total} nodes asked"
        print(f"{_CLEAR}{text}", end="", file=sys.stderr, flush=True)


def _tell(order: InventoryFile, taken: Taken, kept: int) -> None:
    if order.json:
        document = {
            "schema": "choria-trio/inventory-file/1",
            "file": str(order.path),
            "nodes": list(taken.names),
            "kept": kept,
            "failed": [{"sender": e.sender, "statusmsg": e.statusmsg} for e in taken.failed],
            "missing": [*taken.missing, *taken.found.silent],
        }
        print(json.dumps(document, indent=2))
        return
    more = f", {_nodes(kept)} as before" if kept else ""
    print(f"{order.path}: {_nodes(len(taken.names))} written{more}")
    print(f"Next: choria-trio discover --dm inventory --do file={order.path}")
    lines = [*missing_lines(taken.found.silent, taken.found.gone), *refused_lines(taken.failed)]
    if taken.missing:
        lines.append(f"No inventory from: {names_line(taken.missing)}")
    print("".join(f"{line}\n" for line in lines), end="", file=sys.stderr)


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"
