"""What a ``ping`` imports: each module that it does not need makes every question to the fleet slower.

Names of lazy packages (`choria._lazy`) import at first use; one eager import of a module that few
commands need is enough to bring its whole tree back.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.kept_demo import kept_demo

MOST_OF_OURS = 145
"""139 when this was written; 216 when packages imported all that they hold."""
NEEDLESS = (
    # Whole packages, and modules of those that a ping does use.
    "choria.aaa", "choria.agents", "choria.api", "choria.broker", "choria.builder", "choria.ca",
    "choria.ddl", "choria.emulator", "choria.federation", "choria.node", "choria.policy",
    "choria.spawn", "choria.cli._errors", "choria.client.ddl_cache", "choria.client.ddl_source",
    "choria.client.methods.external", "choria.client.methods.find", "choria.client.methods.flatfile",
    "choria.client.methods.inventory", "choria.client.methods.puppetdb", "choria.client.rolling",
    "choria.client.rollout", "choria.enrol.frames", "choria.enrol.login_frames",
    "choria.enrol.login_offer", "choria.enrol.login_sealing", "choria.enrol.proof",
    "choria.filters.compound.expression", "choria.filters.compound.parser", "choria.net.engine",
    "choria.net.enrol_client", "choria.net.enrol_door", "choria.net.greeter", "choria.net.lobby",
    "choria.net.login_client", "choria.net.login_relay", "choria.net.memory", "choria.net.serve",
    "choria.net.stranger", "choria.trust.guard_records", "choria.trust.replay",
    # Of others.
    "dns", "markdown_it", "psutil", "rich", "ruamel", "statistics",
)  # fmt: skip
PING = """
import json, sys
from choria.cli import main

code = main(["ping", "--config", "client.toml"])
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    with kept_demo(tmp_path_factory.mktemp("ping")) as stage:
        done = subprocess.run(
            [sys.executable, "-c", PING], cwd=stage, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 / 1 hosts in" in done.stdout
    names: list[str] = json.loads(done.stderr)
    return names


@pytest.mark.parametrize("needless", NEEDLESS)
def test_a_ping_does_without(imported: list[str], needless: str) -> None:
    assert not [name for name in imported if name == needless or name.startswith(f"{needless}.")]


def test_a_ping_imports_few_of_our_modules(imported: list[str]) -> None:
    ours = [name for name in imported if name.partition(".")[0] == "choria"]
    assert "choria.client.discovery" in ours
    assert len(ours) <= MOST_OF_OURS, ours


@pytest.mark.parametrize("needless", [name for name in NEEDLESS if name.startswith("choria.")])
def test_what_a_ping_does_without_is_there(needless: str) -> None:
    path = Path(__file__).parents[2].joinpath(*needless.split("."))
    assert path.is_dir() or path.with_suffix(".py").is_file(), "it was renamed: rename it here too"
