"""What answers cost a client, from the bytes of its link to the callback: python -m tests.bench.bench_answers.

A broker in a box (tests/support/canned_broker.py) hands out the answers of a whole fleet, made and
signed beforehand, in steps of 16 KiB. Each case runs in a process of its own, the cases in turns,
and the table has the medians. *Cold*: no certificate is known, each is fetched (beyond 200 nodes they
do not come along) and proved. *Cached*: the second call of the same client. The stall is the longest
time for which a task of the same loop was not served, which is what the receiver has to wait.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import statistics
import subprocess
import sys
import time
from typing import Any

import trio

from choria.client import Ask, Caller, ReplyBook
from choria.messages import Grade
from choria.net import SessionSettings, open_session
from choria.trust import Verifier
from tests.bench.fleets import FLEETS
from tests.support.canned_broker import CannedBroker, Cost, FleetNode
from tests.support.odd_certificates import NOW_MS

CASES = ["link", "P-256 cold", "P-256 cached", "RSA-2048 cold", "RSA-2048 cached"]
TURN_S = 0.01
PATIENCE_S = 120.0


class Stall:
    """How long the loop was away at most, seconds."""

    def __init__(self, cost: Cost) -> None:
        self.worst_s = 0.0
        self._cost = cost

    async def watch(self) -> None:
        """Look again and again; runs until cancelled."""
        while True:
            before = time.perf_counter()
            await trio.sleep(TURN_S)
            if before > self._cost.began_at:  # making the answers is not the client's work
                self.worst_s = max(self.worst_s, time.perf_counter() - before - TURN_S)


async def one_case(case: str, answers: int) -> dict[str, float]:
    """Run one case; its figures."""
    kind, _, state = case.partition(" ")
    is_link = case == "link"
    fleet = FLEETS["P-256" if is_link else kind](answers, one_signer=is_link)
    cost = Cost()
    stall = Stall(cost)
    nodes = [FleetNode(name, signer) for name, signer in fleet.nodes.items()]
    broker = CannedBroker(fleet.principal, nodes, cost)
    async with open_session(
        broker, SessionSettings(), rng=random.Random(1), now_ms=lambda: NOW_MS
    ) as session:
        await session.wait_connected(10)
        caller = Caller(
            session=session,
            signer=fleet.client,
            book=ReplyBook(Verifier(fleet.issuers, capacity=answers + 10)),
            now_ms=lambda: NOW_MS,
            new_id=lambda: secrets.token_bytes(16),
        )
        grade = Grade.LINK if is_link else Grade.SIGNED
        ask = Ask(
            agent="discovery", action="ping", network="bench", collective="choria", ttl_ms=60_000,
            targets=None, grade=grade,
        )  # fmt: skip
        for _ in range(2 if state == "cached" else 1):
            async with trio.open_nursery() as nursery:
                stall.worst_s = 0.0
                nursery.start_soon(stall.watch)
                gathered = await caller.gather(ask, timeout_s=PATIENCE_S)
                cost.end()
                nursery.cancel_scope.cancel()
            if len(gathered.answers) != answers:
                raise SystemExit(
                    f"{case}: {len(gathered.answers)} answers, {gathered.rejected[:1]}"
                )
    return {
        "cpu_us": cost.cpu_s / answers * 1e6,
        "wall_s": cost.wall_s,
        "rate": answers / cost.wall_s,
        "memory_mib": cost.memory_mib,
        "stall_ms": stall.worst_s * 1000,
    }


def in_a_process(case: str, answers: int) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.bench_answers", "--case", case]
    done = subprocess.run(
        [*command, "--answers", str(answers)], capture_output=True, text=True, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def table(answers: int, rounds: int, cases: list[str]) -> None:
    """Print the medians of ``rounds`` interleaved rounds."""
    found: dict[str, list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            found[case].append(in_a_process(case, answers))
    say = sys.stdout.write
    say(f"{answers} answers, medians of {rounds} interleaved rounds\n")
    say(f"{'':16} {'us CPU each':>12} {'answers/s':>10} {'seconds':>8} {'MiB':>6} {'stall ms':>9}")
    say(f" {'times link':>11}\n")
    link = median(found[cases[0]], "cpu_us")
    for case, runs in found.items():
        figures = {name: median(runs, name) for name in runs[0]}
        say(
            f"{case:16} {figures['cpu_us']:12.1f} {figures['rate']:10.0f} {figures['wall_s']:8.2f}"
            f" {figures['memory_mib']:6.0f} {figures['stall_ms']:9.1f}"
            f" {figures['cpu_us'] / link:11.1f}\n"
        )


def median(runs: list[dict[str, float]], name: str) -> float:
    """Of one figure over all rounds."""
    return statistics.median(run[name] for run in runs)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", choices=CASES, help="this one only, in this process, as JSON")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    wanted: Any = parser.parse_args()
    if wanted.case:
        json.dump(trio.run(one_case, wanted.case, wanted.answers), sys.stdout)
    else:
        table(wanted.answers, wanted.rounds, wanted.cases)


if __name__ == "__main__":
    main()
