"""What ``call`` does: from words and flags to a plan, from a plan to an exit code."""

from __future__ import annotations

import sys
import time
from typing import TextIO

import attrs
import trio

from choria.client import (
    AgentNotFound,
    Call,
    DdlCache,
    Exit,
    exit_if,
    exit_of_call,
    exit_of_rollout,
    parse_reply_filter,
)
from choria.errors import UsageError
from choria.programs.call import Conduct, Outcome, run_call, send_call
from choria.programs.call_plan import (
    CallPlan,
    default_display,
    default_timeout_s,
    find_action,
    judge_inputs,
    parse_pairs,
)
from choria.programs.fleet import Question
from choria.programs.interfaces import (
    aggregate_plugins,
    open_cache,
)
from choria.programs.orders import Orders
from choria.programs.shutdown import until_told_to_stop
from choria.telemetry import use_colour

from ._asking import Asker, can_ask
from ._call_help import action_text, agent_text
from ._call_inputs import asked_inputs, enough_share, input_of, interface_of, note, refresh_hint
from ._call_options import Asking
from ._chain import piped_nodes
from ._finding import Finding
from ._fleet_work import question_from, reporting
from ._options import Connection, Filters
from ._outfile import output_to
from ._output import Output
from ._progress import Progress
from ._replies import outcome_lines
from ._rolling import RollingOut
from ._screen import Screen
from ._terminal import Paper, can_redraw, environment, paper_for, width_of
from ._views import view_for

TO_STDOUT = ("", "group", "table")
"""Forms for people: the summary stands below the replies. With the others it goes to stderr."""


@attrs.frozen(kw_only=True)
class Order:
    """What was typed."""

    words: tuple[str, ...]
    where: Connection
    which: Filters
    finding: Finding
    rolling: RollingOut
    asking: Asking
    output: Output

    @property
    def form(self) -> str:
        """The one form that was asked for; empty: text."""
        return next(iter(self.output.forms), "")


def call_help(order: Order) -> int:
    """Help on an agent or an action."""
    return reporting(order.output.is_json, order.where, lambda: _help(order))


def run_order(order: Order) -> int:
    """Carry it out; the exit code."""
    return reporting(order.output.is_json, order.where, lambda: _run(order))


def _help(order: Order) -> int:
    question, cache = _question(order), open_cache()
    known = interface_of(order.words[0], question, cache, refresh=order.asking.refresh)
    if len(order.words) == 1:
        print(agent_text(known))
    else:
        print(action_text(known, find_action(known.ddl, order.words[1], refresh_hint(known))))
    return Exit.OK


def _run(order: Order) -> int:
    _check(order)
    question, cache = _question(order), open_cache()
    plan = _plan(order, question, cache)
    if plan.targets == ():
        raise AgentNotFound("the JSON on standard input names no nodes: nobody is asked")
    orders = _orders(order, question, plan)
    if order.asking.no_wait:
        return _send(order, question, plan, orders)
    with output_to(order.output.output) as out:
        outcome = _ask(order, question, plan, orders, out)
    return _exit_code(order, outcome)


def _check(order: Order) -> None:
    """Refuse what cannot be, before anything else happens."""
    if len(order.words) < 2:
        raise UsageError(
            f"call needs an agent and an action: choria-trio call {order.words[0]} --help lists its actions"
        )
    if len(order.output.forms) > 1:
        both = " and ".join(f"--{form}" for form in order.output.forms)
        raise UsageError(f"{both} cannot be had together: choose one")
    if order.asking.reply_to is not None:
        raise UsageError(
            "--reply-to: replies go to the inbox of who asked, and no broker lets a request name another; "
            "--no-wait sends without waiting, --jsonl --output FILE collects replies in a file"
        )
    _ = enough_share(order.output.ok_if)


