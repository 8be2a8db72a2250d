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


WANTED = {
    "forge a caller": "Forged caller",
    "forge a node's reply": "Forged reply",
    "move a reply to another request": "Reply moved to another request",
    "re-aim a directed request": "Directed request re-aimed",
    "replay": "Replay",
    "duplicate flood": "Duplicate flood",
    "old request": "Old request",
    "clock set back": "Clock set back",
    "node calls node": "Node calls node",
    "node joins a service group": "Node joins a service group",
    "node reads another's inbox": "Node reads another's inbox",
    "reply aimed at a victim's inbox": "Reply aimed at a victim's inbox",
    "client of another collective": "Client of another collective",
    "revoked": "Revoked while connected",
    "expired": "Expired certificate",
    "wrong CA": "Certificate of another CA with the same names",
    "wrong purpose": "Wrong purpose",
    "issuer outside its role": "Issuer outside its role",
    "two names in one certificate": "Two names in one certificate",
    "name tricks": "Name with a path or a percent sign",
    "Puppet node as broker": "Node plays the broker, with Puppet's CA",
    "policy with an error": "Policy with an error",
    "audit unwritable": "Audit that cannot be written",
    "stolen token": "Stolen token",
    "reused token": "Late token, or another name",
    "broker swaps a CSR": "Broker swaps the signing request",
    "downgrade": "Downgrade of the envelope",
    "algorithm confusion": "Algorithm confusion",
    "oversized certificate": "Oversized certificate",
    "oversized message": "Oversized message",
    "filter as an oracle": "Filter as an oracle",
    "cross-network same name": "Operator of another network with the same name",
}
"""What the table must have, whatever else it has. A WebSocket from another site comes with its listener."""


@pytest.mark.parametrize("wanted", WANTED)
def test_no_attack_that_was_asked_for_is_missing(wanted: str) -> None:
    assert WANTED[wanted] in {attack.name for attack in TABLE.attacks}


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
