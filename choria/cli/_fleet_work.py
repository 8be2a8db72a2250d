"""What ``ping`` and ``discover`` do, and what every command shares that asks the fleet."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import trio

from choria.client import (
    Answer,
    ClientConfig,
    Discovery,
    discovery_document,
    exit_of_discovery,
)
from choria.config import load, search_paths
from choria.programs import environment
from choria.programs.fleet import Question, ask_ping
from choria.telemetry import configure_logging

from . import _text
from ._errors import exit_code_of, explain
from ._options import Connection, Filters


def run_ping(
    where: Connection, which: Filters, *, as_json: bool, timeout_s: float | None, verify: bool
) -> int:
    """Ask who is there; the exit code."""

    def work() -> int:
        show = _quiet if as_json else _print_ping
        question = question_from(where, which, timeout_s, verify=verify)
        found = trio.run(ask_ping, question, show)
        lines = _text.ping_summary(found)
        _print_found(found, question, as_json=as_json, lines=lines, to_stdout=True)
        return exit_of_discovery(found)

    return reporting(as_json, where, work)


def run_discover(
    where: Connection, which: Filters, *, as_json: bool, timeout_s: float | None, verify: bool
) -> int:
    """Print names; the exit code."""

    def work() -> int:
        question = question_from(where, which, timeout_s, verify=verify)
        found = trio.run(ask_ping, question, _quiet)
        if not as_json:
            print("".join(f"{name}\n" for name in found.names), end="")
        lines = _text.discovery_summary(found)
        _print_found(found, question, as_json=as_json, lines=lines, to_stdout=False)
        return exit_of_discovery(found)

    return reporting(as_json, where, work)


def question_from(
    where: Connection, which: Filters, timeout_s: float | None, *, verify: bool = False
) -> Question:
    """Flags, environment and configuration files as a question.

    Raises:
        ConfigError: A file cannot be used.
        FilterError: A filter cannot be read.
        InvalidName: A node has a name that no node can have.
    """
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
        timeout_s=timeout_s or loaded.value.discovery_timeout_s,
        verify=verify,
    )
    _ = question.named  # a wrong name is told now, not after connecting
    return question


def reporting(as_json: bool, where: Connection, work: Callable[[], int]) -> int:
    """Run ``work``; with ``--json`` an error is an object on stderr, so that scripts can read it."""
    with configure_logging(level="debug" if where.verbose else "error", json=False):
        if not as_json:
            return work()
        try:
            return work()
        except BrokenPipeError:
            raise
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001  # the same mapping as in main, as JSON
            code = exit_code_of(exc)
            error = {"error": explain(exc) or str(exc), "exit_code": code}
            print(json.dumps(error), file=sys.stderr)
            return code


def _quiet(answer: Answer) -> None:
    """Nothing is shown before the end."""


def _print_ping(answer: Answer) -> None:
    print(_text.ping_line(answer), flush=True)


def _print_found(
    found: Discovery, question: Question, *, as_json: bool, lines: list[str], to_stdout: bool
) -> None:
    if as_json:
        document = discovery_document(found, question.network)
        print(json.dumps(document, indent=2, default=_plain))
    else:
        print("\n".join(lines), file=sys.stdout if to_stdout else sys.stderr)


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
