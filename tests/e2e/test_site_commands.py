"""A site's own commands as processes: from packages, from files; broken ones harm nothing.

``CHORIA_TRIO_REGOLD=1`` writes the golden files anew; look at what changed before committing it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import choria.cli
from tests.support.kept_demo import kept_demo

pytestmark = pytest.mark.timeout(180)
GOLDEN = Path(__file__).resolve().parent.parent / "golden_site"
SITE = """
name: site
description: What our site does
commands:
  - name: web
    type: parent
    description: Web servers
    commands:
      - name: greet
        type: rpc
        description: Ask nodes for their time
        aliases: [hello]
        confirm_prompt: Really ask them?
        std_filters: true
        output_format_flags: true
        arguments:
          - {name: manner, description: How, required: true, enum: [kindly, loudly]}
        flags:
          - {name: name, description: Part of a name, env: SITE_NAME}
        request: {agent: rpcutil, action: ping, filter: {identities: ["{{ .Flags.name }}"]}}
      - name: fact
        type: rpc
        description: One fact of all nodes
        output_format: json
        arguments: [{name: fact, required: true, description: Its name}]
        request: {agent: rpcutil, action: get_fact, inputs: {fact: "{{ .Arguments.fact }}"}}
      - {name: nodes, type: discover, description: Names, filter: {agents: [rpcutil]}}
  - name: say
    type: exec
    description: Say something
    arguments: [{name: what, required: true, description: What to say}]
    flags: [{name: loud, short: l, bool: true, description: Louder}]
    script: |
      printf '<%s|%s|%s>' {{ .Arguments.what }} {{ .Flags.loud }} "$X"; exit 5
    environment: ["X=set {{ .Arguments.what }}"]
  - {name: ask, type: exec, confirm_prompt: Sure?, command: echo done}
  - {name: lost, type: exec, command: no-such-program-anywhere}
"""
CLASH = """
name: clash
description: Has a flag of ours
commands:
  - {name: clash, type: rpc, flags: [{name: broker}], request: {agent: rpcutil, action: ping}}
"""
CODE = """
print("imported", __name__)

def plain(name: str, *, times: int = 1) -> int:
    '''Greet somebody.

    Args:
        name: Whom.
        times: How often.
    '''
    print(f"hello {name} " * times)
    return 7

async def waiting() -> None:
    import trio
    await trio.sleep(0)
    print("waited")

from cyclopts import App
group = App(name="other-name", help="A group.")

@group.command
def inner() -> str:
    return "no exit code"

number = 1
"""
ENTRIES = """[choria.commands]
greet = site_code:plain
wait = site_code:waiting
group = site_code:group
broken = site_broken:nothing
missing = site_code:nothing
number = site_code:number
ping = site_code:plain
Bad Name = site_code:plain
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home/.config/choria-trio/commands.d"
    folder.mkdir(parents=True)
    (folder / "site.yaml").write_text(SITE)
    (folder / "clash.yml").write_text(CLASH)
    (folder / "torn-app.yaml").write_text("name: torn\ncommands: [\n")
    code = tmp_path / "code"
    info = code / "site_code-1.0.dist-info"
    info.mkdir(parents=True)
    (code / "site_code.py").write_text(CODE)
    (code / "site_broken.py").write_text("raise SystemExit('gone')")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: site-code\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    return tmp_path


def run(
    home: Path, *args: str, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    more = {"HOME": str(home / "home"), "PYTHONPATH": str(home / "code"), "COLUMNS": "80", **env}
    return subprocess.run(
        [sys.executable, "-m", "choria", *args],
        cwd=cwd or home, env={**os.environ, **more}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_all_are_listed_and_none_is_imported(home: Path) -> None:
    done = run(home, "--help")
    assert done.returncode == 0
    assert "imported" not in done.stdout
    rows = {line[2:].split()[0]: line for line in done.stdout.splitlines() if line.startswith("│ ")}
    assert {"greet", "wait", "group", "broken", "site", "torn", "ping"} <= set(rows)
    assert "From the package site-code." in rows["greet"]
    assert "What our site does" in rows["site"]
    assert "Cannot be used:" in rows["torn"]
    assert "Who is there" in rows["ping"]
    assert "a command ping is choria-trio's own" in done.stderr
    assert "no command can be called 'Bad Name'" in done.stderr


def test_other_commands_do_not_look(home: Path) -> None:
    done = run(home, "ping", "--help")
    assert (done.returncode, done.stderr, "imported" in done.stdout) == (0, "", False)


def test_functions_and_groups_of_packages_run(home: Path) -> None:
    plain = run(home, "greet", "you", "--times", "2")
    assert (plain.returncode, plain.stdout) == (7, "imported site_code\nhello you hello you \n")
    assert "--times" in run(home, "greet", "--help").stdout
    assert run(home, "greet").returncode == 2
    assert run(home, "wait").stdout.endswith("waited\n")
    assert run(home, "group", "inner").returncode == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "cannot be loaded: SystemExit: gone"),
        ("missing", "cannot be loaded: AttributeError"),
        ("number", "is neither a function nor a cyclopts.App"),
    ],
)
def test_a_broken_one_is_named(home: Path, name: str, why: str) -> None:
    done = run(home, name)
    assert done.returncode == 1
    assert f"choria-trio: package site-code: the command {name} {why}" in done.stderr


