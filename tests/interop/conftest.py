"""Tests beside other implementations: a counterpart that is missing fails, it is never skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SYSTEM = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
Run = Callable[..., str]


@pytest.fixture(scope="session")
def run() -> Run:
    """Run another implementation from the system's folders, and return what it printed."""

    def run_tool(*command: str) -> str:
        program = shutil.which(command[0], path=SYSTEM["PATH"])
        if program is None:
            pytest.fail(f"{command[0]} is missing: .ci/run says how to install it")
        done = subprocess.run(
            [program, *command[1:]],
            env=SYSTEM,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
        return done.stdout

    return run_tool


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """The folder of real files of Choria's users."""
    folder = os.environ.get("CHORIA_TRIO_ARTEFACTS", "")
    if not folder or not Path(folder).is_dir():
        pytest.fail("set CHORIA_TRIO_ARTEFACTS to a folder with ddl/, policies/, replies/, facts/")
    return Path(folder)
