"""Agents on disk: added, upgraded, removed and refused while the node runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from choria.agents import rpcutil_agent
from choria.agents.found import Catalogue, Found, ModuleFolder, Scan
from choria.agents.found.files import owner_complaint
from choria.agents.found.model import ActivationLateError
from tests.support.agent_context import a_context
from tests.support.node_world import an_agent

SOURCE = '''
from __future__ import annotations
import msgspec
from choria.agents import About, Agent, action

class Out(msgspec.Struct):
    version: str

class Deploy(Agent):
    """Deploys."""
    about = About(version="{version}")

    async def activate(self, facts):
        return facts.get("role") != "database"

    @action()
    async def running(self) -> Out:
        """What runs."""
        return Out("{version}")
'''


def write(folder: Path, name: str, text: str) -> Path:
    """A file as a deployment tool leaves it: ours, and nobody else's to write."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o644)
    return path


def set_mode(path: Path, mode: int) -> None:
    """What an administrator does."""
    path.chmod(mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "agents"
    made.mkdir(mode=0o755)
    return made


def catalogue(folder: Path, facts: Mapping[str, Any] | None = None) -> Catalogue:
    return Catalogue([rpcutil_agent()], [ModuleFolder(folder)], lambda: facts or {})


def names(found: Catalogue) -> dict[str, str]:
    return {agent.ddl.name: agent.ddl.metadata.version for agent in found.agents}


async def result(found: Catalogue) -> Any:
    (agent,) = [each for each in found.agents if each.ddl.name == "deploy"]
    return await agent.actions["running"]({}, a_context())


async def test_added_upgraded_and_removed(folder: Path) -> None:
    found = catalogue(folder)
    await found.start()
    shipped = names(found)
    path = write(folder, "deploy.py", SOURCE.format(version="1.0"))
    assert not await found.refresh()  # it may still be being written
    assert await found.refresh()
    assert names(found) == shipped | {"deploy": "1.0"}
    assert not await found.refresh()
    (old,) = [each for each in found.agents if each.ddl.name == "deploy"]

    write(folder, "deploy.py", SOURCE.format(version="2.0"))
    assert not await found.refresh()
    assert await result(found) == {"version": "1.0"}
    assert await found.refresh()
    assert await result(found) == {"version": "2.0"}
    # A call that began with the old one ends with it.
    assert await old.actions["running"]({}, a_context()) == {"version": "1.0"}

    path.unlink()
    assert await found.refresh()
    assert names(found) == shipped


async def test_start_takes_what_is_there(folder: Path) -> None:
    write(folder, "deploy.py", SOURCE.format(version="1.0"))
    found = catalogue(folder)
    await found.start()
    assert "deploy" in names(found)


async def test_an_agent_may_decline_by_facts(folder: Path) -> None:
    write(folder, "deploy.py", SOURCE.format(version="1.0"))
    found = catalogue(folder, {"role": "database"})
    await found.start()
    assert "deploy" not in names(found)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("deploy.py", "def (", "SyntaxError"),
        ("deploy.py", "raise RuntimeError('no')", "RuntimeError: no"),
        ("deploy.py", "import sys; sys.exit(1)", "SystemExit"),
        ("deploy.py", "x = 1", "has 0 classes"),
        ("other.py", SOURCE.format(version="1"), "it calls itself deploy, its file other"),
        ("rpcutil.py", SOURCE.format(version="1"), "the name rpcutil is reserved"),
        ("deploy.py", SOURCE.format(version="1").replace("return facts", "return 1 / 0 or facts"), "ZeroDivision"),
    ],
)  # fmt: skip
async def test_what_does_not_load_is_told_once_and_harms_nobody(
    folder: Path, caplog: pytest.LogCaptureFixture, name: str, text: str, said: str
) -> None:
    write(folder, name, text)
    found = catalogue(folder)
    with caplog.at_level(logging.ERROR):
        await found.start()
        assert said in caplog.text
        assert "deploy" not in names(found)
        caplog.clear()
        await found.refresh()
        assert not caplog.records


async def test_a_broken_upgrade_leaves_the_last_good_version(folder: Path) -> None:
    write(folder, "deploy.py", SOURCE.format(version="1.0"))
    found = catalogue(folder)
    await found.start()
    write(folder, "deploy.py", "oops")
    await found.refresh()
    await found.refresh()
    assert await result(found) == {"version": "1.0"}


async def test_what_others_can_write_never_becomes_code(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(folder, "deploy.py", SOURCE.format(version="1.0"))
    found = catalogue(folder)
    path.chmod(0o666)
    await found.start()
    assert "deploy" not in names(found)
    assert "chmod go-w" in caplog.text
    path.chmod(0o644)
    set_mode(folder, 0o777)
    await found.start()
    assert "deploy" not in names(found)
    set_mode(folder, 0o755)
    await found.start()
    assert "deploy" in names(found)
    path.chmod(0o666)  # what was loaded stays: the complaint says why upgrades do not come
    await found.refresh()
    assert "deploy" in names(found)


@pytest.mark.parametrize(
    ("owner", "mode", "user", "said"),
    [
        (0, 0o644, 1000, ""),
        (1000, 0o644, 1000, ""),
        (1000, 0o755, 0, "belongs to user 1000"),
        (1001, 0o644, 1000, "belongs to user 1001"),
        (0, 0o664, 0, "chmod go-w"),
        (0, 0o646, 0, "chmod go-w"),
    ],
)
def test_whose_files_count(owner: int, mode: int, user: int, said: str) -> None:
    wrong = owner_complaint(owner, mode, user)
    assert said in wrong if said else not wrong


async def test_a_missing_folder_is_an_empty_one(folder: Path) -> None:
    found = catalogue(folder / "nothing")
    await found.start()
    assert set(names(found)) == {"rpcutil"}


class Slow:
    """A source whose agent answers in time only when it was asked often enough."""

    def __init__(self, late: int) -> None:
        self.asked, self.late = 0, late

    async def load(self, _facts: Any) -> Any:
        self.asked += 1
        if self.asked <= self.late:
            raise ActivationLateError("slow did not say")
        return an_agent("slow")

    def scan(self) -> Scan:
        found = Found(name="slow", path=Path("slow"), version="1", load=self.load)
        return Scan((found,), frozenset({"slow"}))


@pytest.mark.parametrize(("late", "hosted"), [(0, True), (3, True), (10, False), (99, False)])
async def test_an_agent_that_is_late_is_asked_again_but_not_for_ever(
    late: int, hosted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Slow(late)
    found = Catalogue([], [slow], dict)
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            await found.refresh()
    assert ("slow" in names(found)) is hosted
    assert slow.asked == min(late + 1, 10)
    assert ("left out until it changes" in caplog.text) is not hosted
