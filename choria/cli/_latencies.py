"""How fast nodes answered: figures, and a small histogram in text."""

from __future__ import annotations

import statistics
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
            "avg": statistics.fmean(ordered),
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
    """A histogram: a row for each span of time, wide enough for at most ``MAX_ROWS`` of them."""
    if not times_ms:
        return []
    span = nice_span(max(times_ms))
    rows = int(max(times_ms) // span) + 1
    counts = [0] * rows
    for each in times_ms:
        counts[int(each // span)] += 1
    label = len(f"{rows * span:g}")
    figure = len(str(max(counts)))
    room = max(10, width - label - figure - 8)
    lines = [""]
    for row, count in enumerate(counts):
        bar = "#" * (-(-count * room // max(counts)) if count else 0)
        lines.append(f"<{(row + 1) * span:>{label}g} ms {count:>{figure}} {bar}".rstrip())
    return lines


def nice_span(longest_ms: float) -> float:
    """1, 2 or 5 times a power of ten that cuts ``longest_ms`` into at most ``MAX_ROWS`` spans."""
    span, scale = 1.0, 1.0
    while True:
        for step in NICE:
            span = step * scale
            if longest_ms // span < MAX_ROWS:
                return span
        scale *= 10
