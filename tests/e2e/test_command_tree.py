"""What holds for every command, those included that are added later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from choria.cli._examples import EXAMPLES
from choria.cli._tree import examples_of
from tests.support.command_tree import Command, commands

ALL = commands()
NAMES = [each.name for each in ALL]
WITH_JSON = [each for each in ALL if "--json" in each.flags]
ENOUGH = {
    # What makes a command end at once, beside --json and "x" for each word that it needs.
    "call": ("rpcutil", "ping"),
    "demo": ("--nodes", "0"),
}
HEAVY = {
    # 20 ms and more each, measured, and no command needs them to say what its flags are.
    "trio", "cryptography", "cbor2", "re2", "pygjson", "ruamel.yaml", "dns", "psutil", "markdown_it",
    "rich.markdown", "choria.client", "choria.net", "choria.node", "choria.broker", "choria.wire",
    "choria.trust", "choria.filters", "choria.ddl", "choria.programs",
}  # fmt: skip
RUN_ALL = """
import contextlib, io, json, sys
from choria.cli import main

def run(words):
    out, err, before = io.StringIO(), io.StringIO(), set(sys.modules)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    new = sorted(set(sys.modules) - before)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue(), "imported": new}

print(json.dumps([run(words) for words in json.load(sys.stdin)]))
"""


def run_all(folder: Path, lines: list[list[str]]) -> list[dict[str, Any]]:
    """Many lines, one after the other, in one fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        cwd=folder, env={**os.environ, "HOME": str(folder), "COLUMNS": "80"}, input=json.dumps(lines),
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """As a process of its own, where nothing is configured."""
    return subprocess.run(
        [sys.executable, "-m", "choria", *args],
        cwd=folder, env={**os.environ, "HOME": str(folder)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def helps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    lines = [[*each.path, "--help"] for each in ALL]
    return dict(zip(NAMES, run_all(tmp_path_factory.mktemp("help"), lines), strict=True))


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    lines = [[*each.path, *each.needs, "--no-such-flag"] for each in ALL]
    return dict(zip(NAMES, run_all(tmp_path_factory.mktemp("wrong"), lines), strict=True))


def test_there_are_commands() -> None:
    assert {"ping", "call", "ca issue", "policy check"} <= set(NAMES)


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_help_ends_with_examples(helps: dict[str, dict[str, Any]], command: Command) -> None:
    told = helps[command.name]
    assert (told["code"], told["err"]) == (0, "")
    assert f"Usage: choria-trio {command.name}" in told["out"]
    examples = told["out"].partition("Examples:\n")[2].splitlines()
    start = f"  choria-trio {command.name}"
    assert any(line.startswith(start) for line in examples), "add some to choria/cli/_examples.py"
    assert all(len(line) < 80 for line in examples_of(command.name, EXAMPLES).splitlines())


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_help_imports_nothing_heavy(helps: dict[str, dict[str, Any]], command: Command) -> None:
    heavy = HEAVY & set(helps[command.name]["imported"])
    assert not heavy, "import it inside of the function that needs it"


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_a_wrong_flag_is_a_usage_error(wrong: dict[str, dict[str, Any]], command: Command) -> None:
    told = wrong[command.name]
    assert (told["code"], told["out"]) == (2, "")
    assert "--no-such-flag" in told["err"]


@pytest.mark.parametrize("command", WITH_JSON, ids=[each.name for each in WITH_JSON])
def test_json_parses_errors_included(tmp_path: Path, command: Command) -> None:
    words = (*command.needs, *ENOUGH.get(command.name, ()))
    done = run(tmp_path, *command.path, *words, "--json")
    if done.returncode:
        error = json.loads(done.stderr)
        assert error["exit_code"] == done.returncode
        assert error["error"]
        assert "Traceback" not in error["error"]
    if done.stdout:
        json.loads(done.stdout)
    assert done.stdout or done.returncode


@pytest.mark.parametrize("command", WITH_JSON, ids=[each.name for each in WITH_JSON])
def test_json_parses_when_the_line_is_wrong(tmp_path: Path, command: Command) -> None:
    line = [*command.path, *command.needs, "--json", "--no-such-flag"]
    (told,) = run_all(tmp_path, [line])
    assert json.loads(told["err"])["exit_code"] == told["code"] == 2
    assert told["out"] == ""
