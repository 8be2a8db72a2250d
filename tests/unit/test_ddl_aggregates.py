"""Aggregates: counts, averages, charts; odd formats and unknown functions harm nothing."""

from __future__ import annotations

from typing import Any

import pytest

from choria.ddl import ActionDDL, Aggregate, OutputItem, summarize

CASES: list[tuple[str, dict[str, Any], list[Any], dict[str, Any], tuple[str, ...]]] = [
    ("summary", {}, ["b", "a", "b"], {"b": 2, "a": 1}, ("b = 2", "a = 1")),
    ("summary", {}, [["x", "y"], ["x"]], {"x": 2, "y": 1}, ("x = 2", "y = 1")),
    (
        "summary",
        {},
        [1, True, None, {"k": 1}],
        {"1": 1, "true": 1, '{"k":1}': 1},
        ("1 = 1", "true = 1", '{"k":1} = 1'),
    ),
    ("summary", {"format": "%s on %d node(s)"}, ["a"], {"a": 1}, ("a on 1 node(s)",)),
    ("summary", {"format": "%v: %d"}, ["a"], {"a": 1}, ("a: 1",)),
    ("summary", {"format": "%999999999s %d"}, ["a"], {"a": 1}, ("a = 1",)),
    ("summary", {"format": "%s"}, ["a"], {"a": 1}, ("a = 1",)),
    ("summary", {"format": "%(x)s"}, ["a"], {"a": 1}, ("a = 1",)),
    ("summary", {"format": 5}, ["a"], {"a": 1}, ("a = 1",)),
    (
        "boolean_summary",
        {"true": "Yes", "false": "No"},
        [True, False, True],
        {"Yes": 2, "No": 1},
        ("Yes = 2", "No = 1"),
    ),
    ("boolean_summary", {}, [True], {"true": 1}, ("true = 1",)),
    ("average", {}, [1, 2, "x", True], {"average": 1.5}, ("Average: 1.500",)),
    ("average", {"format": "mean %.1f"}, [1, 2], {"average": 1.5}, ("mean 1.5",)),
    ("average", {}, [], {"average": 0.0}, ("Average: 0.000",)),
    ("sum", {}, [1, 2.5], {"sum": 3.5}, ("Total: 3.5",)),
    ("chart", {}, [1, 1, 1, 2], {"chart": "█▃"}, ("█▃",)),
    ("chart", {}, [], {"chart": ""}, ("",)),
    ("median", {}, [1], {}, ("unknown aggregator 'median'",)),
]


@pytest.mark.parametrize(("function", "options", "values", "data", "lines"), CASES)
def test_functions(
    function: str,
    options: dict[str, Any],
    values: list[Any],
    data: dict[str, Any],
    lines: tuple[str, ...],
) -> None:
    aggregate = Aggregate(function=function, output="v", options=options)
    action = ActionDDL(
        name="a", outputs={"v": OutputItem(name="v", display_as="Value")}, aggregates=(aggregate,)
    )
    (summary,) = summarize(action, [{"v": value} for value in values])
    assert dict(summary.data) == data
    assert sorted(summary.lines) == sorted(lines)
    assert summary.title == "Value"


def test_most_frequent_first() -> None:
    aggregate = Aggregate(function="summary", output="v")
    action = ActionDDL(
        name="a", outputs={"v": OutputItem(name="v", display_as="V")}, aggregates=(aggregate,)
    )
    (summary,) = summarize(action, [{"v": v} for v in "caabbb"] + [{}])
    assert summary.lines == ("b = 3", "a = 2", "c = 1")