def _plan(order: Order, question: Question, cache: DdlCache) -> CallPlan:
    agent, action, *pairs = order.words
    replies = order.output.filter_replies
    chosen = None if replies is None else parse_reply_filter(replies)
    texts = dict(input_of(*pair) for pair in parse_pairs(pairs).items())
    known = (
        None
        if order.asking.no_ddl
        else interface_of(order.words[0], question, cache, refresh=order.asking.refresh)
    )
    hint = refresh_hint(known)
    if known is not None and sys.stdin.isatty() and sys.stderr.isatty():
        texts |= asked_inputs(known, action, texts, hint)
    what = judge_inputs(known, Call(agent=agent, action=action, inputs=dict(texts)), hint)
    return CallPlan(
        what=what,
        known=known,
        display=order.output.display or default_display(known, action),
        chosen=order.output.display is not None,
        timeout_s=order.asking.timeout or default_timeout_s(known),
        replies=chosen,
        targets=piped_nodes() if _may_be_piped(order, question) else None,
        plugins=aggregate_plugins(),
    )


def _may_be_piped(order: Order, question: Question) -> bool:
    """Whether standard input may name the nodes: when no flag does."""
    return not order.which.identity and question.is_broadcast and order.finding.method is None


def _orders(order: Order, question: Question, plan: CallPlan) -> Orders:
    orders = order.rolling.orders(
        question.config.rollout,
        interactive=can_ask(),
        high_impact=plan.action is not None and plan.action.high_impact,
    )
    if order.asking.no_wait and (orders.plan.has_steps or orders.dry_run):
        raise UsageError(
            "--no-wait waits for nobody, and steps are taken by what nodes answer: leave one of them away"
        )
    return orders


def _question(order: Order) -> Question:
    return question_from("call", order.where, order.which, order.finding)


def _ask(order: Order, question: Question, plan: CallPlan, orders: Orders, out: TextIO) -> Outcome:
    env = environment()
    colour = order.output.output is None and use_colour(sys.stdout, env, order.output.colour)
    view = view_for(order.form, plan, paper_for(out, colour=colour))
    redraws = can_redraw(sys.stderr, env) and not order.output.no_progress
    screen = Screen(
        view=view,
        out=out,
        err=sys.stderr,
        progress=Progress(time.monotonic),
        width=width_of() if redraws else None,
    )
    try:
        conduct = Conduct(orders=orders, operator=Asker(screen))
        outcome = trio.run(_until_told, question, plan, screen, conduct)
    finally:
        screen.clear()
    out.write(view.end(outcome))
    out.flush()
    if order.form not in (*TO_STDOUT, "json", "jsonl"):
        print("\n".join(outcome_lines(outcome, Paper())), file=sys.stderr)
    return outcome


async def _until_told(
    question: Question, plan: CallPlan, screen: Screen, conduct: Conduct
) -> Outcome:
    """The first SIGINT or SIGTERM ends it with an account, the second ends the process."""
    ended: list[Outcome] = []

    async def ask(stop: trio.Event) -> None:
        ended.append(await run_call(question, plan, screen, attrs.evolve(conduct, stop=stop)))

    await until_told_to_stop(ask)
    return ended[0]


def _send(order: Order, question: Question, plan: CallPlan, orders: Orders) -> int:
    """Without waiting: the ids at once, then who the broker says got it."""

    def show(request_id: str) -> None:
        if not order.output.is_json:
            print(request_id, flush=True)

    found, sent = trio.run(send_call, question, plan, show, Conduct(orders=orders))
    names = found.names
    if order.output.is_json:
        import json

        document = {
            "schema": "choria-trio/sent/1",
            "requestids": [each.hex() for each in sent.request_ids],
            "nodes": names,
            "handed": sent.handed,
            "without": sent.without,
            "partial": sent.partial,
        }
        print(json.dumps(document, indent=2))
    else:
        note(f"handed to {sent.handed or 0} of {len(names)} nodes; nobody waits for their replies")
    if not names:
        return Exit.NO_NODES
    return Exit.SILENT if sent.without or sent.partial else Exit.OK


def _exit_code(order: Order, outcome: Outcome) -> int:
    share = enough_share(order.output.ok_if)
    if share is None:
        code = exit_of_call(outcome.result, outcome.refused)
    else:
        code = exit_if(outcome.result, outcome.refused, share)
    return code if outcome.rolled is None else exit_of_rollout(outcome.rolled, code)
