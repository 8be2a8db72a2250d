"""So many requests a second to one node: python -m tests.bench.bench_node [--rate 500] [--seconds 60].

Broker and node are processes, the client is this one, over TLS on the loopback. Requests (rpcutil ping, signed,
directed, one each) leave by the clock, whatever became of those before them, so that a slow node is seen
as latency and not as a lower rate. The node judges, audits and signs each. Printed: how many were sent, answered
well, refused and lost, percentiles of the time from a request's own moment to its verified answer, and
the node's resident memory a fifth of the time after the start, and at the end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs
import psutil
import trio

from choria.client import Caller, ClientConfig
from choria.client.caller import Ask
from choria.filters import parse_filter
from choria.programs.demo import Stage
from choria.programs.demo_story import set_up, start_fleet
from choria.programs.fleet import Question, connected
from tests.support.fleet import a_stage

ANSWER_WITHIN_S = 30.0
SETTLE_SHARE = 0.2
LIMITS = "remember = 200000\nremember_caller = 100000\ncaller_rate = 100000\ncaller_burst = 100000\nmax_running = 1000\nmax_running_agent = 1000\n"


@attrs.define
class Run:
    """What came of the requests. Latencies in seconds, memory in bytes."""

    sent: int = 0
    refused: int = 0
    lost: int = 0
    latencies: list[float] = attrs.field(factory=list)
    rss_begin: int = 0
    rss_end: int = 0
    cpu_s: float = 0
    late_s: float = 0

    def percentile_ms(self, percent: int) -> float:
        """Of the answers' latencies."""
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[percent - 1] * 1000


async def measure(folder: Path, rate: float, seconds: float) -> Run:
    """A broker and a node as processes, asked ``rate`` times a second."""
    async with a_stage(folder, 1) as stage:
        await set_up(stage)
        config = folder / "node1.toml"
        stage.write(config.name, config.read_text() + LIMITS)
        await start_fleet(stage)
        client = ClientConfig(
            credentials=folder / "credentials/operator", brokers=[f"127.0.0.1:{stage.port}"]
        )
        question = Question(config=client, network="demo", which=parse_filter(), timeout_s=5)
        async with connected(question) as caller:
            return await _ask_by_the_clock(caller, stage, rate, seconds)


async def _ask_by_the_clock(caller: Caller, stage: Stage, rate: float, seconds: float) -> Run:
    run, node = Run(), psutil.Process(stage.processes["node1"].pid)
    await _ask(caller, run, trio.current_time())  # the certificates are known
    run = Run()
    began, used = trio.current_time(), node.cpu_times()
    async with trio.open_nursery() as nursery:
        while (due := began + run.sent / rate) < began + seconds:
            await trio.sleep_until(due)
            run.late_s = max(run.late_s, trio.current_time() - due)
            if not run.rss_begin and due >= began + seconds * SETTLE_SHARE:
                run.rss_begin = node.memory_info().rss
            run.sent += 1
            nursery.start_soon(_ask, caller, run, due)
    run.rss_end, now = node.memory_info().rss, node.cpu_times()
    run.cpu_s = now.user + now.system - used.user - used.system
    return run


async def _ask(caller: Caller, run: Run, due: float) -> None:
    ask = Ask(
        agent="rpcutil", action="ping", network="demo", collective="choria", ttl_ms=60_000,
        targets=("node1",),
    )  # fmt: skip
    gathered = await caller.gather(ask, timeout_s=ANSWER_WITHIN_S)
    answer = gathered.answers.get("node1")
    if answer is None:
        run.lost += 1
    elif not answer.ok:
        run.refused += 1
    else:
        run.latencies.append(trio.current_time() - due)


def report(run: Run, seconds: float) -> Sequence[str]:
    """The figures as lines."""
    percentiles = ", ".join(f"p{p} {run.percentile_ms(p):.1f}" for p in (50, 90, 95, 99))
    grown = (run.rss_end - run.rss_begin) / run.rss_begin * 100
    return (
        f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        f"sent {run.sent} in {seconds:g} s, answered {len(run.latencies)}, refused {run.refused}, lost {run.lost}",
        (
            f"ms to a verified answer: {percentiles}, max {max(run.latencies) * 1000:.1f};"
            f" the client itself was late by up to {run.late_s * 1000:.1f}"
        ),
        (
            f"node: {run.cpu_s / run.sent * 1e3:.2f} ms of CPU a request,"
            f" {run.rss_begin >> 10} KiB resident, then {run.rss_end >> 10} ({grown:+.1f} %)"
        ),
    )


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=60)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = trio.run(measure, Path(folder), wanted.rate, wanted.seconds)
    sys.stdout.write("\n".join(report(run, wanted.seconds)) + "\n")
    sys.exit(1 if run.lost or run.refused else 0)


if __name__ == "__main__":
    main()
