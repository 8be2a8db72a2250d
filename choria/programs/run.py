"""``run`` as a program: a command line becomes a call of the shell agent that is followed to its end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from choria.agents import shipped_ddl
from choria.client import Answer, Call, Caller, Gatherer, KnownDdl
from choria.client.commands import Commands, Watching, keep_per_node
from choria.errors import Refusal, UsageError

from .call import Conduct, Outcome, Watcher, run_call
from .call_plan import CallPlan, judge_inputs
from .fleet import Question

AGENT = "shell"
WHOLE_AGENT = "start output kill"
MAX_TIMEOUT_S = 86_400
TELLS_WITHIN_S = 30.0
"""After the command's own time: to be started, and for nodes to tell how it ended."""


class RunWatcher(Watcher, Watching, Protocol):
    """Who shows a run: as a call, and what commands write."""


def command_line(words: Sequence[str]) -> str:
    """What ``/bin/sh`` reads. One word is a command line; several arrive as the words that they are.

    Raises:
        UsageError: there is none.
    """
    line = words[0] if len(words) == 1 else shlex.join(words)
    if not line.strip():
        raise UsageError("run needs a command: choria-trio run -- uptime")
    return line


def plan_run(line: str, timeout_s: int, targets: tuple[str, ...] | None) -> CallPlan:
    """The call that starts the command, judged as a node judges it.

    Raises:
        DDLError: the line is too long.
        UsageError: no node lets a command run so long.
    """
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise UsageError(f"--timeout {timeout_s}: 1 to {MAX_TIMEOUT_S} seconds")
    ddl = shipped_ddl(AGENT)
    if ddl is None:  # pragma: no cover  # it is part of this package
        raise UsageError("this installation lacks the shell agent's DDL")
    known = KnownDdl(ddl=ddl, origin="choria-trio, which ships it", sha256="")
    inputs = {"command": line, "timeout": str(timeout_s)}
    return CallPlan(
        what=judge_inputs(known, Call(agent=AGENT, action="start", inputs=dict(inputs))),
        known=known,
        display="all",
        chosen=False,
        timeout_s=timeout_s + TELLS_WITHIN_S,
        targets=targets,
        typed="run",
    )


@attrs.frozen(kw_only=True)
class Ran:
    """What came of a run.

    Attributes:
        policy_line: What would let this caller run commands where a policy denied it; else nothing.
    """

    outcome: Outcome
    policy_line: str = ""


async def run_commands(
    question: Question,
    plan: CallPlan,
    watcher: RunWatcher,
    conduct: Conduct,
    keeps: Callable[[int], bool],
) -> Ran:
    """Connect, find the nodes, run the command on them. Raises as ``run_call`` does.

    Setting ``conduct.stop`` ends the command on all nodes. ``keeps`` says, of how many nodes there
    are, whether their output is kept; it always goes to ``watcher``.
    """
    callerid = ""

    def through(caller: Caller, count: int) -> Gatherer:
        nonlocal callerid
        own = caller.session.principal
        callerid = own.callerid_for(question.network or own.network)
        keep = keep_per_node(count) if keeps(count) else None
        return Commands(caller=caller, watching=watcher, keep=keep)

    outcome = await run_call(question, plan, watcher, attrs.evolve(conduct, through=through))
    return Ran(outcome=outcome, policy_line=policy_line(outcome.kept, callerid))


def policy_line(answers: Sequence[Answer], callerid: str) -> str:
    """The line that would let this caller run commands, if a policy denied them; else nothing."""
    denied = any(each.refusal is Refusal.DENIED for each in answers)
    return f"allow\t{callerid}\t{WHOLE_AGENT}\t*\t*" if denied else ""
