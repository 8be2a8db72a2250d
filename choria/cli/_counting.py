"""Calls whose replies are counted: who says what, and how often."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import trio

from choria.client import Answer, Discovery, Exit, exit_of_call
from choria.programs.call import Outcome, run_call
from choria.programs.call_plan import CallPlan
from choria.programs.fleet import Question

from ._harmless import one_line
from ._progress import Progress
from ._replies import outcome_lines
from ._screen import Screen
from ._terminal import Paper, can_redraw, environment, width_of
from ._text import NAMES_SHOWN, where


class _Nothing:
    """A view for what is shown when all is known."""

    def start(self, found: Discovery) -> str:
        """Nothing."""
        del found
        return ""

    def answer(self, answer: Answer) -> str:
        """Nothing."""
        del answer
        return ""


def ask_quietly(question: Question, plan: CallPlan) -> Outcome:
    """Call; only the progress line is shown, on a terminal."""
    redraws = can_redraw(sys.stderr, environment())
    screen = Screen(
        view=_Nothing(),
        out=sys.stdout,
        err=sys.stderr,
        progress=Progress(time.monotonic),
        width=width_of() if redraws else None,
    )
    try:
        return trio.run(run_call, question, plan, screen)
    finally:
        screen.clear()


def account_lines(outcome: Outcome) -> list[str]:
    """Who failed and why, who is missing, the count; what the DDL sums up was counted already."""
    failed = outcome.result.failed
    lines = [f"Failed: {where(each)}: {one_line(each.statusmsg)}" for each in failed[:NAMES_SHOWN]]
    if len(failed) > NAMES_SHOWN:
        lines.append(f"... and {len(failed) - NAMES_SHOWN} more failed: --json has all")
    return [*lines, *outcome_lines(attrs.evolve(outcome, summaries=()), Paper())]


def exit_code(outcome: Outcome) -> Exit:
    """As that of a call."""
    return exit_of_call(outcome.result, outcome.refused)


@attrs.frozen(kw_only=True)
class Counted:
    """One value and who has it."""

    value: Any
    nodes: tuple[str, ...]


def count_values(
    answers: Iterable[Answer], values: Callable[[Mapping[str, Any]], Iterable[Any]]
) -> list[Counted]:
    """Who says what: the least frequent first, then by value."""
    said: defaultdict[str, list[str]] = defaultdict(list)
    known: dict[str, Any] = {}
    for answer in answers:
        for value in values(answer.data):
            key = json.dumps(value, sort_keys=True, default=str)
            known[key] = value
            said[key].append(answer.sender)
    ordered = sorted(said.items(), key=lambda each: (len(each[1]), each[0]))
    return [Counted(value=known[key], nodes=tuple(sorted(names))) for key, names in ordered]


def value_text(value: Any) -> str:
    """A value in one line, harmless."""
    if isinstance(value, str):
        return one_line(value)
    return one_line(json.dumps(value, ensure_ascii=False, default=str))
