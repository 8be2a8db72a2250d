"""Answers as text for people. Data goes to stdout; who is missing is always said, by name."""

from __future__ import annotations

import datetime as dt
import json
import statistics
from collections.abc import Sequence
from typing import Any

from choria.client import Answer, CallResult, Discovery, Gone
from choria.ddl import Summary

NAMES_SHOWN = 20


def ping_line(answer: Answer) -> str:
    """One node's answer to a ping."""
    where = _where(answer)
    return f"{where:<40} time={answer.elapsed_ms:.1f} ms"


def ping_summary(found: Discovery) -> list[str]:
    """What a ping found, with the silent and the gone by name and the count last."""
    lines = ["", "---- ping statistics ----"]
    times = [answer.elapsed_ms for answer in found.matched]
    if times:
        lines.append(
            f"{len(times)} replies min: {min(times):.1f} ms p50: {statistics.median(times):.1f} ms max: {max(times):.1f} ms"
        )
    lines += missing_lines(found.silent, found.gone)
    lines += refused_lines(found.refused)
    lines += _doubts(found)
    lines.append(_hosts(len(found.matched), _expected(found), found.elapsed_s))
    return lines


def discovery_summary(found: Discovery) -> list[str]:
    """What discovery has to say besides the names."""
    count = f"Discovered {len(found.matched)} of {_asked(found)} nodes in {found.elapsed_s * 1000:.0f} ms"
    return [
        *missing_lines(found.silent, found.gone),
        *refused_lines(found.refused),
        *_doubts(found),
        count,
    ]


def call_reply(answer: Answer, labels: dict[str, str]) -> list[str]:
    """One node's reply: its name, what went wrong if anything did, and its values aligned."""
    where = _where(answer)
    lines = [where if answer.ok else f"{where:<40} {_trouble(answer)}"]
    order = {key: place for place, key in enumerate(labels)}
    data = sorted(answer.data.items(), key=lambda item: order.get(item[0], len(order)))
    named = {labels.get(key, key): value for key, value in data}
    width = max((len(name) for name in named), default=0)
    lines += [f"  {name:>{width}}: {_value(value, width + 4)}" for name, value in named.items()]
    return [*lines, ""]


def call_summary(
    result: CallResult, refused: Sequence[Answer], summaries: Sequence[Summary]
) -> list[str]:
    """What the replies have in common, who failed to answer, and the count as the last line."""
    gathered = result.gathered
    lines = [line for summary in summaries for line in _summary(summary)]
    lines += missing_lines(result.silent, result.gone) + refused_lines(refused)
    if gathered.rejected:
        first = gathered.rejected[0]
        lines.append(
            f"{len(gathered.rejected)} replies proved nothing and were dropped, the first: {first.sender}: {first.why}"
        )
    if gathered.unexpected:
        lines.append(f"Unexpected answers from: {_names(gathered.unexpected)}")
    answered, expected = len(result.answers), len(result.expected)
    failed = len(result.failed)
    if failed:
        lines.append(f"{answered - failed} ok, {failed} failed")
    return [*lines, _hosts(answered, expected, result.request_s)]


def _summary(summary: Summary) -> list[str]:
    if not summary.lines:  # no reply had a value
        return []
    return [f"Summary of {summary.title}:", "", *(f"   {line}" for line in summary.lines), ""]


def missing_lines(silent: Sequence[str], gone: Sequence[Gone]) -> list[str]:
    """The silent and the gone by name."""
    lines = []
    if silent:
        lines.append(f"Silent ({len(silent)}): {_names(silent)}")
    lines += [_gone(node) for node in gone[:NAMES_SHOWN]]
    if len(gone) > NAMES_SHOWN:
        lines.append(f"... and {len(gone) - NAMES_SHOWN} more are gone: --json has all")
    return lines


def refused_lines(refused: Sequence[Answer]) -> list[str]:
    """Nodes that would not say whether they match."""
    lines = [f"Refused: {_where(answer)}: {answer.statusmsg}" for answer in refused[:NAMES_SHOWN]]
    if len(refused) > NAMES_SHOWN:
        lines.append(f"... and {len(refused) - NAMES_SHOWN} more refused: --json has all")
    return lines


def _gone(node: Gone) -> str:
    if node.left_at_ms is None:
        return f"Gone: {node.identity}: {node.why}"
    left = dt.datetime.fromtimestamp(node.left_at_ms / 1000, tz=dt.UTC).astimezone()
    return f"Gone: {node.identity}: {node.why} at {left:%Y-%m-%d %H:%M:%S}"


def _doubts(found: Discovery) -> list[str]:
    lines = []
    if found.unknown_silent:
        lines.append(
            f"{found.unknown_silent} nodes did not answer, and the broker did not say which"
        )
    if found.partial:
        lines.append(
            "A part of the network did not say how many nodes it reached: the count may be short"
        )
    if found.rejected:
        lines.append(f"{found.rejected} replies proved nothing and were dropped")
    return lines


def _expected(found: Discovery) -> int:
    return (
        len(found.matched)
        + len(found.silent)
        + found.unknown_silent
        + len(found.refused)
        + sum(not node.planned for node in found.gone)
    )


def _asked(found: Discovery) -> str:
    return str(found.asked) if found.asked is not None else "an unknown number of"


def _hosts(answered: int, expected: int, seconds: float) -> str:
    return f"{answered} / {expected} hosts in {seconds * 1000:.0f} ms"


def _where(answer: Answer) -> str:
    return f"{answer.sender} ({answer.network})" if answer.foreign else answer.sender


_TROUBLE = {
    1: "Request Aborted",
    2: "Unknown Action",
    3: "Missing Request Data",
    4: "Invalid Request Data",
    5: "Unknown Request Status",
}


def _trouble(answer: Answer) -> str:
    return f"{_TROUBLE.get(answer.statuscode, f'Status {answer.statuscode}')}: {answer.statusmsg}"


def _value(value: Any, indent: int) -> str:
    """Scalars as they are; structures as JSON, indented below the first line."""
    if not isinstance(value, dict | list):
        return "" if value is None else str(value)
    text = json.dumps(value, indent=2, default=str)
    return text.replace("\n", "\n" + " " * indent)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"
