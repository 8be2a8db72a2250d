"""What people see, kept as files: ``tests/golden/<case>.<paper>.txt``.

``python -m tests.support.golden`` writes them anew; look at what changed before committing it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs

from choria.cli._call_help import action_text, agent_text
from choria.cli._progress import Progress
from choria.cli._run_views import run_view
from choria.cli._terminal import Paper
from choria.cli._views import view_for
from choria.client import Call, Discovery, Gone, KnownDdl
from choria.ddl import convert_inputs, markdown, parse_ddl
from choria.programs.call import Outcome
from choria.programs.call_plan import CallPlan, default_display
from tests.support.answers import AT_MS, a_denial, a_result, an_answer
from tests.support.golden_fleet import FLEET_CASES, FLEET_HELP, errors
from tests.support.runs import a_usual_run

FOLDER = Path(__file__).resolve().parent.parent / "golden"
PAPERS = {
    "80": Paper(width=80, colour=True),
    "120": Paper(width=120, colour=True),
    "no-color-80": Paper(width=80),
    "pipe": Paper(),
}
HELP_WIDTHS = (80, 120)

DDL = parse_ddl(
    {
        "metadata": {
            "name": "package", "description": "Install, upgrade and look at packages",
            "author": "A site's own people", "license": "Apache-2.0", "version": "5.3.0",
            "url": "https://example.net/", "timeout": 180,
        },
        "actions": [
            {
                "action": "status",
                "description": "Whether a package is installed, and in which version",
                "display": "always",
                "input": {
                    "package": {
                        "prompt": "Package", "description": "Name of the package", "type": "string",
                        "validation": "shellsafe", "optional": False, "maxlength": 90,
                    },
                    "provider": {
                        "prompt": "Provider", "description": "Package manager to ask",
                        "type": "list", "list": ["apt", "dnf"], "optional": True, "default": "apt",
                    },
                    "options": {
                        "prompt": "Options", "description": "Further options of the package manager, by name",
                        "type": "hash", "optional": True,
                    },
                },
                "output": {
                    "ensure": {"description": "Whole version, or absent", "display_as": "Ensure"},
                    "arch": {"description": "Architecture", "display_as": "Architecture"},
                    "output": {"description": "What the package manager said", "display_as": "Output"},
                    "depends": {"description": "What it needs", "display_as": "Needs"},
                },
                "aggregate": [
                    {"function": "summary", "args": ["ensure"]},
                    {"function": "summary", "args": ["arch"]},
                ],
            },
            {
                "action": "purge", "description": "Remove a package and its configuration",
                "display": "failed", "input": {}, "output": {},
            },
        ],
    }
)  # fmt: skip
KNOWN = KnownDdl(ddl=DDL, origin="web1, web2, web3 of alpha, 3 hours ago", sha256="")
LONG = "Reading package lists... Building dependency tree... bash is already the newest version (5.2.15-2+b2)."
OF_A_STRANGER = "done\r\n\x1b[2J\x1b[1;1Hroot@web4:~# \u202ehsab"
ANSWERS = [
    an_answer(
        "web1.example.net",
        {"ensure": "5.2.15", "arch": "amd64", "output": LONG, "depends": ["libc6", "base-files"]},
    ),
    an_answer("web2.example.net", {"ensure": "5.2.15", "arch": "amd64", "output": ""}),
    an_answer("web3.example.net", {"ensure": "5.2.15", "arch": "amd64", "output": ""}),
    an_answer("web4.example.net", {"ensure": "absent", "arch": "", "output": OF_A_STRANGER}),
    an_answer(
        "db2.example.net",
        {"ensure": "5.1.0", "arch": "arm64", "output": "現在のバージョン\nsecond line", "depends": {"libc6": ">= 2.36"}},
    ),
    an_answer("old1.example.net", {}, statuscode=1, statusmsg="dpkg is locked by process 4711"),
    a_denial("db1.example.net"),
]  # fmt: skip
GONE = [
    Gone(identity="web9.example.net", left_at_ms=None, why="left during the call"),
    Gone(identity="web8.example.net", left_at_ms=AT_MS, why="said goodbye", planned=True),
]


def a_plan(display: str | None = None, action: str = "status") -> CallPlan:
    inputs = convert_inputs(DDL.actions[action], {"package": "bash"} if action == "status" else {})
    return CallPlan(
        what=Call(agent="package", action=action, inputs=inputs),
        known=KNOWN,
        display=display or default_display(KNOWN, action),
        chosen=display is not None,
        timeout_s=180,
    )


def an_outcome(plan: CallPlan, *, good: bool = False) -> Outcome:
    answers = ANSWERS[1:3] if good else ANSWERS
    silent = () if good else ("web5.example.net", "web6.example.net")
    result = a_result(answers, silent=silent, gone=() if good else GONE)
    kept = tuple(each for each in result.answers if plan.keeps(each))
    return Outcome(plan=plan, result=result, refused=(), kept=kept, summaries=plan.summaries(kept))


def whole(form: str, plan: CallPlan, paper: Paper, *, good: bool = False) -> str:
    """Everything that a call writes to stdout."""
    outcome, view = an_outcome(plan, good=good), view_for(form, plan, paper)
    shown = [view.start(Discovery(listed=outcome.result.expected))]
    shown += [view.answer(each) for each in outcome.result.gathered.answers.values()]
    return "".join([*shown, view.end(outcome)])


def _progress(paper: Paper) -> str:
    now = [0.0]
    progress = Progress(lambda: now[0])
    lines = [progress.line(paper.width or 80)]
    progress.start(1000)
    for at, answered in [(0.0, 0), (0.4, 120), (1.5, 600), (9.0, 990), (12.0, 1000)]:
        now[0] = at
        progress.note(answered, 1000)
        lines.append(progress.line(paper.width or 80))
    return "".join(f"{line}\n" for line in lines)


CASES: dict[str, Callable[[Paper], str]] = {
    "text": lambda paper: whole("", a_plan(), paper),
    "text-all-well": lambda paper: whole("", a_plan(), paper, good=True),
    "text-only-failed": lambda paper: whole("", a_plan("failed"), paper),
    "text-none": lambda paper: whole("", a_plan("none"), paper),
    "group": lambda paper: whole("group", a_plan(), paper),
    "table": lambda paper: whole("table", a_plan(), paper),
    "progress": _progress,
    "run": lambda paper: run_view("", paper, one=False).end(a_usual_run()),
    "run-summary": lambda paper: run_view("stream", paper, one=False).account(a_usual_run()),
}
CASES |= FLEET_CASES
PLAIN: dict[str, Callable[[], str]] = {
    "errors": lambda: errors(80),
    "json": lambda: whole("json", a_plan(), Paper()),
    "jsonl": lambda: whole("jsonl", a_plan(), Paper()),
    "csv": lambda: whole("csv", a_plan(), Paper()),
    "senders": lambda: whole("senders", a_plan("ok"), Paper()),
    "markdown": lambda: markdown(DDL),
}


@attrs.frozen
class Golden:
    """One file and how it is made."""

    path: Path
    make: Callable[[], str]


def goldens() -> Iterable[Golden]:
    for name, make in CASES.items():
        for paper_name, paper in PAPERS.items():
            yield Golden(FOLDER / f"{name}.{paper_name}.txt", lambda m=make, p=paper: m(p))
    for name, plain in PLAIN.items():
        yield Golden(FOLDER / f"{name}.txt", plain)
    for width in HELP_WIDTHS:
        for name, args in HELP.items():
            path = FOLDER / f"help-{name}.{width}.txt"
            yield Golden(path, lambda a=args, w=width: help_of(a, w))
        yield Golden(FOLDER / f"ddl-agent.{width}.txt", lambda w=width: _at(w, agent_text, KNOWN))
        action = DDL.actions["status"]
        path = FOLDER / f"ddl-action.{width}.txt"
        yield Golden(path, lambda w=width, a=action: _at(w, action_text, KNOWN, a))


def _at(width: int, make: Callable[..., str], *what: object) -> str:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(width)
    try:
        return make(*what) + "\n"
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


HELP = {"call-package-status": ("call", "package", "status"), **FLEET_HELP}


def help_of(args: tuple[str, ...], width: int) -> str:
    """What ``--help`` prints to a pipe, by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "choria", *args, "--help"],
        env={"COLUMNS": str(width), "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def main() -> None:
    """Write every file anew, and remove those that no case makes."""
    FOLDER.mkdir(exist_ok=True)
    wanted = list(goldens())
    for path in set(FOLDER.glob("*.txt")) - {each.path for each in wanted}:
        path.unlink()
    for each in wanted:
        each.path.write_text(each.make(), encoding="utf-8")


if __name__ == "__main__":
    main()
