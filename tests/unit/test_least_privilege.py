"""What the code may not even contain: names looked up at run time, shells, code made of data.

A name from the wire becomes a call in tables only (Salt's `ClearFuncs` was a getattr on one).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "choria").rglob("*.py"))

CALLS = {"eval", "exec", "compile", "__import__", "globals", "locals", "vars", "setattr", "delattr"}
"""Never called by these names."""
MODULES = {"pickle", "marshal", "shelve", "dill", "importlib.util", "runpy", "code", "ctypes", "pty",
           "xmlrpc", "jsonpickle"}  # fmt: skip
ATTRIBUTES = {
    ("os", "system"), ("os", "popen"), ("os", "execv"), ("os", "execvp"), ("os", "fork"),
    ("os", "spawnl"), ("os", "spawnv"), ("os", "startfile"),
    ("yaml", "load"), ("yaml", "unsafe_load"), ("subprocess", "getoutput"),
    ("subprocess", "getstatusoutput"), ("tempfile", "mktemp"),
}  # fmt: skip
STARTERS = {
    *(f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")),
    *("trio.run_process", "trio.lowlevel.open_process"),
}

NAMED_BY_US = {
    "choria/__init__.py": "names of a table in the same file",
    "choria/_lazy.py": "names of the tables that packages hand it",
    "choria/enrol/anchors.py": "members of an enumeration",
    "choria/filters/compound/tree.py": "the slots of our own classes",
}
"""Files that may use getattr with a name that is not written there, and where it comes from."""
LAZY = "choria/_lazy.py"
"""Imports, gets and keeps what tables in our own packages name; tests/unit/test_lazy_packages.py reads them."""
IMPORTS = {("choria/programs/policy.py", "ctypes"): "silences a library that prints"}
FORKS = {"choria/agents/jobs/keeper.py": "leaves the node's session, to outlive it"}
RUNS_CODE = {"choria/agents/found/modules.py": "agents on disk, after owner and mode were checked"}
PROGRAMS = "choria/programs/"
"""What a person starts may start programs."""
CLEAN = {"choria/agents/jobs/keeper.py", "choria/spawn/running.py"}
"""What a node runs: never with the node's environment."""


class Finding(NamedTuple):
    place: str
    what: str


def findings(path: Path, source: str) -> Iterator[Finding]:
    name = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(source)):
        for what in judge(name, node):
            yield Finding(f"{name}:{getattr(node, 'lineno', 0)}", what)


def judge(name: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from judge_imports(name, [alias.name for alias in node.names])
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield from judge_imports(name, [node.module or ""])
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        named = (node.value.id, node.attr)
        if named in ATTRIBUTES and not (named == ("os", "fork") and name in FORKS):
            yield f"{node.value.id}.{node.attr}"
    elif isinstance(node, ast.Call):
        yield from judge_call(name, node)


def judge_imports(name: str, modules: list[str]) -> Iterator[str]:
    for module in modules:
        if module in MODULES and (name, module) not in IMPORTS:
            yield f"import {module}"


def judge_call(name: str, node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    literal = [isinstance(argument, ast.Constant) for argument in node.args]
    if called in CALLS and name not in RUNS_CODE and (name, called) != (LAZY, "setattr"):
        yield called
    if called == "getattr" and name not in NAMED_BY_US and not literal[1]:
        yield "getattr with a name from elsewhere"
    if called == "importlib.import_module" and literal != [True] and name != LAZY:
        yield "import of a name from elsewhere"
    if called == "YAML" and not any(is_keyword(word, "typ", "safe") for word in node.keywords):
        yield "YAML that is not safe"
    if any(word.arg == "shell" for word in node.keywords):
        yield "shell="
    if called in STARTERS:
        yield from judge_start(name, node)


def judge_start(name: str, node: ast.Call) -> Iterator[str]:
    words = {word.arg for word in node.keywords}
    if name not in CLEAN and not name.startswith(PROGRAMS):
        yield "starts a program"
    if not node.args or isinstance(node.args[0], ast.Constant | ast.JoinedStr | ast.BinOp):
        yield "a command line that is no list"
    if name in CLEAN and not {"env", "cwd"} <= words:
        yield "a program with the node's environment"


def is_keyword(word: ast.keyword, name: str, value: str) -> bool:
    return word.arg == name and isinstance(word.value, ast.Constant) and word.value.value == value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_run_by_name(path: Path):
    assert list(findings(path, path.read_text())) == []


@pytest.mark.parametrize(
    "line",
    [
        "eval(x)",
        "getattr(agent, name)",
        "import pickle",
        "from marshal import loads",
        "os.system('x')",
        "importlib.import_module(name)",
        "import subprocess, ctypes",
        "subprocess.run('ls ' + name)",
        "subprocess.run(f'ls {name}')",
        "subprocess.run(['ls'], shell=True)",
        "trio.run_process('ls')",
        "yaml.load(text)",
        "YAML()",
        "YAML(typ='unsafe')",
    ],
)
def test_what_is_looked_for_is_found(line: str):
    assert list(findings(ROOT / "choria/x.py", line))


def test_a_program_without_an_environment_of_its_own_is_found():
    line = "trio.run_process(argv)"
    assert list(findings(ROOT / "choria/spawn/running.py", line))


@pytest.mark.parametrize("name", sorted({*NAMED_BY_US, *CLEAN, *(name for name, _ in IMPORTS)}))
def test_exceptions_are_files_that_exist(name: str):
    assert (ROOT / name).is_file()
