"""Replies as text for people: aligned values, identical ones once, tables, and the summary at the end.

Whatever a node or a DDL says goes through ``harmless`` before it meets a terminal.
"""

from __future__ import annotations

import json
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from choria.client import Answer, CallResult, Why
from choria.ddl import Summary
from choria.errors import Refusal
from choria.programs.call import Outcome

from ._harmless import harmless, one_line
from ._rollout_text import dry_run_lines, found_by, stopped_lines
from ._terminal import Paper, columns, cut, padded
from ._text import hosts_line, missing_lines, names_line, refused_lines, where

SUMMARY_LINES: Final = 40
NARROWEST: Final = 8
NAME_COLUMN: Final = 40
SHORT_JSON: Final = 48
"""Structures up to so many characters stand on one line."""
_TROUBLE: Final = {
    1: "Request Aborted",
    2: "Unknown Action",
    3: "Missing Request Data",
    4: "Invalid Request Data",
    5: "Unknown Request Status",
}


def reply_lines(answer: Answer, labels: Mapping[str, str], paper: Paper) -> list[str]:
    """One node's reply: its name, what went wrong if anything did, and its values aligned."""
    name = where(answer)
    head = paper.dyed(name, "bold")
    values = value_lines(answer.data, labels, paper)
    if answer.ok:
        return [head, *values, ""]
    gap = max(1, NAME_COLUMN - columns(name))
    trouble = f"{_word(answer)}: {one_line(answer.statusmsg)}"
    if paper.width is None or columns(name) + gap + columns(trouble) <= paper.width:
        return [f"{head}{' ' * gap}{_dyed_trouble(answer, trouble, paper)}", *values, ""]
    first, *rest = [f"  {line}" for line in _wrapped(trouble, 2, paper)]
    return [head, _dyed_trouble(answer, first, paper), *rest, *values, ""]


def group_lines(answers: Sequence[Answer], labels: Mapping[str, str], paper: Paper) -> list[str]:
    """Each different reply once, the most frequent first, with the nodes that gave it."""
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(_likeness(answer), []).append(answer)
    lines: list[str] = []
    for group in sorted(groups.values(), key=lambda each: (-len(each), each[0].sender)):
        lines += _group(group, labels, paper)
    return lines


def _group(group: Sequence[Answer], labels: Mapping[str, str], paper: Paper) -> list[str]:
    first, count = group[0], len(group)
    title = f"{count} node{'s' if count > 1 else ''}: {', '.join(where(each) for each in group)}"
    lines = textwrap.wrap(title, paper.width or 10_000, subsequent_indent="  ")
    if not first.ok:
        trouble = f"{_word(first)}: {one_line(first.statusmsg)}"
        head, *rest = [f"  {line}" for line in _wrapped(trouble, 2, paper)]
        lines += [_dyed_trouble(first, head, paper), *rest]
    return [*lines, *value_lines(first.data, labels, paper), ""]


def _likeness(answer: Answer) -> str:
    refusal = answer.refusal.name if answer.refusal is not None else ""
    alike = [answer.statuscode, refusal, answer.statusmsg if not answer.ok else "", answer.data]
    return json.dumps(alike, sort_keys=True, default=str)


def value_lines(data: Mapping[str, Any], labels: Mapping[str, str], paper: Paper) -> list[str]:
    """The values of a reply under their labels, in the DDL's order."""
    rows = [(one_line(labels.get(key, key)), data[key]) for key in in_order(data, labels)]
    column = max((columns(label) for label, _ in rows), default=0) + 2
    lines = []
    for label, value in rows:
        start = f"{' ' * (column - columns(label))}{label}: "
        first, *rest = _wrapped(text_of(value), column + 2, paper)
        lines += [f"{start}{first}".rstrip(), *(f"{' ' * (column + 2)}{line}" for line in rest)]
    return lines


