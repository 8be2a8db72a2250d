"""Makes traces of the models for the tests that drive the real code by them.

    python protocol/models/traces.py            write protocol/traces/*.json
    python protocol/models/traces.py --check    exit with 1 if a file differs

TLC writes the whole state graph of a model with small bounds. Here it is cut into walks from the
first state that together use every edge at least once. An edge is: a state, what is done in it (the
variable ``act``), and the state after. Cluster interest and trust have no traces: the code of the
first does not exist yet, and the second has no inputs but an attacker's.

A trace is a list of pairs: number of the state reached, number of the step. A step has the action and
what the real code must show after it.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tlaplus import parse_state, split_state
from tlc import HERE, Tool, ToolError, configuration, find_tool, run_tlc

AT_ONCE: Final = 2  # runs of TLC
FOLDER: Final = HERE.parent / "traces"
LONGEST: Final = 60  # steps of a walk that goes on along new edges
LARGEST: Final = 2_000_000  # bytes of a file

Values = Mapping[str, Any]
Edge = tuple[int, int, int]  # from, step, to


@dataclass(frozen=True)
class Source:
    """One model and its bounds for traces.

    Attributes:
        shown: what the code must show in a state.
    """

    base: str
    constants: Mapping[str, str]
    shown: Callable[[Values], dict[str, Any]]


def _link(state: Values) -> dict[str, Any]:
    return {"view": state["view"], "up": state["up"]}


def _guard(state: Values) -> dict[str, Any]:
    held = len(state["guard"])
    return {"high": state["high"], "floor": state["floor"], "held": held}


def _relay(state: Values) -> dict[str, Any]:
    del state
    return {}


SOURCES: Final[Mapping[str, Source]] = {
    "link": Source("Link", {"MaxData": "1", "MaxPings": "0"}, _link),
    "link-ping": Source("Link", {"MaxData": "0", "MaxPings": "1"}, _link),
    "replay": Source("Replay", {"Parallel": "FALSE", "MaxT": "2", "Capacity": "1"}, _guard),
    "replay-node": Source(
        "Replay",
        {"Parallel": "FALSE", "Rewrite": "FALSE", "MaxT": "2", "Capacity": "1", "MaxBack": "1"},
        _guard,
    ),
    "replay-full": Source(
        "Replay_two", {"MaxT": "2", "MaxBack": "0", "MaxRestart": "0", "MaxCrash": "0"}, _guard
    ),
    "relay": Source(
        "Relay", {"Topologies": "AllJoined", "MaxCopies": "1", "MaxDeaths": "0"}, _relay
    ),
    "relay-die": Source("Relay_full", {"Requests": "{1}", "MaxOld": "0", "Capacity": "9"}, _relay),
    "relay-full": Source("Relay_full", {"MaxDeaths": "0", "MaxCopies": "0"}, _relay),
}


@dataclass
class Graph:
    """States without ``act``, steps, and edges."""

    first: set[int] = field(default_factory=set)
    edges: dict[Edge, None] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)

    def outgoing(self) -> dict[int, list[Edge]]:
        """Edges by the state they leave."""
        found: dict[int, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge[0], []).append(edge)
        return found


def read_graph(path: Path, source: Source) -> Graph:
    """Read what TLC dumped."""
    graph = Graph()
    numbers: dict[str, int] = {}  # state without act
    known: dict[str, tuple[int, int]] = {}  # TLC's name of a state: its number, its step
    arrows: list[tuple[str, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if node := re.match(r'(-?\d+) \[label="(.*?)"(,style = filled)?\];?$', line):
            label = node[2].replace("\\\\", "\\").replace('\\"', '"').replace("\\n", "\n")
            rest, act = split_state(label)
            number = numbers.setdefault(rest, len(numbers))
            step = {**act, "shows": source.shown(parse_state(rest))}
            text = json.dumps(step, sort_keys=True)
            known[node[1]] = (number, graph.steps.setdefault(text, len(graph.steps)))
            if node[3]:
                graph.first.add(number)
        elif (arrow := re.match(r"(-?\d+) -> (-?\d+)", line)) and arrow[1] != arrow[2]:
            arrows.append((arrow[1], arrow[2]))  # TLC draws standing still as an arrow, too
    for before, after in arrows:
        to, by = known[after]
        graph.edges[known[before][0], by, to] = None
    return graph


def walks(graph: Graph) -> Iterator[list[Edge]]:
    """Yield walks from first states that use every edge at least once."""
    leaving = graph.outgoing()
    way = _ways(graph, leaving)
    todo = dict(graph.edges)
    for edge in list(graph.edges):
        if edge not in todo:
            continue
        walk = [*_back(way, edge[0]), edge]
        todo = _without(todo, walk)
        while len(walk) < LONGEST:
            fresh = next((e for e in leaving.get(walk[-1][2], []) if e in todo), None)
            if fresh is None:
                break
            walk.append(fresh)
            del todo[fresh]
        yield walk


def _without(todo: dict[Edge, None], walk: list[Edge]) -> dict[Edge, None]:
    for edge in walk:
        todo.pop(edge, None)
    return todo


def _ways(graph: Graph, leaving: Mapping[int, list[Edge]]) -> dict[int, Edge | None]:
    """By which edge each state is reached first."""
    way: dict[int, Edge | None] = dict.fromkeys(sorted(graph.first))
    waiting = deque(way)
    while waiting:
        for edge in leaving.get(waiting.popleft(), []):
            if edge[2] not in way:
                way[edge[2]] = edge
                waiting.append(edge[2])
    return way


def _back(way: Mapping[int, Edge | None], state: int) -> list[Edge]:
    found: list[Edge] = []
    while (edge := way[state]) is not None:
        found.append(edge)
        state = edge[0]
    return found[::-1]


def make(tool: Tool, source: Source) -> str:
    """Return the text of the file for ``source``."""
    constants = {**source.constants, "Recording": "TRUE"}
    with tempfile.TemporaryDirectory() as scratch:
        dump = Path(scratch, "graph.dot")
        module = source.base.split("_")[0]
        outcome = run_tlc(tool, module, configuration(source.base, constants), dump=dump)
        if not outcome.complete or outcome.violated:
            raise ToolError(f"{source.base}: {outcome.output[-2000:]}")
        graph = read_graph(dump, source)
    return _text(source, graph)


def _text(source: Source, graph: Graph) -> str:
    traces = [[[walk[0][0], -1], *([to, step] for _, step, to in walk)] for walk in walks(graph)]
    head = {
        "about": "Made by protocol/models/traces.py, which says how to read it",
        "model": source.base,
        "constants": dict(source.constants),
        "edges": len(graph.edges),
    }
    lines = [json.dumps(head)[:-1] + ', "steps": [']
    lines.append(",\n".join(graph.steps))
    lines.append('], "traces": [')
    lines.append(",\n".join(json.dumps(trace, separators=(",", ":")) for trace in traces))
    return "\n".join([*lines, "]}"]) + "\n"


def main() -> int:
    """Write or check the files."""
    try:
        tool = find_tool()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            texts = list(pool.map(lambda source: make(tool, source), SOURCES.values()))
    except ToolError as missing:
        sys.stderr.write(f"no traces: {missing}\n")
        return 2
    made = {FOLDER / f"{name}.json": text for name, text in zip(SOURCES, texts, strict=True)}
    for path, text in made.items():
        size = len(text)
        sys.stdout.write(f"{path.name}: {size} bytes, {json.loads(text)['edges']} edges\n")
        if size > LARGEST:
            sys.stderr.write(f"{path.name} is too large: smaller bounds\n")
            return 1
    if "--check" in sys.argv[1:]:
        return 0 if all(path.read_text() == text for path, text in made.items()) else 1
    FOLDER.mkdir(exist_ok=True)
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
