"""Requirements, read from the specification itself: their numbers, sentences and strength."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

_REQUIREMENT: Final = re.compile(r"^\*\*(CWP-[0-9.]+-[0-9]+)\*\* (.+)$", re.MULTILINE)
_MUST: Final = re.compile(r"\b(?:MUST|SHALL|REQUIRED)\b")
_BESIDE: Final = Path(__file__).resolve().parents[2] / "SPEC.md"


@dataclass(frozen=True)
class Requirement:
    """One numbered sentence or paragraph."""

    number: str
    text: str

    @property
    def must(self) -> bool:
        """Whether it binds absolutely."""
        return _MUST.search(self.text) is not None

    @property
    def draft(self) -> bool:
        """Whether it may still change."""
        return "*Draft.*" in self.text


def read_requirements(path: Path | None = None) -> dict[str, Requirement]:
    """All requirements by number.

    Args:
        path: SPEC.md; None takes the one that was shipped with the suite.

    Raises:
        ValueError: A number stands twice, or there is none at all.
    """
    text = path.read_text() if path else read_text()
    found: dict[str, Requirement] = {}
    for number, sentence in _REQUIREMENT.findall(text):
        if number in found:
            raise ValueError(f"{number} stands twice in the specification")
        found[number] = Requirement(number, sentence)
    if not found:
        raise ValueError("no requirement was found in the specification")
    return found


def read_text() -> str:
    """SPEC.md as it was shipped with the suite."""
    packaged = resources.files("choria_conformance") / "SPEC.md"
    # In a checkout the text lies beside the suite and is not copied.
    return packaged.read_text() if packaged.is_file() else _BESIDE.read_text()
