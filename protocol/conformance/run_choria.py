"""Runs the suite against this repository's programs.

The suite stands in an environment of its own, where choria cannot be imported; the programs under
test are started by this file with ``--as-program``, in the environment that runs it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from subprocess import run

HERE = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="choria-conformance", help="the suite's command")
    parser.add_argument("--launcher", type=Path, default=HERE / "programs.py")
    chosen, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="cwp-") as folder:
        return run_suite(chosen.suite, Path(folder), chosen.launcher, rest)


def run_suite(suite: str, folder: Path, launcher: Path, rest: list[str]) -> int:
    """Make credentials, with our CA, and judge."""
    ca, credentials = str(folder / "ca"), str(folder / "credentials")
    call([sys.executable, "-m", "choria", "ca", "init", "--network", "alpha", ca])
    call([suite, "--make-credentials", credentials, "--ca", ca])
    command = f"{sys.executable} {launcher}"
    return call([suite, "--credentials", credentials, "--command", command, *rest], check=False)


def call(command: list[str], *, check: bool = True) -> int:
    """Run a program of this repository; its output is ours."""
    return run(command, check=check).returncode  # noqa: S603  # our own programs


if __name__ == "__main__":
    sys.exit(main())
