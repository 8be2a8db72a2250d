"""The forms in which a call is shown: text, groups, table, JSON, JSON lines, CSV, names.

A view turns what comes into text for stdout; it writes nothing. Forms for programs hold every reply
that was chosen; those for people what ``display`` lets them see.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Final, Protocol

import attrs
from typing_extensions import override

from choria.client import Answer, Discovery, call_document, reply_document
from choria.programs.call import Outcome
from choria.programs.call_plan import CallPlan

from ._harmless import one_line
from ._replies import (
    group_lines,
    outcome_lines,
    reply_lines,
    table_lines,
)
from ._rollout_text import rollout_part
from ._terminal import Paper

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class View(Protocol):
    """One form. ``speaks_to_people``: whether the summary belongs to the text on stdout."""

    def start(self, found: Discovery) -> str:
        """What is shown when the nodes are known."""

    def answer(self, answer: Answer) -> str:
        """What is shown of a reply when it comes."""

    def end(self, outcome: Outcome) -> str:
        """What is shown when all is over."""


@attrs.define
class TextView:
    """Replies as they come, the summary at the end."""

    plan: CallPlan
    paper: Paper

    def start(self, found: Discovery) -> str:
        """Nothing: the progress line says it."""
        del found
        return ""

    def answer(self, answer: Answer) -> str:
        """The reply, if it is one that people want to see."""
        if not self.plan.shows(answer):
            return ""
        return _text(reply_lines(answer, self.plan.labels, self.paper))

    def end(self, outcome: Outcome) -> str:
        """Summaries, who is missing, the count."""
        return _text(outcome_lines(outcome, self.paper))


class GroupView(TextView):
    """Identical replies once, at the end."""

    @override
    def answer(self, answer: Answer) -> str:
        """Nothing: it may be like one that is still to come."""
        del answer
        return ""

    @override
    def end(self, outcome: Outcome) -> str:
        """The groups, then the summary."""
        shown = [answer for answer in outcome.kept if self.plan.shows(answer)]
        lines = group_lines(shown, self.plan.labels, self.paper)
        return _text([*lines, *outcome_lines(outcome, self.paper)])


class TableView(GroupView):
    """A row a node, at the end, when the widths are known."""

    @override
    def end(self, outcome: Outcome) -> str:
        """The table, then the summary."""
        plan = self.plan
        shown = [each for each in outcome.kept if not plan.chosen or plan.shows(each)]
        lines = [*table_lines(shown, plan.labels, self.paper), ""] if shown else []
        return _text([*lines, *outcome_lines(outcome, self.paper)])


@attrs.define
class JsonView:
    """One document at the end."""

    plan: CallPlan

    def start(self, found: Discovery) -> str:
        """Nothing."""
        del found
        return ""

    def answer(self, answer: Answer) -> str:
        """Nothing."""
        del answer
        return ""

    def end(self, outcome: Outcome) -> str:
        """The document."""
        return _dumped(document_of(outcome), indent=2)


class JsonLinesView(JsonView):
    """An object a line: ``discovery``, each ``result`` as it comes, ``summaries``, ``stats``."""

    @override
    def start(self, found: Discovery) -> str:
        """Who is asked."""
        return _dumped({"kind": "discovery", "nodes": found.names})

    @override
    def answer(self, answer: Answer) -> str:
        """The reply."""
        if self.plan.chosen and not self.plan.shows(answer):
            return ""
        return _dumped({"kind": "result", **reply_document(answer, self.plan.what.action)})

    @override
    def end(self, outcome: Outcome) -> str:
        """Summaries and account."""
        document = document_of(outcome)
        lines = [
            {"kind": "summaries", "summaries": document["summaries"]},
            {"kind": "stats", **document["request_stats"]},
        ]
        if part := rollout_part(outcome):
            lines.append({"kind": "rollout", **part["rollout"]})
        return "".join(map(_dumped, lines))


class SendersView(JsonView):
    """The names of the nodes whose replies were chosen, as they come."""

    @override
    def answer(self, answer: Answer) -> str:
        """The name, once."""
        chosen = not self.plan.chosen or self.plan.shows(answer)
        return f"{answer.sender}\n" if chosen else ""

    @override
    def end(self, outcome: Outcome) -> str:
        """Nothing more."""
        del outcome
        return ""


class CsvView(JsonView):
    """A row a node, at the end, under one header.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """

    @override
    def end(self, outcome: Outcome) -> str:
        """The rows."""
        labels = list(self.plan.labels)
        more = sorted({key for each in outcome.kept for key in each.data} - set(labels))
        columns = [*labels, *more]
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(["sender", "statuscode", "statusmsg", *map(_field, columns)])
        for each in outcome.kept:
            if not self.plan.chosen or self.plan.shows(each):
                fields = [_field(each.data.get(column)) for column in columns]
                writer.writerow([each.sender, each.statuscode, _field(each.statusmsg), *fields])
        return sink.getvalue()


VIEWS: Final = {
    "json": JsonView,
    "jsonl": JsonLinesView,
    "csv": CsvView,
    "senders": SendersView,
}
PAPER_VIEWS: Final = {"": TextView, "group": GroupView, "table": TableView}


def view_for(form: str, plan: CallPlan, paper: Paper) -> View:
    """The view of ``form``; empty: text."""
    if form in VIEWS:
        return VIEWS[form](plan)
    return PAPER_VIEWS[form](plan, paper)


def document_of(outcome: Outcome) -> dict[str, Any]:
    """The JSON document of a call."""
    plan = outcome.plan
    shown = [each for each in outcome.kept if not plan.chosen or plan.shows(each)]
    summaries = {each.output: each.data for each in outcome.summaries}
    document = call_document(outcome.result, summaries, replies=shown, refused=outcome.refused)
    return document | rollout_part(outcome)


def _field(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=_plain)
    text = "\n".join(one_line(line) for line in text.split("\n"))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _dumped(document: dict[str, Any], indent: int | None = None) -> str:
    return json.dumps(document, indent=indent, default=_plain) + "\n"


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
