"""``ping``, ``discover`` and ``call``: questions to the fleet, answers on stdout, doubts named."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import trio
from cyclopts import Parameter

from choria.client import (
    Answer,
    ClientConfig,
    Discovery,
    call_document,
    discovery_document,
    exit_of_call,
    exit_of_discovery,
)
from choria.config import load, search_paths
from choria.programs import environment
from choria.programs.fleet import CallPlan, Question, ask_ping, plan_call, run_call
from choria.telemetry import configure_logging

from . import _text
from ._errors import exit_code_of, explain
from ._options import Connection, Filters

Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]
Timeout = Annotated[float | None, Parameter(name=["--timeout", "-t"])]
_HERE = Connection()
_ALL = Filters()


def ping(
    *, where: Connection = _HERE, which: Filters = _ALL, json: Json = False, timeout: Timeout = None
) -> int:
    """Ask who is there. Silent and gone nodes are named.

    Args:
        where: Broker and identity.
        which: Nodes.
        json: One JSON document on stdout.
        timeout: Seconds to wait for answers.
    """

    def work() -> int:
        show = _quiet if json else _print_ping
        question = _question(where, which, timeout)
        found = trio.run(ask_ping, question, show)
        _print_found(found, question, as_json=json, lines=_text.ping_summary(found), to_stdout=True)
        return exit_of_discovery(found)

    return _reporting(json, where, work)


def discover(
    *, where: Connection = _HERE, which: Filters = _ALL, json: Json = False, timeout: Timeout = None
) -> int:
    """Print the names of the nodes that match, one a line.

    Args:
        where: Broker and identity.
        which: Nodes.
        json: One JSON document on stdout.
        timeout: Seconds to wait for answers.
    """

    def work() -> int:
        question = _question(where, which, timeout)
        found = trio.run(ask_ping, question, _quiet)
        if not json:
            print("".join(f"{name}\n" for name in found.names), end="")
        _print_found(
            found, question, as_json=json, lines=_text.discovery_summary(found), to_stdout=False
        )
        return exit_of_discovery(found)

    return _reporting(json, where, work)


def call(
    agent: str,
    action: str,
    inputs: Annotated[list[str] | None, Parameter(negative="")] = None,
    /,
    *,
    where: Connection = _HERE,
    which: Filters = _ALL,
    json: Json = False,
    timeout: Timeout = None,
    display: Annotated[str | None, Parameter(name="--display")] = None,
) -> int:
    """Call an action of an agent on every node that matches.

    Args:
        agent: Agent, such as package.
        action: Action, such as status.
        inputs: key=value each.
        where: Broker and identity.
        which: Nodes.
        json: One JSON document on stdout, in Choria's shape.
        timeout: Seconds to wait for answers, instead of the agent's own time.
        display: ok, failed, all or none, instead of what the agent's DDL says.
    """

    def work() -> int:
        plan = plan_call(agent, action, inputs or [], display=display, timeout_s=timeout)
        show = _quiet if json else partial(_print_reply, plan)
        result, refused = trio.run(run_call, _question(where, which, None), plan, show)
        if json:
            _print_json(
                call_document(
                    result, {each.output: each.data for each in plan.summaries(result.answers)}
                )
            )
        else:
            print("\n".join(_text.call_summary(result, refused, plan.summaries(result.answers))))
        return exit_of_call(result, refused)

    return _reporting(json, where, work)


def _question(where: Connection, which: Filters, timeout: float | None) -> Question:
    env = environment()
    loaded = load(
        search_paths("client", env, where.config),
        ClientConfig,
        overrides=where.overrides(),
        env=env,
    )
    question = Question(
        config=loaded.value,
        network=where.network or "",
        which=which.parse(),
        timeout_s=timeout or loaded.value.discovery_timeout_s,
    )
    _ = question.named  # a wrong name is told now, not after connecting
    return question


def _reporting(as_json: bool, where: Connection, work: Callable[[], int]) -> int:
    """Run ``work``; with ``--json`` an error is an object on stderr, so that scripts can read it."""
    with configure_logging(level="debug" if where.verbose else "error", json=False):
        if not as_json:
            return work()
        try:
            return work()
        except BrokenPipeError:
            raise
        except Exception as exc:  # noqa: BLE001  # the same mapping as in main, as JSON
            code = exit_code_of(exc)
            print(
                json.dumps({"error": explain(exc) or str(exc), "exit_code": code}), file=sys.stderr
            )
            return code


def _quiet(answer: Answer) -> None:
    """Nothing is shown before the end."""


def _print_ping(answer: Answer) -> None:
    print(_text.ping_line(answer), flush=True)


def _print_reply(plan: CallPlan, answer: Answer) -> None:
    if plan.shows(answer):
        print("\n".join(_text.call_reply(answer, plan.labels)), flush=True)


def _print_found(
    found: Discovery, question: Question, *, as_json: bool, lines: list[str], to_stdout: bool
) -> None:
    if as_json:
        _print_json(discovery_document(found, question.network))
    else:
        print("\n".join(lines), file=sys.stdout if to_stdout else sys.stderr)


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2, default=_plain))


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
