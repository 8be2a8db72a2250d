"""What every command shares that asks the fleet: its question, and its errors as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from choria.client import ClientConfig
from choria.config import load, search_paths
from choria.programs import environment
from choria.programs.choosing import choose
from choria.programs.fleet import Question
from choria.telemetry import configure_logging

from ._finding import Finding
from ._options import Connection, Filters


def question_from(
    command: str,
    where: Connection,
    which: Filters,
    finding: Finding,
    *,
    timeout_s: float | None = None,
    verify: bool = False,
) -> Question:
    """Flags, environment and configuration files as the question of ``command``.

    Raises:
        ConfigError: A file cannot be used.
        FilterError: A filter cannot be read.
        InvalidName: A node has a name that no node can have.
        UsageError: The discovery method cannot do what is asked of it.
    """
    env = environment()
    loaded = load(
        search_paths("client", env, where.config),
        ClientConfig,
        overrides=where.overrides(),
        env=env,
    )
    wanted = choose(command, loaded.value, which.parse(), finding.choice(timeout_s))
    question = Question(
        config=loaded.value,
        network=where.network or "",
        which=wanted.which,
        timeout_s=wanted.timeout_s,
        verify=verify,
        wanted=wanted,
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
            from ._errors import (
                exit_code_of,
                explain,
            )  # the interfaces of agents, for one of the errors

            code = exit_code_of(exc)
            error = {"error": explain(exc) or str(exc), "exit_code": code}
            print(json.dumps(error), file=sys.stderr)
            return code
