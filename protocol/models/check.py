"""Checks all models with TLC: those that must hold, and mutants that must fail.

    python protocol/models/check.py            a table; exit code 1 if a verdict is not as it must be
    python protocol/models/check.py Replay     only these modules

A model that cannot fail proves nothing: each mutant breaks one rule, and TLC must then find that the
property named beside it is violated. Exit code 2: Java or TLC is missing.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from tlc import Outcome, Tool, ToolError, configuration, find_tool, run_tlc

AT_ONCE: Final = 2  # one thread of TLC each, so that two cores are busy all the time
LINE: Final = "{:<10} {:<22} {:>9} {:>8}  {}\n"


@dataclass(frozen=True)
class Job:
    """One run: a configuration that must hold, or a mutant that must fail ``must_fail``."""

    base: str
    mutant: str = ""
    must_fail: str = ""

    @property
    def module(self) -> str:
        """The file of the model."""
        return self.base.split("_")[0]

    @property
    def title(self) -> str:
        """What the table says."""
        return f"mutant {self.mutant}" if self.mutant else self.base


JOBS: Final = (  # the longest first
    Job("Interest"),
    Job("Relay"),
    Job("Trust"),
    Job("Link"),
    Job("Link_ends"),
    Job("Interest_calm"),
    Job("Replay"),
    Job("Interest_heal"),
    Job("Relay_old"),
    Job("Relay_full"),
    Job("Replay_two"),
    Job("Trust_two"),
    Job("Link", "drain", "Drained"),
    Job("Link", "machine", "NoViolation"),
    Job("Link_ends", "mute", "Ends"),
    Job("Interest_calm", "deaf", "Settles"),
    Job("Interest_heal", "deaf", "NoLostInterest"),
    Job("Interest", "forward", "NoDuplicate"),
    Job("Interest", "everywhere", "NoDuplicate"),
    Job("Interest_heal", "keep", "NoGhostInterest"),
    Job("Interest_heal", "stale", "NoGhostInterest"),
    Job("Relay", "random", "NoDuplicate"),
    Job("Relay_old", "short", "NoDuplicate"),
    Job("Relay_full", "evict", "NoDuplicate"),
    Job("Relay_full", "grow", "Bounded"),
    Job("Relay", "third", "NoLoop"),
    Job("Relay", "sticky", "RepliesReturn"),
    Job("Replay", "early", "RunsOnce"),
    Job("Replay", "clock", "RunsOnce"),
    Job("Replay", "hash", "RunsOnce"),
    Job("Replay", "nofloor", "RunsOnce"),
    Job("Replay", "blind", "RunsOnce"),
    Job("Replay_two", "evict", "RunsOnce"),
    Job("Trust", "audience", "RunsAsAsked"),
    Job("Trust", "network", "RunsAsAsked"),
    Job("Trust", "inbox", "NoReflection"),
    Job("Trust", "hash", "ReplyTrue"),
    Job("Trust_two", "sender", "ReplyTrue"),
    Job("Trust_two", "store", "ReplyTrue"),
    Job("Trust_two", "grade", "GradeKept"),
    Job("Trust_two", "bind", "LinkAuthentic"),
)


def run_job(tool: Tool, job: Job) -> Outcome | None:
    """Run ``job``; None when it took too long."""
    mutation = {"Mutant": f'"{job.mutant}"'} if job.mutant else {}
    properties = [job.must_fail] if job.must_fail else []
    try:
        return run_tlc(tool, job.module, configuration(job.base, mutation, properties))
    except subprocess.TimeoutExpired:
        return None


def verdict(job: Job, outcome: Outcome | None) -> tuple[bool, str]:
    """Say whether ``outcome`` is as it must be, and in words what it is."""
    if outcome is None:
        return False, "BAD: not finished in time"
    if not outcome.complete:
        return False, "BAD: TLC failed\n" + outcome.output[-2000:]
    if outcome.violated == job.must_fail:
        return True, f"fails {job.must_fail}, as it must" if job.must_fail else "holds"
    if not outcome.violated:
        return False, f"BAD: holds, but must fail {job.must_fail}"
    return False, f"BAD: fails {outcome.violated}\n" + outcome.output[-4000:]


def results(tool: Tool, jobs: list[Job]) -> Iterator[tuple[Job, Outcome | None]]:
    """Run ``jobs``, some at once; in their order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from zip(jobs, pool.map(lambda job: run_job(tool, job), jobs), strict=True)


def report(tool: Tool, jobs: list[Job]) -> bool:
    """Print the table; whether all is as it must be."""
    started, good = time.perf_counter(), True
    sys.stdout.write(LINE.format("model", "configuration", "states", "seconds", "verdict"))
    for job, outcome in results(tool, jobs):
        fine, words = verdict(job, outcome)
        good = good and fine
        numbers = (outcome.states, f"{outcome.seconds:.1f}") if outcome else ("-", "-")
        sys.stdout.write(LINE.format(job.module, job.title, *numbers, words))
        sys.stdout.flush()
    seconds = time.perf_counter() - started
    sys.stdout.write(f"{len(jobs)} runs, {seconds:.0f} s: {'ok' if good else 'FAILED'}\n")
    return good


def main(wanted: list[str]) -> int:
    """Check the modules ``wanted``, or all."""
    jobs = [job for job in JOBS if not wanted or job.module in wanted]
    if not jobs:
        sys.stderr.write(f"no such model: {' '.join(wanted)}\n")
        return 2
    try:
        return 0 if report(find_tool(), jobs) else 1
    except ToolError as missing:
        sys.stderr.write(f"the models cannot be checked: {missing}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
