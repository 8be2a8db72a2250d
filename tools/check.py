"""``./check``: one line a step with its seconds; pytest runs last and keeps the last word."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import bootstrap

STEPS = {
    "format": ("ruff", "format", "--check", "."),
    "lint": ("ruff", "check", "."),
    "types": ("mypy",),
    "imports": ("lint-imports",),
}
# Two workers for two cores. loadgroup: tests that start processes and measure real seconds share
# one group (tests/conftest.py), so they never compete with each other.
PYTEST = (
    "-m",
    "pytest",
    "-q",
    "-n",
    "2",
    "--dist",
    "loadgroup",
    "-m",
    "not interop and not processes",
)
USAGE = """usage: ./check [PYTEST ARGUMENTS]

Makes .venv when it is missing, then runs: ruff format, ruff check, mypy, import contracts, pytest.
Arguments go to pytest: ./check tests/unit -k link
Exit code 0 when every step passed, else 1.
"""


def run_step(name: str, command: Sequence[str]) -> bool:
    """Run one quiet step; print its line, and its output only when it failed."""
    started = time.perf_counter()
    done = subprocess.run(  # noqa: S603  # a tool of our own .venv
        [bootstrap.VENV / "bin" / command[0], *command[1:]],
        cwd=bootstrap.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    verdict = "FAILED" if done.returncode else "ok"
    if done.returncode:
        sys.stdout.write(done.stdout)
    sys.stdout.write(f"{name:<8} {time.perf_counter() - started:6.1f} s  {verdict}\n")
    sys.stdout.flush()
    return done.returncode == 0


def run_tests(python: Path, arguments: Sequence[str]) -> bool:
    """Run pytest on our own stdout, so that its closing line is the last one."""
    done = subprocess.run(  # noqa: S603  # pytest of our own .venv
        [python, *PYTEST, *arguments], cwd=bootstrap.ROOT, check=False
    )
    return done.returncode == 0


def main(arguments: Sequence[str]) -> int:
    """Run every step, also after a failed one, and return the exit code."""
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(USAGE)
        return 0
    python = bootstrap.ensure_or_exit("dev")
    os.environ.pop("PYTHONPATH", None)  # what is tested is this checkout, whoever calls
    try:
        failed = [name for name, command in STEPS.items() if not run_step(name, command)]
        if not run_tests(python, arguments):
            failed.append("tests")
    except KeyboardInterrupt:
        return 130
    if failed:
        sys.stdout.write(f"check: FAILED: {', '.join(failed)}\n")
    return 1 if failed else 0
