"""Puts into SPEC.md what other files say: the CDDL rules, and the annotated session of section 17.

Run it after a change of a CDDL file or of ``vectors/session.json``. A block that
starts with three backquotes and ``cddl`` names its rules; their text is taken from the files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final, TypedDict

HERE: Final = Path(__file__).parent
SCHEMAS: Final = (
    "cwp.cddl",
    "envelope.cddl",
    "enrol.cddl",
    "cluster.cddl",
    "trust.cddl",
    "login.cddl",
)
_BLOCK: Final = re.compile(r"^```cddl\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_RULE: Final = re.compile(r"^([a-z][a-z0-9-]*) = ", re.MULTILINE)
_SESSION: Final = re.compile(r"(<!-- session -->\n).*(<!-- end of session -->)", re.DOTALL)


class Step(TypedDict):
    """One frame of the annotated session."""

    sender: str
    frame: str
    hex: str
    diagnostic: str
    note: str


def rules_of(text: str) -> dict[str, str]:
    """Return each rule's text by its name; comments between rules are left out."""
    text = re.sub(r"^;.*\n", "", text, flags=re.MULTILINE)
    starts = [*_RULE.finditer(text), None]
    ends = [match.start() if match else len(text) for match in starts[1:]]
    return {
        match[1]: text[match.start() : end].strip()
        for match, end in zip(starts, ends, strict=False)
        if match
    }


def render(spec: str) -> str:
    """Return ``spec`` with its CDDL blocks and its session as the files have them."""
    rules: dict[str, str] = {}
    for name in SCHEMAS:
        rules |= rules_of((HERE / name).read_text())
    spec = _BLOCK.sub(lambda block: _cddl(block[1], rules), spec)
    steps: list[Step] = json.loads((HERE / "vectors" / "session.json").read_text())["steps"]
    return _SESSION.sub(lambda match: match[1] + _session(steps) + match[2], spec)


def _cddl(block: str, rules: dict[str, str]) -> str:
    names = list(rules_of(block)) or block.split()
    texts = [rules[name] for name in names]
    spaced = [
        f"\n{text}\n" if "\n" in text else text for text in texts
    ]  # air around long rules only
    return "```cddl\n" + re.sub(r"\n{3,}", "\n\n", "\n".join(spaced)).strip() + "\n```"


def _session(steps: list[Step]) -> str:
    return (
        "".join(
            f"\n**{at}. {step['sender']}: {step['frame']}.** {step['note']}\n\n"
            f"```\n{_wrapped(step['hex'])}\n{step['diagnostic']}\n```\n"
            for at, step in enumerate(steps, 1)
        )
        + "\n"
    )


def _wrapped(digits: str, width: int = 96) -> str:
    return "\n".join(digits[at : at + width] for at in range(0, len(digits), width))


def main() -> None:
    """Rewrite SPEC.md in place."""
    spec = HERE / "SPEC.md"
    spec.write_text(render(spec.read_text()))


if __name__ == "__main__":
    main()
