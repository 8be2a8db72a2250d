"""Reading ``protocol/traces`` and running the walks in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

FOLDER = Path(__file__).resolve().parents[2] / "protocol" / "traces"
Step = dict[str, Any]


@attrs.define
class TraceFile:
    """The walks of one model, and which edges of its state graph were used so far."""

    name: str
    edges: int
    steps: list[Step]
    traces: list[list[list[int]]]
    used: set[tuple[int, int, int]] = attrs.field(factory=set)

    def walks(self) -> Iterator[list[Step]]:
        """The steps of each walk; its edges count as used when the next walk is asked for."""
        for trace in self.traces:
            yield [self.steps[step] for _, step in trace[1:]]
            for (before, _), (after, step) in pairwise(trace):
                self.used.add((before, step, after))

    def summary(self) -> str:
        """What is printed."""
        steps = sum(len(trace) - 1 for trace in self.traces)
        covered = f"{len(self.used)} of {self.edges} edges covered"
        return f"{self.name}: {covered} by {len(self.traces)} traces, {steps} steps"


def load_traces(name: str) -> TraceFile:
    """Read one file."""
    data = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return TraceFile(name, data["edges"], data["steps"], data["traces"])
