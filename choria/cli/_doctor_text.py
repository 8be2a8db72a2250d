"""Findings as text: one line each, and below what is not well why it matters and what to do next."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import Final

from choria.programs.checkup import CHECKS, Finding, Verdict

from ._harmless import one_line
from ._terminal import Paper

_DYES: Final = {
    Verdict.OK: "good",
    Verdict.FAIL: "bad",
    Verdict.WARN: "bold",
    Verdict.SKIPPED: "dim",
}
_VERDICT: Final = max(map(len, Verdict)) + 1
_CHECK: Final = max(map(len, CHECKS)) + 1
_INDENT: Final = " " * (_VERDICT + _CHECK)


def finding_lines(finding: Finding, paper: Paper, *, verbose: bool) -> list[str]:
    """One finding. ``verbose`` says of every check why it matters."""
    verdict = paper.dyed(finding.verdict.value, _DYES[finding.verdict])
    pad = " " * (_VERDICT - len(finding.verdict.value))
    head = f"{verdict}{pad}{finding.check:<{_CHECK}}"
    said = _folded(one_line(finding.says), paper)
    lines = [f"{head}{said[0]}", *(f"{_INDENT}{line}" for line in said[1:])]
    if verbose or finding.verdict in (Verdict.WARN, Verdict.FAIL):
        lines += [f"{_INDENT}{line}" for line in _folded(f"why: {finding.means}", paper)]
    if finding.next:
        lines += [f"{_INDENT}{line}" for line in _folded(f"next: {one_line(finding.next)}", paper)]
    return lines


def summary_line(counts: Counter[Verdict], took_s: float) -> str:
    """How many of each."""
    told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    return f"{told} in {took_s * 1000:.0f} ms"


def _folded(text: str, paper: Paper) -> list[str]:
    """Broken at spaces where somebody looks; whole where a program reads."""
    if paper.width is None:
        return [text]
    room = max(20, paper.width - len(_INDENT))
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
