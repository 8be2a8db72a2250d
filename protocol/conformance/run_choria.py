"""Runs the suite against this repository's programs.

The suite stands in an environment of its own, where choria cannot be imported; the programs under
test are started by ``programs.py``, in the environment that runs this file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen, run

HERE = Path(__file__).resolve().parent
PRELOADED_WITHIN_S = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="choria-conformance", help="the suite's command")
    parser.add_argument("--launcher", type=Path, help="starts programs in place of ours")
    chosen, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="cwp-") as folder:
        if chosen.launcher:
            command = f"{sys.executable} {chosen.launcher}"
            return run_suite(chosen.suite, Path(folder), command, rest)
        with preloaded(Path(folder) / "socket") as command:
            return run_suite(chosen.suite, Path(folder), command, rest)


@contextmanager
def preloaded(path: Path) -> Iterator[str]:
    """The command that starts our programs, as long as the block lasts: see ``preloaded.py``."""
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import preloaded; preloaded.serve({str(path)!r})"
    with Popen([sys.executable, "-c", code]) as server:  # noqa: S603  # our own program
        try:
            deadline = time.monotonic() + PRELOADED_WITHIN_S
            while not path.exists() and server.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            yield f"{sys.executable} -I -S {HERE / 'preloaded.py'} {path}"
        finally:
            server.kill()


def run_suite(suite: str, folder: Path, command: str, rest: list[str]) -> int:
    """Make credentials, with our CA, and judge."""
    ca, credentials = str(folder / "ca"), str(folder / "credentials")
    call([sys.executable, "-m", "choria", "ca", "init", "--network", "alpha", ca])
    call([suite, "--make-credentials", credentials, "--ca", ca])
    return call([suite, "--credentials", credentials, "--command", command, *rest], check=False)


def call(command: list[str], *, check: bool = True) -> int:
    """Run a program of this repository; its output is ours."""
    return run(command, check=check).returncode  # noqa: S603  # our own programs


if __name__ == "__main__":
    sys.exit(main())
