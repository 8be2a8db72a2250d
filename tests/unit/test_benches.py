"""The benchmarks run, small: a figure that nobody can make again is worth nothing."""

from __future__ import annotations

import pytest
import trio

from tests.bench import bench_answers, bench_help, bench_verifying
from tests.bench.fleets import FLEETS


@pytest.mark.parametrize("case", bench_answers.CASES)
def test_answers_of_a_fleet_are_measured(case: str) -> None:
    figures = trio.run(bench_answers.one_case, case, 210)  # more than come with their certificates
    assert figures["cpu_us"] > 0
    assert figures["rate"] > 0


@pytest.mark.parametrize("kind", FLEETS)
@pytest.mark.parametrize("ways", [bench_verifying.request_ways, bench_verifying.reply_ways])
def test_ways_to_prove_are_measured(kind: str, ways: object) -> None:
    assert callable(ways)
    figures = trio.run(bench_verifying.measure, ways(FLEETS[kind](1)), 1, bench_verifying.AT_ONCE)
    assert {"bare", "cold", "cached"} <= figures.keys()
    assert all(figure > 0 for figure in figures.values())


def test_help_can_be_measured() -> None:
    took = bench_help.measure(("ping",), runs=1)
    assert took.name == "ping"
    assert 0 < took.cpu_ms < took.wall_ms * 3
