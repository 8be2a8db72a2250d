"""``choria-trio policy``: are the files right, and who may do what?"""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from choria.errors import ChoriaError
    from choria.programs.policy import Decision, FileReport


Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]


def check(files: list[Path], /, *, json: Json = False) -> int:
    """Check policy files; exit code 1 if a line cannot be used.

    Args:
        files: ActionPolicy, groups and Rego files, or folders of them.
        json: One JSON document on stdout.
    """
    from choria.errors import ChoriaError
    from choria.programs.policy import check_policies

    try:
        reports = check_policies(files)
    except ChoriaError as exc:
        return _failed(exc, as_json=json)
    bad = any(report.problems for report in reports)
    if json:
        _print({"ok": not bad, "files": [_file_document(report) for report in reports]})
    else:
        print("\n".join(_file_lines(reports)))
    return int(bad)


def explain(  # what a call is and what it is judged by
    agent: str,
    action: str | None = None,
    /,
    *,
    caller: Annotated[list[str] | None, Parameter(negative="")] = None,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    policies: Path | None = None,
    facts: Path | None = None,
    with_class: Annotated[list[str] | None, Parameter(name=["--class"], negative="")] = None,
    authorization: Literal["action_policy", "rego"] | None = None,
    json: Json = False,
) -> int:
    """Say who may call an agent on this machine, and which line decides.

    Args:
        agent: Agent, such as package.
        action: Action, such as status; without it, every known one.
        caller: Caller id, such as choria=rip; repeat for several. Without it, everybody whom the
            policy names, and somebody whom it does not.
        config: The node's configuration file (TOML).
        policies: Folder of policies, instead of the node's.
        facts: YAML or JSON file of facts, instead of this machine's.
        with_class: Configuration management class, instead of this machine's; repeat for several.
        authorization: action_policy or rego, instead of what the configuration says.
        json: One JSON document on stdout.
    """
    from choria.config import load, search_paths
    from choria.errors import ChoriaError
    from choria.node import NodeConfig
    from choria.programs import environment
    from choria.programs.policy import Machine, explain_policies
    from choria.telemetry import configure_logging

    try:
        overrides = {
            "policies": str(policies.absolute()) if policies else None,
            "authorization": authorization,
        }
        env = environment()
        paths = search_paths("node", env, config)
        loaded = load(paths, NodeConfig, overrides=overrides, env=env)
        machine = Machine(config=loaded.value, facts_file=facts, classes=tuple(with_class or ()))
        with configure_logging(level="warning", json=False):
            decisions = explain_policies(machine, agent, action, caller or ())
    except ChoriaError as exc:
        return _failed(exc, as_json=json)
    if json:
        _print({"agent": agent, "decisions": [_decision_document(each) for each in decisions]})
    else:
        print("\n".join(_decision_lines(decisions, told_apart=len(decisions) == 1)))
    return 0


def _failed(exc: ChoriaError, *, as_json: bool) -> int:
    from ._errors import exit_code_of

    if not as_json:
        raise exc
    code = exit_code_of(exc)
    print(json_text.dumps({"error": str(exc), "exit_code": code}), file=sys.stderr)
    return code


def _print(document: dict[str, Any]) -> None:
    print(json_text.dumps(document, indent=2))


def _file_document(report: FileReport) -> dict[str, Any]:
    problems = [
        {"line": problem.place.line, "text": problem.place.text, "why": problem.why}
        for problem in report.problems
    ]
    return {"file": str(report.path), "ok": not problems, "problems": problems}


def _file_lines(reports: list[FileReport]) -> list[str]:
    lines: list[str] = []
    for report in reports:
        if not report.problems:
            lines.append(f"{report.path}: ok")
        for problem in report.problems:
            lines.append(f"{report.path}:{problem.place.line}: {problem.why}")
            lines.append(f"    {problem.place.quoted}")
    return lines


def _decision_document(decision: Decision) -> dict[str, Any]:
    from choria.policy import Authorized

    verdict = decision.told.verdict
    allowed = isinstance(verdict, Authorized)
    return {
        "caller": decision.caller,
        "action": decision.action,
        "allowed": allowed,
        "file": verdict.file,
        "line": verdict.line,
        "text": decision.line,
        "why": "" if isinstance(verdict, Authorized) else verdict.why,
        "passed_over": [
            {"file": tried.place.file, "line": tried.place.line, "stopped_by": tried.stopped_by}
            for tried in decision.told.tried
        ],
    }


def _decision_lines(decisions: list[Decision], *, told_apart: bool) -> list[str]:
    from choria.policy import Authorized

    rows = [("CALLER", "ACTION", "VERDICT", "DECIDED BY", "LINE")]
    for decision in decisions:
        verdict = decision.told.verdict
        word = "allowed" if isinstance(verdict, Authorized) else "denied"
        by = verdict.rule or "no file"
        rows.append((decision.caller, decision.action, word, by, " ".join(decision.line.split())))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]
        ).rstrip()
        for row in rows
    ]
    return lines + (_reasons(decisions[0]) if told_apart else [])


def _reasons(decision: Decision) -> list[str]:
    """Why the lines above did not decide, and the whole sentence of a denial."""
    from choria.policy import Authorized

    verdict = decision.told.verdict
    lines = [
        f"  {tried.place.where} passed over: its {tried.stopped_by} do not fit"
        for tried in decision.told.tried
    ]
    return lines if isinstance(verdict, Authorized) else [*lines, f"  {verdict.why}"]
