"""Summaries of replies by a DDL's aggregates: Choria's functions, as data and as text.

One unknown function or odd format must not hide the others' results: it becomes a summary that says
so. Formats come from DDLs, perhaps of a foreign fleet, so only plain, narrow printf verbs are used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from .model import ActionDDL, Aggregate

_VERB: Final = re.compile(r"%(?:%|[-+ 0#]{0,3}\d{0,3}(?:\.\d{1,2})?[sdvfg])")
_BARS: Final = "▁▂▃▄▅▆▇█"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregate over all replies.

    Attributes:
        output: the output summed up; ``title`` is how it is shown.
        data: for JSON output: counts by value, or a number by name.
        lines: for people, most frequent first.
    """

    function: str
    output: str
    title: str
    data: Mapping[str, Any]
    lines: tuple[str, ...]


def summarize(
    action: ActionDDL,
    replies: Iterable[Mapping[str, Any]],
    plugins: Mapping[str, AggregateFunction] = {},
) -> tuple[Summary, ...]:
    """The action's aggregates over the data of its successful replies.

    ``plugins`` are further functions by name; Choria's own cannot be replaced.
    """
    rows = list(replies)
    functions = {**plugins, **FUNCTIONS}
    return tuple(_summary(action, each, rows, functions) for each in action.aggregates)


def _summary(
    action: ActionDDL,
    aggregate: Aggregate,
    rows: list[Mapping[str, Any]],
    functions: Mapping[str, AggregateFunction],
) -> Summary:
    values = [row[aggregate.output] for row in rows if row.get(aggregate.output) is not None]
    function = functions.get(aggregate.function, _unknown)
    try:
        data, lines = function(aggregate, values)
    except Exception as wrong:  # noqa: BLE001  # a site's plug-in must not hide the replies
        data, lines = {}, (f"aggregator {aggregate.function!r} failed: {wrong!r}",)
    return Summary(
        function=aggregate.function,
        output=aggregate.output,
        title=action.outputs[aggregate.output].display_as,
        data=data,
        lines=tuple(lines),
    )


_Result: TypeAlias = tuple[Mapping[str, Any], tuple[str, ...]]
AggregateFunction: TypeAlias = Callable[[Aggregate, Sequence[Any]], _Result]
"""From an aggregate of a DDL and the output's values to data for JSON and lines for people."""


def _count(aggregate: Aggregate, values: Sequence[Any]) -> _Result:
    return _counted(aggregate, Counter(_flat(values)))


def _boolean(aggregate: Aggregate, values: Sequence[Any]) -> _Result:
    words = {key: str(aggregate.options.get(key, key)) for key in ("true", "false")}
    return _counted(aggregate, Counter(words.get(text, text) for text in _flat(values)))


def _counted(aggregate: Aggregate, counts: Counter[str]) -> _Result:
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    named = ((word or '""', count) for word, count in ordered.items())
    return ordered, tuple(_format(aggregate, "%s = %d", pair) for pair in named)


def _flat(values: Sequence[Any]) -> Iterable[str]:
    for value in values:
        yield from map(_word, value) if isinstance(value, list | tuple) else (_word(value),)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _average(aggregate: Aggregate, values: Sequence[Any]) -> _Result:
    numbers = _numbers(values)
    average = sum(numbers) / len(numbers) if numbers else 0.0
    return {"average": average}, (_format(aggregate, "Average: %.3f", (average,)),)


def _sum(aggregate: Aggregate, values: Sequence[Any]) -> _Result:
    total = sum(_numbers(values))
    return {"sum": total}, (_format(aggregate, "Total: %g", (total,)),)


def _chart(aggregate: Aggregate, values: Sequence[Any]) -> _Result:
    counts = Counter(_numbers(values))
    top = max(counts.values(), default=1)
    chart = "".join(_BARS[(len(_BARS) - 1) * counts[value] // top] for value in sorted(counts))
    return {"chart": chart}, (chart,)


def _unknown(aggregate: Aggregate, _values: Sequence[Any]) -> _Result:
    return {}, (f"unknown aggregator {aggregate.function!r}",)


def _numbers(values: Sequence[Any]) -> list[int | float]:
    return [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]


def _format(aggregate: Aggregate, default: str, arguments: tuple[Any, ...]) -> str:
    wanted = aggregate.options.get("format", default)
    if not isinstance(wanted, str) or "%" in _VERB.sub("", wanted):
        return default % arguments
    try:
        return wanted.replace("%v", "%s") % arguments
    except (TypeError, ValueError):  # as many verbs as arguments, and of their types
        return default % arguments


FUNCTIONS: Final[Mapping[str, AggregateFunction]] = {
    "summary": _count,
    "boolean_summary": _boolean,
    "average": _average,
    "sum": _sum,
    "chart": _chart,
}
"""Choria's aggregates; ``sum`` is Ruby's."""
