"""Runs the suite against every broken variant: each must be caught, by the requirement that it breaks.

Beside the cases that must fail runs a control that must pass, so that a variant which does not even
start counts for nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from subprocess import run
from xml.etree import ElementTree as ET

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from broken_applicant import VARIANTS as APPLICANTS  # noqa: E402
from broken_broker import VARIANTS as BROKERS  # noqa: E402
from broken_client import VARIANTS as CLIENTS  # noqa: E402
from broken_door import VARIANTS as DOORS  # noqa: E402
from broken_node import VARIANTS as NODES  # noqa: E402
from broken_relay import VARIANTS as RELAYS  # noqa: E402
from variant import CONTROLS, Variant  # noqa: E402

ALL = (*BROKERS, *NODES, *CLIENTS, *RELAYS, *DOORS, *APPLICANTS)


def main() -> int:
    """Returns 0 if every variant was caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names; none: all")
    parser.add_argument("--suite", default="choria-conformance", help="the suite's command")
    parser.add_argument("--jobs", type=int, default=3)
    chosen = parser.parse_args()
    wanted = [v for v in ALL if not chosen.names or any(n in v.name for n in chosen.names)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cwp-") as folder:
        credentials = Path(folder) / "credentials"
        run([chosen.suite, "--make-credentials", str(credentials)], check=True)  # noqa: S603  # our own
        judge = partial(judged, suite=chosen.suite, credentials=credentials)
        with ThreadPoolExecutor(chosen.jobs) as pool:
            problems = list(pool.map(judge, wanted))
    for variant, problem in zip(wanted, problems, strict=True):
        verdict = f"NOT CAUGHT: {problem}" if problem else f"caught by {variant.requirement}"
        sys.stdout.write(f"{variant.profile:9} {variant.name}: {verdict}\n")
    missed = sum(map(bool, problems))
    sys.stdout.write(
        f"{len(wanted)} variants, {missed} not caught, {time.monotonic() - began:.0f} s\n"
    )
    return 1 if missed else 0


def judged(variant: Variant, *, suite: str, credentials: Path) -> str:
    """Why a variant was not caught as it must be; empty if it was."""
    with tempfile.TemporaryDirectory(prefix="cwp-") as folder:
        report = Path(folder) / "report.xml"
        control = CONTROLS[variant.profile]
        result = run(  # noqa: S603  # our own programs
            [suite, "--profile", variant.profile, "--credentials", str(credentials), "--quiet",
             "--command", f"{sys.executable} {HERE / 'launch.py'}", "--junit", str(report),
             *variant.cases, control],
            check=False, capture_output=True, text=True, cwd=folder,
            env={**os.environ, "CWP_VARIANT": variant.name},
        )  # fmt: skip
        if not report.exists():
            return f"the suite ended with {result.returncode}: {result.stdout[-500:]}{result.stderr[-500:]}"
        return _problem(variant, ET.parse(report), control)  # noqa: S314  # written by the suite


def _problem(variant: Variant, report: ET.ElementTree, control: str) -> str:
    failures = {}
    for case in report.iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}/{case.get('name')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        failures[name] = bad
    if failures.get(control) is not None or control not in failures:
        bad = failures.get(control)
        return f"the control {control} did not pass: {'' if bad is None else bad.text or ''}"[:500]
    named = [
        bad.text or "" for bad in failures.values() if bad is not None and bad.tag == "failure"
    ]
    if not any(f"{variant.requirement}:" in text for text in named):
        return f"no case failed that names {variant.requirement}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
