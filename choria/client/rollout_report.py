"""A rollout as other programs read it, and as the file to go on with."""

from __future__ import annotations

from typing import Any

from .report import Exit
from .rolling import Rolled, StepDone, Why


def rollout_document(rolled: Rolled) -> dict[str, Any]:
    """Who is done, failed, silent, gone and not asked, by name. ``nodes`` is whom to go on with.

    ``--nodes FILE`` takes the file for its ``nodes``; ``--do filter=failed`` takes another list.
    """
    result = rolled.result
    expected = set(result.expected)
    failed = sorted(answer.sender for answer in result.failed)
    document = {
        "stopped": None
        if rolled.stopped is None
        else {"why": rolled.stopped.why.value, "text": rolled.stopped.text},
        "requestids": [request_id.hex() for request_id in result.gathered.request_ids],
        "chosen": len(rolled.prepared.names),
        "asked": len(result.expected),
        "steps": [_step(done) for done in rolled.done],
        "nodes": list(rolled.not_asked),
        "done": sorted(answer.sender for answer in result.answers if answer.ok),
        "failed": failed,
        "silent": [name for name in result.silent if name in expected],
        "gone": [node.identity for node in result.gone if node.identity in expected],
        "unheard": list(rolled.unheard),
        "left_out": list(rolled.prepared.left_out),
    }
    if not rolled.done:  # afterwards it would be most of a file that is written after each step
        document["planned"] = [
            {"stage": step.stage.value, "nodes": list(step.names)} for step in rolled.prepared.steps
        ]
    return document


def _step(done: StepDone) -> dict[str, Any]:
    return {
        "stage": done.step.stage.value,
        "asked": len(done.step.names),
        "answered": len(done.answers),
        "failures": done.failures,
    }


def exit_of_rollout(rolled: Rolled, code: Exit) -> Exit:
    """``code``, the call's own, unless the rollout ended early and that says too little."""
    if rolled.stopped is None:
        return code
    if rolled.stopped.why is Why.INTERRUPTED:
        return Exit.INTERRUPTED
    if rolled.stopped.why is Why.DRY_RUN:
        return Exit.OK if rolled.prepared.names else code
    return code if code is not Exit.OK else Exit.FAILED
