"""The installer behind ``./check`` and ``./demo``: what is installed when."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import bootstrap, check

GROUPS = {"test": ["pytest>=8"], "lint": ["ruff"], "dev": [{"include-group": "test"}, "nox"]}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose .venv seems to exist and whose pip calls are only written down."""
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\ntest = ["a"]\ndev = ["b"]\n')
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").touch()
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", venv)
    monkeypatch.setattr(bootstrap, "PYTHON", venv / "bin/python")
    monkeypatch.setattr(bootstrap, "STAMP", venv / "installed.json")
    monkeypatch.setattr(bootstrap, "PYPROJECT", tmp_path / "pyproject.toml")
    return tmp_path


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "_pip_install", lambda arguments: calls.append(list(arguments)))
    return calls


def test_includes_of_groups_are_resolved():
    assert bootstrap.group_requirements(GROUPS, "dev") == ["pytest>=8", "nox"]


def test_installs_once_then_only_what_is_new(checkout: Path, pip: list[list[str]]):
    bootstrap.ensure()
    bootstrap.ensure()
    bootstrap.ensure("dev")
    bootstrap.ensure()
    assert pip == [["-e", "."], ["b"]]


def test_a_changed_project_file_installs_everything_again(checkout: Path, pip: list[list[str]]):
    bootstrap.ensure("dev")
    with (checkout / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    bootstrap.ensure("dev")
    assert pip == [["-e", ".", "b"]] * 2


@pytest.mark.usefixtures("checkout")
def test_a_failed_installation_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    def fail(_arguments: list[str]) -> None:
        raise bootstrap.BootstrapError("no index")

    bootstrap.STAMP.write_text(json.dumps({"fingerprint": "old", "groups": ["project"]}))
    monkeypatch.setattr(bootstrap, "_pip_install", fail)
    for _ in range(2):
        with pytest.raises(bootstrap.BootstrapError, match="no index"):
            bootstrap.ensure()
    assert not bootstrap.STAMP.exists()


@pytest.mark.usefixtures("checkout")
def test_a_damaged_stamp_counts_as_none(pip: list[list[str]]):
    bootstrap.STAMP.write_text("{")
    bootstrap.ensure()
    assert pip == [["-e", "."]]


def test_pips_own_words_are_in_the_error(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    fake = checkout / "python"
    fake.write_text("#!/bin/sh\necho 'ERROR: No matching distribution' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(bootstrap, "PYTHON", fake)
    with pytest.raises(bootstrap.BootstrapError, match="No matching distribution"):
        bootstrap._pip_install(["x"])


@pytest.mark.parametrize("script", ["check", "demo"])
def test_scripts_are_executable_and_refuse_an_old_python_in_words(script: str):
    path = Path(check.__file__).parent.parent / script
    assert os.access(path, os.X_OK)
    old = "import sys; sys.version_info = (3, 9, 2)\n"  # before anything newer is imported
    done = subprocess.run(
        [sys.executable, "-c", old + path.read_text()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "needs Python 3.11 or later, this is 3.9" in done.stderr


def test_help_of_check_needs_no_installation():
    path = Path(check.__file__).parent.parent / "check"
    done = subprocess.run(
        [sys.executable, "-E", "-S", path, "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: ./check")
    assert done.stderr == ""


def test_a_failed_step_shows_its_output(capsys: pytest.CaptureFixture[str], monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin/tool"
    tool.write_text("#!/bin/sh\necho $1\n[ $1 = good ]\n")
    tool.chmod(0o755)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    assert check.run_step("one", ("tool", "good"))
    assert not check.run_step("two", ("tool", "bad"))
    good, shown, bad = capsys.readouterr().out.splitlines()
    assert good.split()[0] == "one"
    assert good.endswith("ok")
    assert shown == "bad"
    assert bad.endswith("FAILED")