def in_order(data: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Keys as the DDL orders them, unknown ones last."""
    order = {key: place for place, key in enumerate(labels)}
    return sorted(data, key=lambda key: (order.get(key, len(order)), key))


def text_of(value: Any) -> str:
    """Scalars as they are, structures as JSON; harmless."""
    if value is None:
        return ""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, bytes):
        return value.hex()
    short = json.dumps(value, ensure_ascii=False, default=_plain)
    flat = isinstance(value, list) and not any(isinstance(each, dict | list) for each in value)
    if len(short) > SHORT_JSON and not flat:  # a list of words is broken at its spaces
        short = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    return harmless(short)


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _wrapped(text: str, indent: int, paper: Paper) -> list[str]:
    lines = text.rstrip("\n").split("\n")
    if paper.width is None:
        return lines
    room = max(20, paper.width - indent)
    return [part for line in lines for part in _fitted(line, room)]


def _fitted(line: str, room: int) -> list[str]:
    """Broken at spaces only: what has none is left to the terminal, so that it can be copied."""
    if columns(line) <= room:
        return [line]
    lead = line[: len(line) - len(line.lstrip())]
    wrapper = textwrap.TextWrapper(room, subsequent_indent=lead, break_long_words=False)
    wrapper.break_on_hyphens = False
    return wrapper.wrap(line) or [""]


def _word(answer: Answer) -> str:
    """What went wrong, in Choria's words but for denials, which its words take for failures."""
    if answer.refusal is Refusal.DENIED:
        return "Denied"
    return _TROUBLE.get(answer.statuscode, f"Status {answer.statuscode}")


def _dyed_trouble(answer: Answer, line: str, paper: Paper) -> str:
    word = _word(answer)
    return line.replace(word, paper.dyed(word, "bad"), 1)


def table_lines(answers: Sequence[Answer], labels: Mapping[str, str], paper: Paper) -> list[str]:
    """A row a node. On a terminal, wide columns give way until the rows fit."""
    keys = list(labels) or sorted({key for each in answers for key in each.data})
    head = ["Sender", "Status", *(one_line(labels.get(key, key)) for key in keys)]
    rows = [[where(each), _status(each), *_cells(each, keys)] for each in answers]
    widths = _widths([head, *rows], paper.width)
    lines = [_row(head, widths), "  ".join("-" * width for width in widths)]
    return [line.rstrip() for line in [*lines, *(_row(row, widths) for row in rows)]]


def _cells(answer: Answer, keys: Sequence[str]) -> list[str]:
    return [_cell(answer.data.get(key)) for key in keys]


def _cell(value: Any) -> str:
    if isinstance(value, dict | list):
        return one_line(json.dumps(value, ensure_ascii=False, default=_plain))
    return one_line(text_of(value).replace("\n", " "))


def _status(answer: Answer) -> str:
    return "ok" if answer.ok else _cell(f"{_word(answer)}: {answer.statusmsg}")


def _widths(rows: Sequence[Sequence[str]], room: int | None) -> list[int]:
    widths = [max(columns(cell) for cell in column) for column in zip(*rows, strict=True)]
    over = 0 if room is None else sum(widths) + 2 * (len(widths) - 1) - room
    while over > 0 and max(widths[1:]) > NARROWEST:  # names are cut last
        widest = max(range(1, len(widths)), key=widths.__getitem__)
        widths[widest] -= 1
        over -= 1
    widths[0] = max(NARROWEST, widths[0] - over) if over > 0 else widths[0]
    return widths


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(padded(cut(c, w), w) for c, w in zip(cells, widths, strict=True))


def outcome_lines(outcome: Outcome, paper: Paper) -> list[str]:
    """What the replies have in common, who failed to answer, and the count as the last line."""
    rolled = outcome.rolled
    if rolled is not None and rolled.stopped is not None and rolled.stopped.why is Why.DRY_RUN:
        return dry_run_lines(outcome, rolled, paper)
    result, lines = outcome.result, []
    for summary in outcome.summaries:
        lines += _summary(summary)
    lines += missing_lines(result.silent, result.gone) + refused_lines(outcome.refused)
    lines += _doubts(outcome)
    lines += stopped_lines(outcome)
    dye = "good" if _all_is_well(outcome) else "bad"
    return [*lines, *found_by(outcome), paper.dyed(_count(result), dye)]


def _all_is_well(outcome: Outcome) -> bool:
    result = outcome.result
    if outcome.rolled is not None and outcome.rolled.stopped is not None:
        return False
    return not (result.failed or result.silent or result.gone or outcome.refused)


def _count(result: CallResult) -> str:
    answered, failed = len(result.answers), len(result.failed)
    text = hosts_line(answered, len(result.expected), result.request_s)
    parts = [f"{answered - failed} ok, {failed} failed"]
    if result.gathered.duplicates:
        parts.append(f"{result.gathered.duplicates} duplicates")
    if times := sorted(answer.elapsed_ms for answer in result.answers):
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
        middle = statistics.median(times)
        parts.append(f"p50 {middle:.0f} ms, p95 {p95:.0f} ms, max {times[-1]:.0f} ms")
    return f"{text}: {'; '.join(parts)}"


def _summary(summary: Summary) -> list[str]:
    if not summary.lines:  # no reply had a value
        return []
    shown = [f"   {one_line(line)}" for line in summary.lines[:SUMMARY_LINES]]
    if len(summary.lines) > SUMMARY_LINES:
        shown.append(f"   ... and {len(summary.lines) - SUMMARY_LINES} more: --json has all")
    return [f"Summary of {one_line(summary.title)}:", "", *shown, ""]


def _doubts(outcome: Outcome) -> list[str]:
    gathered, lines = outcome.result.gathered, []
    if gathered.rejected:
        first = gathered.rejected[0]
        lines.append(
            f"{len(gathered.rejected)} replies proved nothing and were dropped, the first: {first.sender}: {one_line(first.why)}"
        )
    if gathered.unexpected:
        lines.append(f"Unexpected answers from: {names_line(gathered.unexpected)}")
    replies = outcome.plan.replies
    if replies is not None and replies.problems:
        lines.append(
            f"{replies.problems} replies could not be judged by --filter-replies, the first: {one_line(replies.first_problem)}"
        )
    return lines
