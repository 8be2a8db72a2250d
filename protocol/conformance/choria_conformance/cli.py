"""``choria-conformance``: what to judge, and how to say it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

import trio

from . import __version__
from .authority import make_credentials
from .cases import Case
from .catalog import PROFILES, all_cases, select
from .gate import coverage, find_gaps, read_untestable
from .principals import Credentials
from .report import details, is_bad, junit, line, summary, tap
from .runner import Outcome, run_cases
from .settings import Settings, parse_address, parse_command
from .spec import Requirement, read_requirements
from .verdicts import Verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Returns 0 if all is well, 1 if the implementation fails, 2 for bad usage."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        requirements = read_requirements(chosen.spec)
        return _run(chosen, requirements)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="choria-conformance", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help="names, parts, patterns or requirements"
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--profile", choices=PROFILES)
    parser.add_argument("--address", type=parse_address, help="host:port of a broker that runs")
    parser.add_argument(
        "--command", type=parse_command, default=(), help="starts the program under test"
    )
    parser.add_argument("--credentials", type=Path, help="folder; see --make-credentials")
    parser.add_argument(
        "--make-credentials", type=Path, metavar="DIR", help="write test credentials"
    )
    parser.add_argument("--ca", type=Path, help="with --make-credentials: an existing test CA")
    parser.add_argument("--network", default="alpha", help="with --make-credentials")
    parser.add_argument("--jobs", type=int, default=8, help="cases at a time")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds a case may wait")
    parser.add_argument("--spec", type=Path, help="SPEC.md, instead of the one that was shipped")
    parser.add_argument("--tap", type=Path, help="write TAP 14")
    parser.add_argument("--junit", type=Path, help="write JUnit XML")
    parser.add_argument("--list", action="store_true", help="print the cases and stop")
    parser.add_argument("--gate", action="store_true", help="compare cases with the specification")
    parser.add_argument("--quiet", action="store_true", help="print what did not pass only")
    return parser


def _run(chosen: argparse.Namespace, requirements: dict[str, Requirement]) -> int:
    if chosen.make_credentials:
        make_credentials(chosen.make_credentials, chosen.network, chosen.ca)
        return 0
    if chosen.gate:
        return _gate(requirements)
    cases = select(all_cases(), chosen.profile, chosen.cases)
    if chosen.list:
        _say(*(f"{case.name} [{' '.join(case.requirements)}]" for case in cases))
        return 0
    if chosen.credentials is None:
        raise ValueError("--credentials names the folder with test credentials")
    return _judge(cases, chosen, requirements)


def _gate(requirements: dict[str, Requirement]) -> int:
    cases, untestable = all_cases(), read_untestable()
    gaps = find_gaps(cases, requirements, untestable)
    _say(*gaps, coverage(cases, requirements, untestable))
    return 1 if gaps else 0


def _judge(
    cases: list[Case], chosen: argparse.Namespace, requirements: dict[str, Requirement]
) -> int:
    outcomes: list[Outcome] = []

    def report(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if outcome.verdict is not Verdict.PASS or not chosen.quiet:
            _say(line(outcome), *details(outcome, requirements))

    with tempfile.TemporaryDirectory(prefix="cwp-") as scratch:
        settings = Settings(
            credentials=Credentials(chosen.credentials.resolve()), scratch=Path(scratch),
            address=chosen.address, command=chosen.command, patience_s=chosen.patience,
        )  # fmt: skip
        trio.run(partial(run_cases, cases, settings, chosen.jobs, report))
    for path, write in ((chosen.tap, tap), (chosen.junit, junit)):
        if path:
            path.write_text(write(outcomes, requirements))
    _say(summary(outcomes))
    return 1 if is_bad(outcomes) else 0


def _say(*lines: str, to: TextIO | None = None) -> None:
    out = to or sys.stdout
    out.write("".join(f"{text}\n" for text in lines))
    out.flush()
