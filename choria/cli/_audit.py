"""``choria-trio audit``: what nodes decided."""

from __future__ import annotations

import json as json_text
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

Repeated = Annotated[list[str] | None, Parameter(negative="")]
Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]


def verify(logs: list[Path], /, *, after: str = "", json: Json = False) -> int:
    """Check that no line of an audit log was changed, removed or moved.

    Args:
        logs: A node's audit log; the files that were rotated away from it before it, oldest first.
        after: Last hash of the files before the first one, when they are gone.
        json: One JSON document on stdout.
    """
    from choria.policy import GENESIS
    from choria.programs.audit import verify_audit_logs

    verdict = verify_audit_logs(logs, after=after or GENESIS)
    if json:
        print(json_text.dumps({"intact": verdict.intact, "files": verdict.files}, indent=2))
        return 0 if verdict.intact else 1
    print(verdict.text, file=sys.stdout if verdict.intact else sys.stderr)
    return 0 if verdict.intact else 1


def show(
    log: Path,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    caller: Repeated = None,
    decision: Repeated = None,
    outcome: Repeated = None,
    json: Json = False,
) -> int:
    """Show what a node decided, a line for each request.

    Args:
        log: A node's audit log.
        follow: Go on with what is written from now on, through rotations, until Ctrl-C.
        caller: Only of this caller; repeat for several.
        decision: Only allowed, denied or refused; repeat for several.
        outcome: Only with this outcome, such as timed-out; repeat for several.
        json: Print the log's own lines, JSON each.
    """
    import trio

    from choria.programs.audit import audit_lines, follow_audit_log

    wanted = {
        "caller": set(caller or ()),
        "decision": set(decision or ()),
        "outcome": set(outcome or ()),
    }
    print_line = partial(_show, wanted, json)
    if follow:
        trio.run(follow_audit_log, log, print_line)
    for line in audit_lines(log):
        print_line(line)
    return 0


def _show(wanted: dict[str, set[str]], as_json: bool, line: bytes) -> None:
    record = _record(line)
    if any(words and str(record.get(key)) not in words for key, words in wanted.items()):
        return
    text = line.decode("utf-8", "replace") if as_json else _text(record)
    print(_printable(text), flush=True)


def _record(line: bytes) -> dict[str, Any]:
    try:
        found = json_text.loads(line)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    return {"outcome": "no audit record", "reason": line.decode("utf-8", "replace")}


def _text(record: dict[str, Any]) -> str:
    called = "#".join(str(record.get(key) or "-") for key in ("agent", "action"))
    took = record.get("duration_ms")
    why = " ".join(str(record[key]) for key in ("rule", "reason") if record.get(key))
    if isinstance(took, int):
        why = f"{why} ({took} ms)".lstrip()
    when, outcome = str(record.get("timestamp", "-")), str(record.get("outcome", "-"))
    return f"{when:<31} {outcome:<15} {record.get('caller') or '-'} {called} {why}".rstrip()


def _printable(text: str) -> str:
    """Callers choose what stands in a log; none of it may steer the reader's terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
