"""Every program and command that the documents on Python and on own commands show, run on a real fleet."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kept_demo import kept_demo

pytestmark = pytest.mark.timeout(180)
ROOT = Path(__file__).resolve().parents[2]
PYTHON = (ROOT / "docs/howto/use-from-python.md").read_text()
COMMANDS = (ROOT / "docs/howto/add-your-own-commands.md").read_text()


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


PROGRAMS = blocks(PYTHON, "python")
LINES = [line for block in blocks(COMMANDS, "sh") for line in block.splitlines()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose configuration is the demo's, with what the documents tell to write."""
    home = tmp_path_factory.mktemp("home")
    with kept_demo(tmp_path_factory.mktemp("demo"), nodes=2) as stage:
        (home / ".config").mkdir()
        (home / ".config/choria-trio").symlink_to(stage)
        (stage / "commands.d").mkdir()
        (stage / "commands.d/site.yaml").write_text(blocks(COMMANDS, "yaml")[0])
        (home / "site_commands.py").write_text(blocks(COMMANDS, "python")[0])
        info = home / "site_commands-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: site-commands\nVersion: 1.0\n")
        entries = blocks(COMMANDS, "toml")[0].replace('"', "").partition("\n")[2]
        (info / "entry_points.txt").write_text(f"[choria.commands]\n{entries}")
        yield home


def run(place: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HOME": str(place), "PYTHONPATH": str(place)}
    env.pop("XDG_CONFIG_HOME", None)
    return subprocess.run(
        [sys.executable, *argv], cwd=place, env=env, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_programs_run(place: Path, program: str) -> None:
    if "rpcutil_client" in program:
        words = (
            "-m",
            "choria",
            "plugin",
            "generate",
            "client",
            "rpcutil",
            "-o",
            "rpcutil_client.py",
        )
        assert run(place, *words).returncode == 0
    done = run(place, "-c", program)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("line", LINES)
def test_commands_run(place: Path, line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "choria-trio"
    done = run(place, "-m", "choria", *words)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr
    if "shout" in line:
        assert done.stdout == "HELLO $(ID)\n"


def test_the_package_runs(place: Path) -> None:
    done = run(place, "-m", "choria", "inventory-report")
    assert (done.returncode, done.stdout) == (0, "2 nodes host rpcutil\n"), done.stderr
    assert "inventory-report" in run(place, "-m", "choria", "--help").stdout


def test_there_is_something_to_run() -> None:
    assert (len(PROGRAMS) >= 6, len(LINES) >= 6) == (True, True)