def test_a_torn_file_is_named_with_its_line(home: Path) -> None:
    done = run(home, "torn")
    assert (done.returncode, done.stdout) == (1, "")
    assert "commands.d/torn-app.yaml:3: not YAML: " in done.stderr


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    "path", [(), ("web",), ("web", "greet"), ("say",)], ids=lambda path: "-".join(path) or "site"
)
def test_help_is_the_one_that_was_looked_at(home: Path, path: tuple[str, ...], width: int) -> None:
    told = run(home, "site", *path, "--help", COLUMNS=str(width))
    golden = GOLDEN / f"help-{'-'.join(('site', *path))}.{width}.txt"
    if os.environ.get("CHORIA_TRIO_REGOLD"):
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(told.stdout)
    assert (told.returncode, told.stdout) == (0, golden.read_text())


def test_a_program_is_run_with_words_that_stay_words(home: Path) -> None:
    done = run(home, "site", "say", "a '\"$(id)`id`", "-l")
    assert (done.returncode, done.stderr) == (5, "")
    assert done.stdout == "<a '\"$(id)`id`|true|set a '\"$(id)`id`>"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("site", "ask",), 2, "add --yes"),
        (("site", "lost",), 1, "no-such-program-anywhere: cannot be run"),
        (("site", "web", "greet", "rudely", "--yes"), 2, "kindly"),
        (("site", "web", "greet", "kindly", "--yes", "--name", "a/b"), 2, "cannot stand in a filter"),
        (("site", "web", "greet", "kindly", "--yes", "--name", "a", "-I", "b"), 2, "names its nodes itself"),
        (("clash", "clash"), 1, "flag --broker is choria-trio's own"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(home: Path, args: tuple[str, ...], code: int, said: str) -> None:
    done = run(home, *args)
    assert (done.returncode, said in done.stderr + done.stdout) == (code, True), done


def test_a_yes_lets_it_run(home: Path) -> None:
    assert run(home, "site", "ask", "--yes").stdout == "done\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with kept_demo(tmp_path_factory.mktemp("demo"), nodes=2) as folder:
        yield folder


def test_calls_and_discovery_reach_the_fleet(home: Path, stage: Path) -> None:
    here = ("--config", "client.toml")
    asked = run(home, "site", "web", "hello", "kindly", "-y", "--json", *here, cwd=stage)
    names = sorted(each["sender"] for each in json.loads(asked.stdout)["replies"])
    assert (asked.returncode, len(names)) == (0, 2)
    found = run(home, "site", "web", "nodes", *here, cwd=stage)
    assert found.stdout.split() == names
    chosen = run(
        home,
        "site",
        "web",
        "greet",
        "loudly",
        "-y",
        "--senders",
        *here,
        cwd=stage,
        SITE_NAME=names[0],
    )
    assert chosen.stdout.split() == names[:1]
    fact = run(home, "site", "web", "fact", "os.family", *here, cwd=stage)
    assert (fact.returncode, len(json.loads(fact.stdout)["replies"])) == (0, 2)


def completed(home: Path, line: str) -> list[str]:
    program = Path(choria.cli.__file__).with_name("_complete.py")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(program), "bash", f"choria-trio {line}"],
        env={"HOME": str(home / "home")}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_commands_of_files_are_completed(home: Path) -> None:
    assert {"site", "torn"} <= set(completed(home, ""))
    run(home, "site", "--help")  # from now on they are known
    assert completed(home, "si") == ["site"]
    assert completed(home, "site ") == ["web", "say", "ask", "lost"]
    assert completed(home, "site web hello ") == ["kindly", "loudly"]
    assert {"--name", "--yes"} <= set(completed(home, "site web greet -"))
