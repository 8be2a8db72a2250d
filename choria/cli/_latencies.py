"""How fast nodes answered: figures, and a small histogram in text."""

from __future__ import annotations

import math
from collections.abc import Sequence

MAX_ROWS = 20
NICE = (1, 2, 5)


def statistics_lines(times_ms: Sequence[float]) -> list[str]:
    """Minimum, average, maximum and percentiles of the answers' times."""
    lines = ["", "---- ping statistics ----"]
    if times_ms:
        ordered = sorted(times_ms)
        shown = {
            "min": ordered[0],
            "avg": math.fsum(ordered) / len(ordered),
            "p50": percentile(ordered, 50),
            "p95": percentile(ordered, 95),
            "p99": percentile(ordered, 99),
            "max": ordered[-1],
        }
        figures = " ".join(f"{name}: {value:.1f} ms" for name, value in shown.items())
        lines.append(f"{len(ordered)} replies {figures}")
    return lines


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile of sorted values: a time that a node really took."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, rank - 1)]


def graph_lines(times_ms: Sequence[float], width: int) -> list[str]:
    """A histogram from the fastest answer to the slowest, in at most ``MAX_ROWS`` rows."""
    if not times_ms:
        return []
    span = nice_span(min(times_ms), max(times_ms))
    first, last = int(min(times_ms) // span), int(max(times_ms) // span)
    counts = [0] * (last - first + 1)
    for each in times_ms:
        counts[int(each // span) - first] += 1
    label = len(f"{(last + 1) * span:g}")
    figure = len(str(max(counts)))
    room = max(10, width - label - figure - 8)
    lines = [""]
    for row, count in enumerate(counts, first):
        bar = "#" * -(-count * room // max(counts))
        lines.append(f"<{(row + 1) * span:>{label}g} ms {count:>{figure}} {bar}".rstrip())
    return lines


def nice_span(shortest_ms: float, longest_ms: float) -> float:
    """1, 2 or 5 times a power of ten that cuts the range into at most ``MAX_ROWS`` spans."""
    span, scale = 1.0, 1.0
    while True:
        for step in NICE:
            span = step * scale
            if longest_ms // span - shortest_ms // span < MAX_ROWS:
                return span
        scale *= 10
