"""How long ``--help`` takes: python -m tests.bench.bench_help [COMMAND ...].

Prints wall-clock and CPU milliseconds of each command's help as a process of its own, the median of
several runs, and exits 1 if one takes more CPU than ``LIMIT_MS``. CPU, because a machine on which
something else runs would else decide.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from tests.support.command_tree import commands

LIMIT_MS = 300
RUNS = 5


@dataclass(frozen=True)
class Took:
    """Medians of the runs, in milliseconds."""

    name: str
    wall_ms: float
    cpu_ms: float


def measure(path: tuple[str, ...], runs: int = RUNS) -> Took:
    """Run ``choria-trio PATH --help`` so often, where nothing is configured."""
    walls, cpus = [], []
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "HOME": home}
        for _ in range(runs):
            before, began = _cpu_s(), time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "choria", *path, "--help"],
                env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=60,
            )  # fmt: skip
            walls.append(time.perf_counter() - began)
            cpus.append(_cpu_s() - before)
    name = " ".join(path) or "(the program)"
    return Took(name, statistics.median(walls) * 1000, statistics.median(cpus) * 1000)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(wanted: list[str]) -> int:
    paths = [(), *(each.path for each in commands())]
    took = [measure(path) for path in paths if not wanted or " ".join(path) in wanted]
    sys.stdout.write(f"{'--help of':20} {'wall ms':>8} {'CPU ms':>8}\n")
    for each in took:
        sys.stdout.write(f"{each.name:20} {each.wall_ms:8.0f} {each.cpu_ms:8.0f}\n")
    slow = [each.name for each in took if each.cpu_ms > LIMIT_MS]
    if slow:
        sys.stdout.write(f"more than {LIMIT_MS} ms: {', '.join(slow)}\n")
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
