"""``ping``: figures, the histogram, and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria.cli._expect import expectation_from
from choria.cli._latencies import MAX_ROWS, graph_lines, percentile, statistics_lines
from choria.client import Exit
from choria.errors import UsageError

TIMES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=200)


def test_figures_are_times_that_nodes_took():
    line = statistics_lines([float(n) for n in range(1, 101)])[-1]
    assert line == (
        "100 replies min: 1.0 ms avg: 50.5 ms p50: 50.0 ms p95: 95.0 ms p99: 99.0 ms max: 100.0 ms"
    )
    assert statistics_lines([])[-1] == "---- ping statistics ----"


@given(TIMES, st.integers(1, 100))
def test_a_percentile_is_reached_by_that_share(times, percent):
    value = percentile(sorted(times), percent)
    assert value in times
    assert sum(each <= value for each in times) * 100 >= percent * len(times)


def test_a_histogram_at_80_columns():
    assert graph_lines([11.0, 12.0, 12.5, 19.9, 31.0], 80) == [
        "",
        "<12 ms 1 " + "#" * 35,
        "<14 ms 2 " + "#" * 69,
        "<16 ms 0",
        "<18 ms 0",
        "<20 ms 1 " + "#" * 35,
        *(f"<{n} ms 0" for n in range(22, 32, 2)),
        "<32 ms 1 " + "#" * 35,
    ]
    assert graph_lines([], 80) == []


@given(TIMES, st.integers(40, 200))
def test_a_histogram_fits_and_counts_everybody(times, width):
    lines = graph_lines(times, width)[1:]
    assert len(lines) <= MAX_ROWS
    assert all(len(line) <= width for line in lines)
    counts = [int(line.split("ms", 1)[1].split("#")[0].strip()) for line in lines]
    assert sum(counts) == len(times)
    assert counts[0]
    assert counts[-1]
    assert all(("#" in line) is bool(count) for line, count in zip(lines, counts, strict=True))


EXPECTED = [
    # what was expected, who answered, the exit code beside a good one
    (None, [], Exit.OK),
    ("0", [], Exit.OK),
    ("2", ["a", "b"], Exit.OK),
    ("3", ["a", "b"], Exit.SILENT),
    ("1", ["a", "b"], Exit.FAILED),
    ("a\nb\n", ["a", "b"], Exit.OK),
    ("a\nb\n", ["a"], Exit.SILENT),
    ("a\nb\n", ["a", "b", "c"], Exit.FAILED),
    ("a\nb\n", ["a", "c"], Exit.FAILED_AND_SILENT),
]


@pytest.mark.parametrize(("text", "answered", "code"), EXPECTED)
def test_the_exit_code_says_whether_others_answered(tmp_path: Path, text, answered, code):
    if text and "\n" in text:
        (tmp_path / "hosts.txt").write_text(text)
        text = str(tmp_path / "hosts.txt")
    judged = expectation_from(text).judge(answered)
    assert judged.exit_code(Exit.OK) is code
    assert bool(judged.lines()) is (code is not Exit.OK)
    assert judged.document().get("expected", {}).get("met", True) is (code is Exit.OK)


def test_without_an_expectation_the_answers_decide():
    assert expectation_from(None).judge([]).exit_code(Exit.NO_NODES) is Exit.NO_NODES
    assert expectation_from("0").judge([]).exit_code(Exit.NO_NODES) is Exit.OK


def test_what_is_neither_a_number_nor_a_file_is_refused():
    with pytest.raises(UsageError, match="a number of nodes, or a file"):
        expectation_from("many")
