"""A rollout as text for people: what would be done, what was done, and how to go on."""

from __future__ import annotations

import textwrap
from typing import Any

from choria.client import Rolled, Step, Why, rollout_document
from choria.programs.call import Outcome

from ._harmless import one_line
from ._terminal import Paper

NAMES_SHOWN = 100
STEPS_SHOWN = 40


def dry_run_lines(outcome: Outcome, rolled: Rolled, paper: Paper) -> list[str]:
    """Who would be asked, in which steps."""
    prepared, plan = rolled.prepared, outcome.plan
    what = f"{plan.what.agent}.{plan.what.action}"
    lines = [f"Dry run: {_nodes(len(prepared.names))} would be asked for {what}; nothing was sent."]
    if inputs := ", ".join(f"{key}={value!r}" for key, value in sorted(plan.what.inputs.items())):
        lines.append(f"Inputs, judged: {inputs}")
    for step in prepared.steps[:STEPS_SHOWN]:
        lines += _step(step, paper)
    if len(prepared.steps) > STEPS_SHOWN:
        lines.append(f"... and {len(prepared.steps) - STEPS_SHOWN} more steps: --json has all")
    if prepared.left_out:
        lines.append(f"Beyond the limit: {_nodes(len(prepared.left_out))}")
    if prepared.failures_allowed is not None:
        lines.append(f"It would stop at {_nodes(prepared.failures_allowed)} without success.")
    return [*lines, *found_by(outcome)]


def found_by(outcome: Outcome) -> list[str]:
    """Which method named the nodes, unless they spoke for themselves; and why there may be none."""
    found = outcome.found
    lines = [one_line(found.hint)] if found.hint else []
    if found.method == "broadcast":
        return lines
    where = one_line(found.source)
    return [*lines, f"{_nodes(len(found.names))} by {found.method} ({where})"]


def rollout_part(outcome: Outcome) -> dict[str, Any]:
    """What the JSON of a call has more when it was done in steps, or not to its end."""
    rolled = outcome.rolled
    if rolled is None:
        return {}
    prepared = rolled.prepared
    if rolled.stopped is None and len(prepared.steps) <= 1 and not prepared.left_out:
        return {}
    return {"rollout": rollout_document(rolled)}


def _step(step: Step, paper: Paper) -> list[str]:
    shown = ", ".join(step.names[:NAMES_SHOWN])
    more = len(step.names) - NAMES_SHOWN
    head = f"Step {step.number} of {step.of} ({step.stage.value})" if step.of > 1 else "At once"
    text = f"{head}: {shown}" + (f" and {more} more" if more > 0 else "")
    return textwrap.wrap(
        text, paper.width or 10_000, subsequent_indent="  ", break_on_hyphens=False
    )


def stopped_lines(outcome: Outcome) -> list[str]:
    """Why it ended early, who was not asked or not waited for, and how to go on."""
    rolled, plan = outcome.rolled, outcome.plan
    if rolled is None or rolled.stopped is None:
        return []
    lines = [f"Stopped: {rolled.stopped.text}."]
    if rolled.unheard:
        lines.append(f"Not waited for: {_named(rolled.unheard)}. They have the request.")
    if rolled.stopped.why is Why.INTERRUPTED:
        ids = [request_id.hex() for request_id in rolled.result.gathered.request_ids]
        lines.append(f"Request ids: {', '.join(ids[:5])}{' ...' if len(ids) > 5 else ''}")
    if rolled.not_asked:
        lines.append(f"Not asked: {_named(rolled.not_asked)}.")
        if rolled.state:
            lines.append(f"To go on with them: choria-trio {plan.typed} ... --nodes {rolled.state}")
    return lines


def _named(names: tuple[str, ...], most: int = 5) -> str:
    more = f", ... ({_nodes(len(names))})" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _nodes(count: int) -> str:
    return f"{count} node" if count == 1 else f"{count} nodes"
