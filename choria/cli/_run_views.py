"""The forms in which a run is shown: grouped, streamed, JSON, JSON lines. A view writes nothing."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

import attrs
from typing_extensions import override

from choria.client import Answer, Discovery, reply_document
from choria.client.commands import Piece
from choria.programs.run import Ran

from ._harmless import harmless
from ._rollout_text import rollout_part
from ._run_text import ending, grouped_lines, summary_lines
from ._terminal import Paper
from ._text import where
from ._views import document_of

LONGEST_LINE: Final = 1 << 14
SCHEMA: Final = "choria-trio/run/1"


class RunView(Protocol):
    """One form. ``piece`` gives what is for stdout and what is for stderr."""

    def start(self, found: Discovery) -> str:
        """What is shown when the nodes are known."""

    def piece(self, piece: Piece) -> tuple[str, str]:
        """What is shown of output when it comes."""

    def answer(self, answer: Answer) -> str:
        """What is shown on stdout when a command ended."""

    def aside(self, answer: Answer) -> str:
        """What is then said on stderr."""

    def end(self, ran: Ran) -> str:
        """What is shown on stdout when all is over."""

    def account(self, ran: Ran) -> str:
        """What is then said on stderr."""


@attrs.define
class GroupedView:
    """Identical outputs once, at the end."""

    paper: Paper

    def start(self, found: Discovery) -> str:
        """Nothing: the progress line says it."""
        del found
        return ""

    def piece(self, piece: Piece) -> tuple[str, str]:
        """Nothing: it may be like what is still to come."""
        del piece
        return "", ""

    def answer(self, answer: Answer) -> str:
        """Nothing yet."""
        del answer
        return ""

    def aside(self, answer: Answer) -> str:
        """Nothing."""
        del answer
        return ""

    def end(self, ran: Ran) -> str:
        """The groups, then the summary."""
        return _text([*grouped_lines(ran, self.paper), *summary_lines(ran, self.paper)])

    def account(self, ran: Ran) -> str:
        """Nothing more."""
        del ran
        return ""


@attrs.define
class StreamView(GroupedView):
    """Lines as they come, stdout to stdout and stderr to stderr; the summary is no output."""

    _named: bool = True
    _rests: dict[tuple[str, str], str] = attrs.field(factory=dict)

    @override
    def start(self, found: Discovery) -> str:
        """Names stand in front where there are several."""
        self._named = len(found.names) > 1
        return ""

    @override
    def piece(self, piece: Piece) -> tuple[str, str]:
        """The lines that are whole now."""
        key = piece.sender, piece.stream
        *lines, rest = (self._rests.pop(key, "") + piece.text).split("\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], ""
        if rest:
            self._rests[key] = rest
        text = "".join(self._line(piece.sender, line) for line in lines)
        return (text, "") if piece.stream == "stdout" else ("", text)

    def _line(self, sender: str, line: str) -> str:
        return f"{sender}: {harmless(line)}\n" if self._named else f"{harmless(line)}\n"

    @override
    def answer(self, answer: Answer) -> str:
        """A last line that no line feed ended."""
        return self._rest(answer.sender, "stdout")

    @override
    def aside(self, answer: Answer) -> str:
        """The same of stderr; and how it ended, unless it went well."""
        rest = self._rest(answer.sender, "stderr")
        return rest if answer.ok else f"{rest}{where(answer)}: {ending(answer)}\n"

    def _rest(self, sender: str, stream: str) -> str:
        rest = self._rests.pop((sender, stream), "")
        return self._line(sender, rest) if rest else ""

    @override
    def end(self, ran: Ran) -> str:
        """What commands wrote last that nobody saw end."""
        return "".join(self._rest(*key) for key in list(self._rests) if key[1] == "stdout")

    @override
    def account(self, ran: Ran) -> str:
        """The summary."""
        rests = [self._rest(*key) for key in list(self._rests)]
        return "".join(rests) + _text(summary_lines(ran, Paper(width=self.paper.width)))


class JsonView(GroupedView):
    """One document at the end."""

    @override
    def end(self, ran: Ran) -> str:
        """The document."""
        return json.dumps(run_document(ran), indent=2, default=str) + "\n"


class JsonLinesView(GroupedView):
    """An object a line: ``discovery``, ``output`` and ``result`` as they come, ``stats``."""

    @override
    def start(self, found: Discovery) -> str:
        """Who is asked."""
        return _line("discovery", nodes=found.names)

    @override
    def piece(self, piece: Piece) -> tuple[str, str]:
        """What was written, exactly."""
        line = _line("output", sender=piece.sender, stream=piece.stream, text=piece.text)
        return line, ""

    @override
    def answer(self, answer: Answer) -> str:
        """How it ended."""
        words = ("exitcode", "reason")
        kept: dict[str, Any] = {word: answer.data[word] for word in words if word in answer.data}
        return _line("result", **reply_document(attrs.evolve(answer, data=kept), "start"))

    @override
    def end(self, ran: Ran) -> str:
        """The account."""
        document = run_document(ran)
        more = {key: document[key] for key in ("command", "policy_line") if key in document}
        lines = [_line("stats", **document["request_stats"], **more)]
        if part := rollout_part(ran.outcome):
            lines.append(_line("rollout", **part["rollout"]))
        return "".join(lines)


def run_view(form: str, paper: Paper, *, one: bool) -> RunView:
    """The view of ``form``; empty: as people want it, which is streamed when there is ``one`` node."""
    if form == "json":
        return JsonView(paper)
    if form == "jsonl":
        return JsonLinesView(paper)
    return StreamView(paper) if form == "stream" or one else GroupedView(paper)


def run_document(ran: Ran) -> dict[str, Any]:
    """The shape of a call's document, so that it can be piped into the next call."""
    document = document_of(ran.outcome)
    command = ran.outcome.plan.what.inputs["command"]
    policy = {"policy_line": ran.policy_line} if ran.policy_line else {}
    return {**document, "schema": SCHEMA, "command": command, **policy}


def _line(kind: str, **document: Any) -> str:
    return json.dumps({"kind": kind, **document}, default=str) + "\n"


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
