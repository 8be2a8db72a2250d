"""The benchmarks run, small: a figure that nobody can make again is worth nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.bench import (
    bench_agents,
    bench_answers,
    bench_api,
    bench_help,
    bench_node,
    bench_verifying,
)
from tests.bench.fleets import FLEETS


@pytest.mark.parametrize("case", bench_answers.CASES)
def test_answers_of_a_fleet_are_measured(case: str) -> None:
    figures = trio.run(bench_answers.one_case, case, 210)  # more than come with their certificates
    assert figures["cpu_us"] > 0
    assert figures["rate"] > 0


@pytest.mark.parametrize("reader", bench_api.READERS)
def test_programs_that_read_replies_are_measured(reader: str) -> None:
    assert all(figure >= 0 for figure in bench_api.one(reader, 210).values())


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


async def test_ways_to_make_an_agent_are_measured() -> None:
    figures = await bench_agents.measure(rounds=1, count=10)
    assert set(bench_agents.TITLES.values()) < figures.keys()
    assert all(wall > 0 for wall, _ in figures.values())


async def test_one_node_under_load_is_measured(tmp_path: Path) -> None:
    run = await bench_node.measure(tmp_path, rate=20, seconds=2)
    assert (run.sent, len(run.latencies), run.refused, run.lost) == (40, 40, 0, 0)
    assert run.rss_end > 0
    assert "sent 40 in 2 s, answered 40, refused 0, lost 0" in bench_node.report(run, 2)
