"""Wrong input: what is said, and the exit code. One process a row, no broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from choria.programs.ca import init_ca, issue_credentials
from tests.support.kept_demo import choria_trio

NOBODY = "127.0.0.1:1"
ROWS = [
    # command, exit code, what stderr says
    ("call package status", 2, "'package'"),
    ("call package status package=a;b", 2, "';'"),
    ("call package status package=" + "x" * 91, 2, "90"),
    ("call package nothing", 2, "status"),
    ("call package status novalue", 2, "key=value"),
    ("call package status package=a package=b", 2, "twice"),
    ("call package status colour=red", 2, "colour"),
    ("ping -F nonsense", 2, "nonsense"),
    ("ping -I UPPER", 2, "UPPER"),
    ("ping -I /(/", 2, "/(/"),
    ("ping", 8, NOBODY),
    ("discover", 8, "refused"),
    ("call rpcutil ping", 8, "refused"),
    ("ping --broker nowhere:99999", 1, "99999"),
    ("ping --credentials nowhere", 1, "nowhere"),
    ("ping --config missing.toml", 1, "missing.toml"),
    ("ping --config typo.toml", 1, "did you mean brokers"),
    ("ping --nonsense", 2, "nonsense"),
    ("ping --dm dns", 2, "there are broadcast, flatfile"),
    ("ping --dm file", 2, "--nodes FILE"),
    ("ping --nodes hosts -S x", 2, "cannot judge -S"),
    ("ping -I group:web", 2, "These can: inventory"),
    ("ping --expect many", 2, "a file with their names"),
    ("ping --json --jsonl", 2, "cannot be had together"),
    ("discover --nodes missing.txt", 1, "missing.txt: cannot be read"),
    ("discover --nodes client.toml", 1, "no names of nodes"),
    ("discover --dm puppetdb", 1, "set ca_file in [discovery.puppetdb]"),
    ("discover --dm inventory --do file=client.toml", 1, "no inventory"),
    ("discover --dm external --do command=nowhere", 1, "cannot be run"),
    ("call rpcutil ping --limit 0", 2, "--limit '0'"),
    ("call rpcutil ping --batch many", 2, "--batch 'many'"),
    ("call rpcutil ping --stop-after 1", 2, "add --batch, --ramp or --canary"),
    ("call rpcutil ping --batch-sleep 1", 2, "add --batch, --ramp or --canary"),
    ("call rpcutil ping --ramp 50%,10%", 2, "10% after 50%"),
    ("call rpcutil ping --canary 1", 2, "--canary-check EXPR"),
    ("call rpcutil ping --canary 1 --canary-check (", 2, "--canary-check: character 2"),
    ("call rpcutil ping --canary-check ok()", 2, "add --canary N"),
    ("call rpcutil ping --limit-seed 1 --limit-method first", 2, "--limit-seed"),
    ("call rpcutil ping --batch 1 --no-wait", 2, "--no-wait"),
    ("nonsense", 2, "nonsense"),
    ("node --config member.toml", 1, "needs a node's credentials"),
    ("broker --config client.toml", 1, "brokers"),
    ("relay --config client.toml", 1, "left"),
    ("emulate --nodes 0 --ca ca --broker " + NOBODY, 1, "from 1"),
    ("emulate --nodes 1 --ca nowhere --broker " + NOBODY, 1, "nowhere"),
    ("demo --nodes 0", 1, "from 1"),
    ("ca init ca --network alpha", 1, "ca"),
    ("ca init other --network UPPER", 1, "UPPER"),
    ("ca issue king k1 --ca ca", 1, "king"),
    ("ca issue node UP --ca ca --out out", 1, "UP"),
    ("ca issue node n1 --ca nowhere --out out", 1, "nowhere"),
    ("ca issue client rip --ca ca --out credentials", 1, "--force"),
    ("audit verify nowhere.log", 1, "nowhere.log"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    init_ca(folder / "ca", "alpha")
    out = folder / "credentials" / "rip"
    issue_credentials(folder / "ca", "client", "rip", out, days=1, hosts=(), grants=(), force=False)
    settings = f'credentials = "credentials/rip"\nbrokers = ["{NOBODY}"]\nconnect_timeout_s = 0.5\n'
    (folder / "client.toml").write_text(settings)
    (folder / "member.toml").write_text(settings.replace("connect_timeout_s = 0.5\n", ""))
    (folder / "typo.toml").write_text('broker = ["a"]\n')
    return folder


def run(folder: Path, command: str, *more: str) -> subprocess.CompletedProcess[str]:
    words = command.split()
    needs_config = words[:1] in (["call"], ["ping"], ["discover"]) and "--config" not in words
    return choria_trio(
        folder, *words, *more, *(["--config", "client.toml"] if needs_config else [])
    )


@pytest.mark.parametrize(("command", "code", "says"), ROWS, ids=[row[0][:48] for row in ROWS])
def test_wrong_input(folder: Path, command: str, code: int, says: str) -> None:
    done = run(folder, command)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["ping", "discover", "call package status", "call rpcutil ping"]
)
def test_with_json_errors_are_json_too(folder: Path, command: str) -> None:
    done = run(folder, command, "--json")
    error = json.loads(done.stderr)
    assert error["exit_code"] == done.returncode != 0
    assert error["error"]


@pytest.mark.parametrize(
    "command", ["", "ping", "discover", "call", "ca issue", "node", "broker", "relay", "demo"]
)
def test_help_needs_nothing(folder: Path, command: str) -> None:
    done = run(folder, f"{command} --help") if command else run(folder, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize("command", ["--help", "ca list --ca ca"])
def test_a_reader_who_left_is_no_error_to_shout_about(folder: Path, command: str) -> None:
    """The pipe has no reader from the start, so that the write fails whatever its buffer holds."""
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-m", "choria", *command.split()]
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            argv,
            cwd=folder,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, "")
