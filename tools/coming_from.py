"""The tables of ``docs/howto/coming-from-*.md``, from ``tests/data/coming_from.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data" / "coming_from.toml"
BEGIN: Final = "<!-- table: written by tools/generate_reference.py -->\n"
END: Final = "<!-- end of table -->\n"


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of theirs, and ours without the program's name.

    Attributes:
        exits: Our exit code in the demo's fleet.
        shows: What our output holds there.
    """

    theirs: str
    ours: str
    exits: int = 0
    shows: str = ""


def load() -> dict[str, list[Row]]:
    """The rows by whom they come from."""
    return msgspec.toml.decode(DATA.read_bytes(), type=dict[str, list[Row]])


def page(peer: str) -> Path:
    """The page of one of them."""
    return ROOT / "docs" / "howto" / f"coming-from-{peer}.md"


def render(peer: str, text: str) -> str:
    """The page's text with a fresh table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = [f"| `{_cell(row.theirs)}` | `choria-trio {_cell(row.ours)}` |" for row in load()[peer]]
    table = "\n".join(["| you typed | here |", "| --- | --- |", *rows])
    return f"{before}{BEGIN}\n{table}\n\n{END}{after}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
