"""What ``ping`` and ``discover`` do: ask, show, and say by the exit code whether all is well."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from typing import Any

import trio

from choria.client import Answer, discovery_document, exit_of_discovery
from choria.errors import UsageError
from choria.programs import environment
from choria.programs.fleet import Question, ask_ping, find_names
from choria.programs.remembered import remember

from ._expect import expectation_from
from ._finding import Finding
from ._fleet_work import question_from, reporting
from ._latencies import graph_lines, statistics_lines
from ._options import Connection, Filters
from ._terminal import width_of
from ._text import discovery_summary, missing_summary, ping_line


@dataclasses.dataclass(frozen=True)
class Asked:
    """What was typed."""

    where: Connection
    which: Filters
    finding: Finding
    timeout_s: float | None
    verify: bool = dataclasses.field(kw_only=True)
    json: bool = dataclasses.field(kw_only=True)
    jsonl: bool = dataclasses.field(kw_only=True)

    @property
    def is_json(self) -> bool:
        """Whether a program reads it."""
        return self.json or self.jsonl

    def question(self, command: str) -> Question:
        """The question of ``command``, judged. Raises ChoriaError."""
        if self.json and self.jsonl:
            raise UsageError("--json and --jsonl cannot be had together: choose one")
        return question_from(
            command,
            self.where,
            self.which,
            self.finding,
            timeout_s=self.timeout_s,
            verify=self.verify,
        )


def run_ping(asked: Asked, *, graph: bool, expect: str | None) -> int:
    """Ask who is there; the exit code."""

    def work() -> int:
        expected = expectation_from(expect)
        question = asked.question("ping")
        found = trio.run(ask_ping, question, _shower(asked, _print_ping))
        remember(environment(), found.names, question.config.collective)
        judged = expected.judge(found.names)
        if asked.is_json:
            document = discovery_document(found, question.network) | judged.document()
            _print_document(document, asked)
        else:
            times = [answer.elapsed_ms for answer in found.matched]
            drawn = graph_lines(times, width_of()) if graph else []
            lines = [*statistics_lines(times), *drawn, *missing_summary(found), *judged.lines()]
            print("\n".join(lines))
        return judged.exit_code(exit_of_discovery(found))

    return reporting(asked.is_json, asked.where, work)


def run_discover(asked: Asked) -> int:
    """Print names; the exit code."""

    def work() -> int:
        question = asked.question("discover")
        found = trio.run(find_names, question, _shower(asked, _quiet))
        remember(environment(), found.names, question.config.collective)
        if asked.is_json:
            _print_document(discovery_document(found, question.network), asked)
        else:
            print("".join(f"{name}\n" for name in found.names), end="")
            print("\n".join(discovery_summary(found)), file=sys.stderr)
        return exit_of_discovery(found)

    return reporting(asked.is_json, asked.where, work)


def _shower(asked: Asked, show: Callable[[Answer], None]) -> Callable[[Answer], None]:
    if asked.jsonl:
        return _print_line
    return _quiet if asked.json else show


def _print_line(answer: Answer) -> None:
    ms, grade = round(answer.elapsed_ms, 3), answer.grade.value
    line = {"kind": "node", "sender": answer.sender, "ms": ms, "grade": grade}
    print(json.dumps(line), flush=True)


def _print_document(document: dict[str, Any], asked: Asked) -> None:
    """Whole, or as the last line, without the nodes that have had lines of their own."""
    if asked.json:
        print(json.dumps(document, indent=2))
        return
    nodes = document.pop("nodes")
    for node in nodes:
        if node["ms"] is None:  # of a list: nobody answered for it
            print(json.dumps({"kind": "node", **node}))
    print(json.dumps({"kind": "summary", "count": len(nodes), **document}))


def _quiet(answer: Answer) -> None:
    """Nothing is shown before the end."""


def _print_ping(answer: Answer) -> None:
    print(ping_line(answer), flush=True)
