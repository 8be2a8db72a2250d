"""The table of attacks: each row has tests that exist, rules that exist, and says what they assert."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tools import attacks
from tools.attacks import Attack

ROOT = Path(__file__).resolve().parents[2]
TABLE = attacks.load()
DEFINED = set(
    re.findall(r"^\*\*(CWP-[\d.-]+)\*\*", (ROOT / "protocol/SPEC.md").read_text(), re.MULTILINE)
)
QUOTED = re.compile(r"`([^`]+)`")


@cache
def collected() -> tuple[int, str]:
    """What pytest says to all the ids together, collecting only: one process for the whole table."""
    ids = sorted({test for attack in TABLE.attacks for test in attack.tests})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *ids], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_test_exists() -> None:
    code, said = collected()
    assert code == 0, [line for line in said.splitlines() if "ERROR" in line or "not found" in line]


def test_there_are_attacks_enough() -> None:
    assert len(TABLE.attacks) >= 40
    assert len({attack.name for attack in TABLE.attacks}) == len(TABLE.attacks)


@pytest.mark.parametrize("attack", TABLE.attacks, ids=lambda attack: attack.name)
def test_row(attack: Attack) -> None:
    assert attack.tests
    assert attack.rules
    assert set(attack.rules) <= DEFINED
    assert all((ROOT / test.partition("::")[0]).is_file() for test in attack.tests)
    asserted = "".join((ROOT / test.partition("::")[0]).read_text() for test in attack.tests)
    assert [word for word in QUOTED.findall(attack.says) if word not in asserted] == []
    assert not any("|" in cell for cell in (attack.name, attack.has, attack.tries, attack.says))


def test_the_page_is_fresh() -> None:
    page = attacks.PAGE.read_text()
    assert page == attacks.render(page, TABLE), "run: python -m tools.generate_reference"
