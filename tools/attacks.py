"""The table of attacks in ``docs/explanation/security.md``, made of ``tests/attacks.toml``.

`tools.generate_reference` writes it; tests hold each row to what it names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "tests" / "attacks.toml"
PAGE: Final = ROOT / "docs" / "explanation" / "security.md"
BEGIN: Final = "<!-- attacks: written by tools/generate_reference.py of tests/attacks.toml -->\n"
END: Final = "<!-- attacks: end -->\n"


class Attack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row.

    Attributes:
        name: What it is called.
        has: What is in the attacker's hands.
        tries: What is tried.
        says: What the victim says or does; words in backticks are in the tests.
        rules: Requirements of SPEC.md that forbid it to succeed.
        tests: Node ids, of a test, one of its parameters, or a file.
    """

    name: str
    has: str
    tries: str
    says: str
    rules: list[str]
    tests: list[str]


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Attacks of one kind."""

    title: str
    attack: list[Attack]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    group: list[Group]

    @property
    def attacks(self) -> list[Attack]:
        """All rows."""
        return [attack for group in self.group for attack in group.attack]


def load() -> Table:
    """Read the data. Raises msgspec.ValidationError."""
    return msgspec.toml.decode(SOURCE.read_bytes(), type=Table)


def render(page: str, table: Table) -> str:
    """Return the page with the table between its marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    groups = "\n".join(_group(group) for group in table.group)
    return f"{before}{BEGIN}\n{groups}\n{END}{after}"


def _group(group: Group) -> str:
    head = "| attack | the attacker has | and tries | the victim | rule | tests |\n|---|---|---|---|---|---|\n"
    return f"### {group.title}\n\n{head}{''.join(_row(attack) for attack in group.attack)}"


def _row(attack: Attack) -> str:
    tests = "<br>".join(_test(test) for test in attack.tests)
    cells = [attack.name, attack.has, attack.tries, attack.says, "<br>".join(attack.rules), tests]
    return f"| {' | '.join(cells)} |\n"


def _test(test: str) -> str:
    path, _, name = test.partition("::")
    said = name.rpartition("::")[2] or Path(path).name
    return f"[`{said}`](../../{path})"
