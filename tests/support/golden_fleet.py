"""Golden outputs of the commands around `call`: ping, discover, doctor, and what is said to wrong lines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

from choria.cli._doctor_text import finding_lines, summary_line
from choria.cli._latencies import graph_lines, statistics_lines
from choria.cli._terminal import Paper
from choria.cli._text import discovery_summary, missing_summary, ping_line
from choria.client import AnswerGrade, Discovery, Gone
from choria.programs.checkup import broken, doubtful, fine, skipped
from tests.support.answers import a_denial, an_answer

TIMES_MS = {"web1.example.net": 8.2, "web2.example.net": 9.9, "web3.example.net": 10.4, "db1.example.net": 31.0}  # fmt: skip
FINDINGS = [
    fine("configuration", "can be read, every key is known"),
    broken("keys", "others may read /etc/choria-trio/credentials/key.pem", "chmod 600 /etc/choria-trio/credentials/key.pem"),
    doubtful("certificate", "the certificate of client rip of network alpha ends on 2027-01-20 08:00:00Z, 12 days from now", "where the CA is: choria-trio ca renew /etc/choria-trio/credentials; nodes with `doors` renew by themselves"),
    fine("dns", "broker1.example.net:7422"),
    broken("tcp", "broker1.example.net:7422: Connection refused", "is the broker running (there: choria-trio doctor --broker FILE), and no firewall between?"),
    skipped("tls", "a check before it failed"),
]  # fmt: skip
WRONG = [
    "ping --config missing.toml",
    "ping -F nonsense",
    "ping --dm dns",
    "ping --nonsense",
    "nonsense",
    "doctor --node a --broker b",
    "config show nobody",
    "call package nothing",
]
RUN = """
import io, json, sys
from choria.cli import main
for line in json.load(sys.stdin):
    print(f"$ choria-trio {line}", file=sys.stderr, flush=True)
    code = main(line.split())
    print(f"exit code {int(code)}\\n", file=sys.stderr, flush=True)
"""


def found(*, well: bool = False) -> Discovery:
    """A fleet."""
    matched = [
        an_answer(name, elapsed_ms=ms, grade=AnswerGrade.LINK) for name, ms in TIMES_MS.items()
    ]
    if well:
        return Discovery(matched=matched, asked=4, elapsed_s=0.033)
    return Discovery(
        matched=matched,
        unmatched=["mail1.example.net"],
        refused=[a_denial("db2.example.net")],
        silent=["web5.example.net", "web6.example.net"],
        gone=[Gone(identity="web9.example.net", left_at_ms=None, why="the connection was lost")],
        asked=8,
        elapsed_s=2.004,
    )


def ping(paper: Paper, *, well: bool = False) -> str:
    """What ``ping --graph`` prints."""
    fleet = found(well=well)
    times = [answer.elapsed_ms for answer in fleet.matched]
    lines = [ping_line(answer) for answer in fleet.matched]
    lines += [*statistics_lines(times), *graph_lines(times, paper.width or 80)]
    return "\n".join([*lines, *missing_summary(fleet)]) + "\n"


def discover(paper: Paper) -> str:
    """What ``discover`` prints, names first."""
    del paper
    return "\n".join([*found().names, *discovery_summary(found())]) + "\n"


def doctor(paper: Paper, *, verbose: bool = False) -> str:
    """What ``doctor`` prints."""
    lines = [line for each in FINDINGS for line in finding_lines(each, paper, verbose=verbose)]
    counts = Counter(each.verdict for each in FINDINGS)
    return "\n".join([*lines, summary_line(counts, 0.76)]) + "\n"


def errors(width: int) -> str:
    """What wrong lines are answered with, and the exit codes."""
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        env={"COLUMNS": str(width), "HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
        cwd="/", input=json.dumps(WRONG), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stderr


FLEET_CASES: dict[str, Callable[[Paper], str]] = {
    "ping": ping,
    "ping-all-well": lambda paper: ping(paper, well=True),
    "discover": discover,
    "doctor": doctor,
    "doctor-verbose": lambda paper: doctor(paper, verbose=True),
}
FLEET_HELP: dict[str, tuple[str, ...]] = {
    "ping": ("ping",),
    "discover": ("discover",),
    "doctor": ("doctor",),
    "config-show": ("config", "show"),
    "completion": ("completion",),
    "ca-issue": ("ca", "issue"),
}
