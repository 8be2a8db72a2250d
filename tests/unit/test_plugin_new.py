"""Skeletons of agents: they lint, type-check, test themselves, and are hosted as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from choria.agents.found import Catalogue, ExternalFolder, ModuleFolder
from choria.cli import main
from choria.ddl import parse_ddl
from choria.programs.skeleton import new_agent

pytestmark = pytest.mark.timeout(400)
KINDS = [None, "sh", "python", "node"]
MANY = 300  # mypy reads all of choria, on a machine that may be busy


def make(folder: Path, kind: str | None, name: str = "deploy") -> Path:
    external = ["--external", kind] if kind else []
    assert main(["plugin", "new", "agent", name, "--out", str(folder), *external]) == 0
    return folder / name


def run(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=MANY, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["deploy", "agent", "my_2nd_agent"])
def test_a_skeleton_tests_itself(kind: str | None, name: str, tmp_path: Path) -> None:
    folder = make(tmp_path, kind, name)
    run(folder, "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".")


@pytest.mark.parametrize("kind", KINDS)
def test_a_skeleton_lints(kind: str | None, tmp_path: Path) -> None:
    folder = make(tmp_path, kind)
    select = "E,F,W,I,UP,B,ANN,D1,PT,PTH,SIM,RUF"
    python = [path.name for path in folder.iterdir() if "python" in path.read_text()[:30]]
    sources = [*(path.name for path in folder.glob("*.py")), *python]
    ignored = ["--ignore", "ANN401,D107,S101", "--line-length", "100"]
    check = ["ruff", "check", "--isolated", "--select", select, *ignored]
    run(folder, *check, *sources)
    run(folder, "ruff", "format", "--isolated", "--line-length", "100", "--check", *sources)


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy remembers of our own modules."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize("kind", [None, "python"])
def test_a_skeleton_is_typed(kind: str | None, tmp_path: Path, checked: Path) -> None:
    folder = make(tmp_path, kind)
    sources = ["deploy" if kind else "deploy.py", "test_deploy.py"]
    run(folder, "mypy", "--strict", "--cache-dir", str(checked), "--config-file", "", *sources)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_node_hosts_the_folder_as_it_is(
    kind: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make(tmp_path, kind)
    folder.chmod(0o755)
    sources = [ModuleFolder(folder), ExternalFolder(folder, folder)]
    catalogue = Catalogue([], sources, dict)
    await catalogue.start()
    assert [sorted(agent.ddl.actions) for agent in catalogue.agents] == [["disk", "echo"]]
    assert "left out" not in caplog.text


@pytest.mark.parametrize("kind", KINDS[1:])
def test_an_external_interface_is_whole(kind: str, tmp_path: Path) -> None:
    ddl = parse_ddl((make(tmp_path, kind) / "deploy.json").read_bytes())
    assert (ddl.metadata.provider, ddl.name) == ("external", "deploy")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Deploy", "lower-case"),
        ("2nd", "lower-case"),
        ("../up", "lower-case"),
        ("class", "Python's own"),
        ("a" * 51, "at most 50"),
        ("rpcutil", "choria-trio's own"),
        ("package", "choria-trio's own"),
    ],
)
def test_a_name_that_no_agent_can_have(
    name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugin", "new", "agent", name, "--out", str(tmp_path)]) == 2
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make(tmp_path, None)
    (folder / "deploy.py").write_text("mine")
    assert main(["plugin", "new", "agent", "deploy", "--out", str(tmp_path), "--json"]) == 2
    assert "nothing is overwritten" in json.loads(capsys.readouterr().err)["error"]
    assert (folder / "deploy.py").read_text() == "mine"


def test_scripts_are_told_what_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugin", "new", "agent", "deploy", "--out", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert sorted(Path(path).name for path in document["files"]) == [
        "README.md",
        "deploy.py",
        "test_deploy.py",
    ]
    assert all(Path(path).is_file() for path in document["files"])


def test_programs_can_be_run_and_nothing_else(tmp_path: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in new_agent("deploy", tmp_path, "sh")}
    assert modes.pop("deploy") == 0o755
    assert set(modes.values()) == {0o644}
