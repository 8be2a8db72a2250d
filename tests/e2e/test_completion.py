"""Shell completion: bash with its script, and what every shell is offered."""

from __future__ import annotations

import json
import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from choria.cli import app
from choria.cli._completion import script
from choria.programs.remembered import MAX_NAMES, remember
from tools import completion_data

PROGRAM = Path(__file__).resolve().parents[2] / "choria" / "cli" / "_complete.py"
DDL = {
    "metadata": {"name": "tide"},
    "actions": [
        {"action": "rise", "input": {
            "height": {"type": "integer"}, "moon": {"type": "list", "list": ["new", "full"]},
            "again": {"type": "boolean"},
        }},
        {"action": "fall", "input": {}},
    ],
}  # fmt: skip
DRIVER = """
source <(choria-trio completion bash)
COMP_LINE=$1; COMP_POINT=${#COMP_LINE}; COMP_WORDS=($1); COMP_CWORD=${#COMP_WORDS[@]}
_choria_trio
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    kept = home / ".cache/choria-trio/ddl/alpha/tide.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"agent": "tide", "ddl": json.dumps(DDL)}))
    (home / ".config/choria-trio").mkdir(parents=True)
    (home / ".config/choria-trio/client.toml").write_text('collective = "coast"\n')
    own = {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    remember(own, ["web1.example.net", "web2.example.net", "db1"], "choria")
    return own


ROWS = [
    # what was typed, and everything that is offered for it
    ("choria-trio pi", ["ping"]),
    ("choria-trio policy ", ["check", "explain"]),
    ("choria-trio ca rot", ["rotate"]),
    ("choria-trio aaa user pass", ["passwd"]),
    ("choria-trio req ti", ["tide"]),
    ("choria-trio call -I web1 ti", ["tide"]),
    ("choria-trio call tide ", ["rise", "fall"]),
    ("choria-trio call --json tide r", ["rise"]),
    ("choria-trio call tide rise ", ["height=", "moon=", "again="]),
    ("choria-trio call tide rise height=3 ", ["moon=", "again="]),
    ("choria-trio rpc tide rise mo", ["moon="]),
    ("choria-trio call package status p", ["package="]),
    ("choria-trio ping -I web", ["web1.example.net", "web2.example.net"]),
    ("choria-trio find --with-identity d", ["db1"]),
    ("choria-trio ping -T c", ["choria", "coast"]),
    ("choria-trio ping -A tid", ["tide"]),
    ("choria-trio ping --dm p", ["puppetdb"]),
    ("choria-trio call tide rise --display f", ["failed"]),
    ("choria-trio discover --verb", ["--verbose"]),
    ("choria-trio config show br", ["broker"]),
    ("choria-trio completion z", ["zsh"]),
    ("choria-trio nothing ", []),
    ("choria-trio call ../../x ", []),
    ("choria-trio call 'tide", ["tide"]),
]
PIECES = [("choria-trio call tide rise moon=", ["new", "full"]), ("choria-trio call tide rise again=t", ["true"])]  # fmt: skip


def complete(env: dict[str, str], shell: str, text: str) -> list[str]:
    argv = [sys.executable, "-I", "-S", str(PROGRAM), shell, text]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=20, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def in_bash(env: dict[str, str], text: str) -> list[str]:
    argv = ["bash", "-c", DRIVER, "bash", text]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(("text", "offered"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_offered(env: dict[str, str], text: str, offered: list[str]) -> None:
    found = complete(env, "zsh", text)
    assert [each for each in found if each in offered] == offered
    assert set(offered) == set(found)


@pytest.mark.parametrize(("text", "offered"), PIECES, ids=[row[0] for row in PIECES])
def test_bash_gets_the_piece_behind_the_equals_sign(
    env: dict[str, str], text: str, offered: list[str]
) -> None:
    assert complete(env, "bash", text) == offered
    assert all("=" in each for each in complete(env, "fish", text))


@pytest.mark.parametrize("text", ["choria-trio call tide r", "choria-trio ping -I web", "choria-trio call tide rise moon="])  # fmt: skip
def test_bash_runs_the_script(env: dict[str, str], text: str) -> None:
    assert in_bash(env, text) == complete(env, "bash", text) != []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_runs_the_program_by_itself(shell: str) -> None:
    text = script(shell, "/opt/it's/python", PROGRAM)
    assert "-I -S" in text
    assert str(PROGRAM) in text
    assert f"choria-trio completion {shell}" in text or shell == "fish"


def test_bash_takes_a_folder_with_odd_letters() -> None:
    text = script("bash", "/opt/it's here/python", PROGRAM)
    line = next(line for line in text.splitlines() if "COMPREPLY=(" in line)
    inside = line.split("$(", 1)[1]
    assert shlex.split(inside.partition(" bash ")[0])[0] == "/opt/it's here/python"


def test_the_tree_is_fresh() -> None:
    assert completion_data.PAGE.read_text() == completion_data.render(app), (
        "run: python -m tools.generate_reference"
    )


def test_it_imports_nothing_of_ours(env: dict[str, str]) -> None:
    """100 ms are allowed; what costs time is imports, so that these are counted and not the time."""
    argv = [
        sys.executable,
        "-X",
        "importtime",
        "-I",
        "-S",
        str(PROGRAM),
        "zsh",
        "choria-trio call ",
    ]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=20, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"json", "tomllib"} <= imported
    assert not {name.partition(".")[0] for name in imported} & {"choria", "cyclopts", "trio", "attrs", "msgspec"}  # fmt: skip


def test_it_takes_little_cpu(env: dict[str, str]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(5):
        complete(env, "bash", "choria-trio call package status ")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used_s / 5 < 0.1


@pytest.mark.parametrize("damage", ["{", "[]", '{"identities": 3}', '{"identities": [1]}', ""])
def test_a_damaged_cache_offers_nothing(env: dict[str, str], tmp_path: Path, damage: str) -> None:
    seen = tmp_path / ".cache/choria-trio/seen.json"
    seen.parent.mkdir(parents=True)
    seen.write_text(damage)
    assert complete({**env, "HOME": str(tmp_path)}, "zsh", "choria-trio ping -I ") == []


def test_the_oldest_names_are_forgotten(tmp_path: Path) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    remember(env, ["first"], "choria")
    remember(env, [f"n{number}" for number in range(MAX_NAMES)], "choria")
    kept = json.loads((tmp_path / "choria-trio/seen.json").read_text())["identities"]
    assert len(kept) == MAX_NAMES
    assert "first" not in kept


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "choria-trio").write_text("a file where a folder belongs")
    remember({"XDG_CACHE_HOME": str(tmp_path)}, ["web1"], "choria")
    remember({}, ["web1"], "choria")
    assert (tmp_path / "choria-trio").is_file()
