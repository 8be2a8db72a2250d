"""``choria-trio demo``: the whole main job on this machine."""

from __future__ import annotations

import json as jsonlib
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from choria.programs.demo import Step


def demo(
    *,
    nodes: int = 5,
    keep: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(name=["--json", "-j"], negative="")] = False,
) -> int:
    """Start a broker and nodes as processes on this machine, ask them, and stop them again.

    Exits 0 only if everything was as expected.

    Args:
        nodes: How many nodes.
        keep: Leave the fleet running until Ctrl-C and print what to type.
        json: One JSON document on stdout: the steps with their commands, exit codes and output.
    """
    import attrs
    import trio

    from choria.programs.demo import DemoFailed
    from choria.programs.demo_story import run_demo

    from ._errors import leaves

    steps: list[Step] = []

    def show(step: Step) -> None:
        steps.append(step)
        if not json:
            print(f"$ {step.command}\n{step.output}{step.errors}", flush=True)

    async def story() -> None:
        await run_demo(nodes=nodes, keep=keep, show=show, say=_say)

    failure = ""
    try:
        trio.run(story)
    except* DemoFailed as failed:
        failure = "; ".join(str(exc) for exc in leaves(failed))
    if json:
        document = {
            "ok": not failure,
            "failure": failure,
            "steps": [attrs.asdict(step) for step in steps],
        }
        print(jsonlib.dumps(document, indent=2))
        if failure:
            _say(jsonlib.dumps({"error": f"demo failed: {failure}", "exit_code": 1}))
        return 1 if failure else 0
    _say(
        f"demo failed: {failure}"
        if failure
        else "Everything was as expected; every process has been stopped."
    )
    return 1 if failure else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
