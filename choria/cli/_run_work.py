"""What ``run`` does: from words and flags to a plan, from a plan to an exit code."""

from __future__ import annotations

import sys
import time
from typing import TextIO

import attrs
import trio

from choria.client import Exit, exit_if, exit_of_call, exit_of_rollout
from choria.errors import UsageError
from choria.programs.call import Conduct
from choria.programs.call_plan import CallPlan
from choria.programs.fleet import Question
from choria.programs.orders import Orders
from choria.programs.run import Ran, command_line, plan_run, run_commands
from choria.programs.shutdown import until_told_to_stop
from choria.telemetry import use_colour

from ._asking import Asker, can_ask
from ._call_inputs import enough_share
from ._chain import piped_nodes
from ._finding import Finding
from ._fleet_work import question_from, reporting
from ._options import Connection, Filters
from ._outfile import output_to
from ._rolling import RollingOut
from ._run_options import RunOutput
from ._run_screen import RunProgress, RunScreen
from ._run_views import run_view
from ._terminal import can_redraw, environment, paper_for, width_of


@attrs.frozen(kw_only=True)
class RunOrder:
    """What was typed."""

    words: tuple[str, ...]
    where: Connection
    which: Filters
    finding: Finding
    rolling: RollingOut
    timeout_s: int
    output: RunOutput

    @property
    def form(self) -> str:
        """The one form that was asked for; empty: what suits the number of nodes."""
        return next(iter(self.output.forms), "")


def carry_out(order: RunOrder) -> int:
    """Run the command; the exit code."""
    return reporting(order.output.is_json, order.where, lambda: _run(order))


def _run(order: RunOrder) -> int:
    if len(order.output.forms) > 1:
        both = " and ".join(f"--{form}" for form in order.output.forms)
        raise UsageError(f"{both} cannot be had together: choose one")
    _ = enough_share(order.output.ok_if)
    line = command_line(order.words)
    question = question_from("run", order.where, order.which, order.finding)
    named = order.which.identity or not question.is_broadcast or order.finding.method is not None
    plan = plan_run(line, order.timeout_s, None if named else piped_nodes())
    if plan.targets == ():
        print("choria-trio: the JSON on standard input names no nodes", file=sys.stderr)
        return Exit.NO_NODES
    orders = order.rolling.orders(question.config.rollout, interactive=can_ask())
    with output_to(order.output.output) as out:
        ran = _ask(order, question, plan, orders, out)
    return _exit_code(order, ran)


def _ask(order: RunOrder, question: Question, plan: CallPlan, orders: Orders, out: TextIO) -> Ran:
    screen = _screen(order, out)
    conduct = Conduct(orders=orders, operator=Asker(screen))
    try:
        ran = trio.run(_until_told, order, question, plan, screen, conduct)
    finally:
        screen.clear()
    if screen.broken:
        raise BrokenPipeError
    out.write(screen.shown.end(ran))
    out.flush()
    sys.stderr.write(screen.shown.account(ran))
    return ran


def _screen(order: RunOrder, out: TextIO) -> RunScreen:
    env, output = environment(), order.output
    colour = output.output is None and use_colour(sys.stdout, env, output.colour)
    paper = paper_for(out, colour=colour)
    shown = run_view(order.form, paper, one=False)
    progress = RunProgress(time.monotonic)
    redraws = can_redraw(sys.stderr, env) and not output.no_progress
    return RunScreen(
        view=shown,
        out=out,
        err=sys.stderr,
        progress=progress,
        width=width_of() if redraws else None,
        form=order.form,
        paper=paper,
        shown=shown,
        latest=progress,
    )


async def _until_told(
    order: RunOrder, question: Question, plan: CallPlan, screen: RunScreen, conduct: Conduct
) -> Ran:
    """The first SIGINT or SIGTERM ends the command everywhere, the second this process."""
    ended: list[Ran] = []

    def keeps(count: int) -> bool:
        return order.form == "json" or (not order.form and count != 1)

    async def work(stop: trio.Event) -> None:
        screen.on_broken = stop.set
        conducted = attrs.evolve(conduct, stop=stop)
        ended.append(await run_commands(question, plan, screen, conducted, keeps))

    await until_told_to_stop(work)
    return ended[0]


def _exit_code(order: RunOrder, ran: Ran) -> int:
    outcome, share = ran.outcome, enough_share(order.output.ok_if)
    if share is None:
        code = exit_of_call(outcome.result, outcome.refused)
    else:
        code = exit_if(outcome.result, outcome.refused, share)
    return code if outcome.rolled is None else exit_of_rollout(outcome.rolled, code)
