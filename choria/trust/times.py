"""Times as people read them in a refusal."""

from __future__ import annotations

from datetime import UTC, datetime


def format_time(at_ms: int) -> str:
    """RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe_span(span_ms: int) -> str:
    """A span in its largest unit: ``3 days``, ``1 hour``."""
    for unit, unit_ms in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000)):
        if span_ms >= unit_ms:
            count = span_ms // unit_ms
            return f"{count} {unit}{'s' if count > 1 else ''}"
    seconds = max(span_ms // 1000, 1)
    return f"{seconds} second{'s' if seconds > 1 else ''}"
