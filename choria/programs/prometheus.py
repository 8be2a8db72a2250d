"""A status document in Prometheus' text format, for node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from .node_status import Health, NodeStatus

_PREFIX: Final = "choria_node"


def prometheus_text(status: NodeStatus) -> str:
    """The metrics; ends with a line feed, as the collector wants it."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: NodeStatus) -> Iterator[str]:
    said = status.document
    up = int(status.health is not Health.NOT_RUNNING)
    yield from _metric("up", "Whether the node runs and writes its status", "gauge", up)
    yield from _metric(
        "connected", "Whether a broker is connected", "gauge", int(bool(said.get("broker")))
    )
    labels = {key: str(said.get(key, "")) for key in ("identity", "version", "network")}
    yield from _family("info", "The node", "gauge", [(labels, 1)])
    yield from _metric("status_age_seconds", "Age of the status file", "gauge", status.age_s)
    yield from _metric(
        "start_time_seconds", "When the node started", "gauge", said.get("started_ms", 0) / 1000
    )
    yield from _labelled(
        "requests_total", "Requests by outcome", "counter", "outcome", said.get("outcomes", {})
    )
    yield from _labelled(
        "events_total", "What the node counted", "counter", "counter", said.get("counters", {})
    )
    actions = said.get("actions", {})
    for key, name, text in (
        ("count", "actions_total", "Actions run"),
        ("seconds", "action_seconds_total", "Seconds that actions took"),
    ):
        values = {agent: counts.get(key, 0) for agent, counts in actions.items()}
        yield from _labelled(name, text, "counter", "agent", values)
    yield from _metric("actions_running", "Actions that run now", "gauge", said.get("running", 0))
    yield from _metric("agents", "Agents hosted", "gauge", len(said.get("agents", {})))
    yield from _metric(
        "agents_fenced", "Agents that refuse calls", "gauge", len(said.get("fenced", {}))
    )
    yield from _metric(
        "facts_age_seconds", "Age of the facts", "gauge", said.get("facts", {}).get("age_s", 0)
    )
    yield from _metric(
        "guard_requests",
        "Requests remembered against replay",
        "gauge",
        said.get("guard", {}).get("requests", 0),
    )
    yield from _metric(
        "audit_writable",
        "Whether the audit log can be written",
        "gauge",
        int(said.get("audit", {}).get("writable", False)),
    )
    yield from _metric(
        "audit_missing",
        "Decisions that are in no log",
        "gauge",
        said.get("audit", {}).get("missing", 0),
    )
    if expires_ms := said.get("certificate", {}).get("expires_ms"):
        yield from _metric(
            "certificate_expiry_time_seconds",
            "When the certificate ends",
            "gauge",
            expires_ms / 1000,
        )


def _metric(name: str, text: str, kind: str, value: float) -> Iterator[str]:
    yield from _family(name, text, kind, [({}, value)])


def _labelled(
    name: str, text: str, kind: str, label: str, values: Mapping[str, Any]
) -> Iterator[str]:
    yield from _family(name, text, kind, [({label: key}, value) for key, value in values.items()])


def _family(
    name: str, text: str, kind: str, samples: list[tuple[dict[str, str], float]]
) -> Iterator[str]:
    yield f"# HELP {_PREFIX}_{name} {text}."
    yield f"# TYPE {_PREFIX}_{name} {kind}"
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"{_PREFIX}_{name}{{{inner}}} {value}" if inner else f"{_PREFIX}_{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
