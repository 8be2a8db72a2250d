"""Clients made from DDLs that ship: looked at, held by linter and type checker, and they work.

``CHORIA_TRIO_REGOLD=1`` writes the files anew; look at what changed before committing it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from choria.agents import shipped_ddl
from choria.api import Options
from choria.ddl import ActionDDL, AgentDDL, InputItem, Metadata, OutputItem
from choria.ddl.python import client_module

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/golden_clients"
AGENTS = ["rpcutil", "package"]
ALL = ["executor", "file", "package", "process", "puppet", "rpcutil", "service", "shell"]


def client_of(agent: str) -> str:
    ddl = shipped_ddl(agent)
    assert ddl is not None
    return client_module(ddl)


@pytest.mark.parametrize("agent", AGENTS)
def test_clients_are_as_they_were_looked_at(agent: str) -> None:
    path = FOLDER / f"{agent}_client.py.txt"
    if os.environ.get("CHORIA_TRIO_REGOLD"):
        path.write_text(client_of(agent))
    assert path.read_text() == client_of(agent)


USE = """
from choria.api import Fleet
from choria.api.blocking import BlockingFleet

from package_client import BlockingPackageClient, PackageClient


async def use(fleet: Fleet) -> str:
    await PackageClient(fleet).status(package="bash")
    async for reply in PackageClient(fleet).apt_update():
        return reply.data["output"]
    return ""


def plain(fleet: BlockingFleet) -> list[str]:
    calling = BlockingPackageClient(fleet).yum_clean(mode="all")
    return [reply.sender for reply in calling]
"""
MISUSE = """
from package_client import PackageClient


async def use(client: PackageClient) -> int:
    await client.status()
    await client.status(package=1)
    await client.yum_clean(mode="everything")
    async for reply in client.apt_update():
        return reply.data["output"]
    return reply.data["nosuch"]
"""


def tool(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *args], cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )  # fmt: skip


def test_clients_pass_linter_and_type_checker_and_help_the_latter(tmp_path: Path) -> None:
    for agent in ALL:
        (tmp_path / f"{agent}_client.py").write_text(client_of(agent))
    config = str(ROOT / "pyproject.toml")
    rules = ["--config", config, "--ignore", "INP001"]
    linted = tool(tmp_path, "ruff", "check", "--no-cache", *rules, ".")
    assert linted.returncode == 0, linted.stdout
    (tmp_path / "use.py").write_text(USE)
    (tmp_path / "misuse.py").write_text(MISUSE)
    checked = tool(tmp_path, "mypy", "--strict", "--config-file", os.devnull, ".")
    wrong = [line for line in checked.stdout.splitlines() if ": error:" in line]
    assert all(line.startswith("misuse.py:") for line in wrong), checked.stdout
    assert {int(line.split(":")[1]) for line in wrong} == {6, 7, 8, 10, 11}, checked.stdout


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Recorder:
    """A fleet that notes what it is asked."""

    def call_typed(self, kind: Any, *args: Any, **options: Any) -> Any:
        return kind.__name__, args, options


def test_names_that_are_taken_reach_the_node_as_the_ddl_has_them(tmp_path: Path) -> None:
    inputs = [
        InputItem(name=name, type="string", optional=True) for name in ("class", "where", "a-b")
    ]
    outputs = [OutputItem(name=name, display_as=name) for name in ("a-b", "__x")]
    action = ActionDDL(
        name="import",
        inputs={each.name: each for each in inputs},
        outputs={each.name: each for each in outputs},
    )
    ddl = AgentDDL(metadata=Metadata(name="odd"), actions={"import": action})
    path = tmp_path / "odd_client.py"
    path.write_text(client_module(ddl))
    module = loaded(path)
    asked = module.OddClient(Recorder()).import_(class_="1", where_="2", a_b="3", where=None)
    given = {"class": "1", "where": "2", "a-b": "3"}
    assert asked == (
        "ImportData", ("odd", "import", given), {"where": None, "options": Options()},
    )  # fmt: skip
    assert set(module.ImportData.__annotations__) == {"a-b", "__x"}
