"""What a call of an agent costs, by how the agent is made: python -m tests.bench.bench_agents.

Milliseconds of the clock a call, one after another, and of CPU (children included) where processes are
started; a lasting program's own is not in it. The ways are taken in turns, and medians printed. Policy,
signatures and network are not in it either: a whole node's are in `tests.bench.bench_node`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from choria.agents import Agent, action, build_agent
from choria.agents.found import Catalogue, ExternalFolder
from choria.node import Action
from tests.support.agent_context import a_context

SH = """#!/bin/sh
case $CHORIA_EXTERNAL_PROTOCOL in
  *activation_request) echo '{"activate": true}' > "$CHORIA_EXTERNAL_REPLY" ;;
  *) echo '{"statuscode": 0, "data": {"pong": 1}}' > "$CHORIA_EXTERNAL_REPLY" ;;
esac
"""
PYTHON = f"""#!{sys.executable} -I
import json, os, sys
protocol = os.environ.get("CHORIA_EXTERNAL_PROTOCOL", "")
if protocol:
    request = json.load(open(os.environ["CHORIA_EXTERNAL_REQUEST"]))
    reply = {{"activate": True}} if "activation" in protocol else {{"statuscode": 0, "data": {{"pong": 1}}}}
    with open(os.environ["CHORIA_EXTERNAL_REPLY"], "w") as file:
        json.dump(reply, file)
    sys.exit()
for line in sys.stdin:
    print(json.dumps({{"call": json.loads(line)["call"], "data": {{"pong": 1}}}}), flush=True)
"""
PROGRAMS = {
    "shproc": (SH, "external"),
    "pyproc": (PYTHON, "external"),
    "pylast": (PYTHON, "external-lasting"),
}
SHIPPED = "shipped, in the node's loop"
TITLES = {
    "shproc": "external, sh, a process a call",
    "pyproc": "external, python, a process a call",
    "pylast": "external, python, lasting",
}


class Pong(Agent):
    """Answers."""

    @action()
    async def hop(self) -> dict[str, int]:
        """In a loop of its own."""
        return {"pong": 1}

    @action()
    def blocking(self) -> dict[str, int]:
        """In a thread."""
        return {"pong": 1}


async def _shipped(_inputs: dict[str, Any], _context: Any) -> dict[str, Any]:
    return {"pong": 1}


@asynccontextmanager
async def ways(folder: Path) -> AsyncIterator[Mapping[str, Action]]:
    """Every way to call an action that does nothing."""
    native = build_agent(Pong())
    _write_all(folder)
    catalogue = Catalogue([], [ExternalFolder(folder, folder)], dict)
    await catalogue.start()
    found = {agent.ddl.name: agent.actions["run"] for agent in catalogue.agents}
    yield {
        SHIPPED: _shipped,
        "native async, its own loop": native.actions["hop"],
        "native blocking, a thread": native.actions["blocking"],
        **{title: found[name] for name, title in TITLES.items()},
    }
    await catalogue.aclose()


def _write_all(folder: Path) -> None:
    folder.chmod(0o755)
    for name, (program, provider) in PROGRAMS.items():
        _write(folder, name, program, provider)


def _write(folder: Path, name: str, program: str, provider: str) -> None:
    metadata = {"name": name, "version": "1", "timeout": 30, "provider": provider}
    actions = [{"action": "run", "input": {}, "output": {}}]
    (folder / f"{name}.json").write_text(json.dumps({"metadata": metadata, "actions": actions}))
    (folder / f"{name}.json").chmod(0o644)
    (folder / name).write_text(program)
    (folder / name).chmod(0o755)


async def measure(rounds: int, count: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds a call, clock and CPU, of each way."""
    clock: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        async with ways(Path(name)) as table:
            for _ in range(rounds):
                for way, call in table.items():
                    wall, used = await _time(call, count if "process" not in way else count // 10)
                    clock.setdefault(way, []).append(wall)
                    cpu.setdefault(way, []).append(used)
    return {way: (statistics.median(clock[way]), statistics.median(cpu[way])) for way in clock}


async def _time(call: Action, count: int) -> tuple[float, float]:
    context = a_context()
    await call({}, context)  # a lasting program starts at its first call
    began, used = time.perf_counter(), _cpu()
    for _ in range(count):
        await call({}, context)
    return (time.perf_counter() - began) / count * 1e3, (_cpu() - used) / count * 1e3


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=500, help="calls of each way in a round")
    wanted = parser.parse_args()
    figures = trio.run(measure, wanted.rounds, wanted.count)
    load = os.getloadavg()[0]
    sys.stdout.write(f"ms a call; load of the machine {load:.1f} on {os.cpu_count()} cores\n")
    for way, (wall, used) in figures.items():
        sys.stdout.write(f"  {way:36} {wall:9.3f} clock {used:9.3f} cpu\n")
    gain = figures[TITLES["pyproc"]][0] / figures[TITLES["pylast"]][0]
    sys.stdout.write(f"a lasting program in Python answers {gain:.0f} times as fast\n")


if __name__ == "__main__":
    main()
