"""What a node says of itself to whoever watches over it: one document, in a file and on request."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from .audit_trail import AuditTrail
from .counters import Counters
from .data import DataStore
from .facts import FactStore
from .guard_log import RequestLog
from .host import Host
from .ports import Agent, NodeInfo

FORMAT: Final = 1
"""Of the document. New keys do not change it."""


BUILT_IN: Final = "built in"


@runtime_checkable
class Described(Protocol):
    """An agent that knows where it comes from, and can be fenced off."""

    @property
    def origin(self) -> str:
        """The file or distribution that it comes from."""
        ...

    @property
    def trouble(self) -> Callable[[], str]:
        """Why calls are refused now; empty when they are not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusParts:
    """What the document is made of.

    Attributes:
        more: what only the program knows: certificate, trust, where agents come from.
    """

    info: NodeInfo
    network: str
    agents: Mapping[str, Agent]
    counters: Counters
    host: Host
    facts: FactStore
    data: DataStore
    requests: RequestLog
    audit: AuditTrail
    now_ms: Callable[[], int]
    more: Callable[[], Mapping[str, Any]]


def status_of(parts: StatusParts) -> dict[str, Any]:
    """The document now. Times are milliseconds since the epoch, durations seconds."""
    info, now_ms = parts.info, parts.now_ms()
    facts = parts.facts.current
    return {
        "format": FORMAT,
        "identity": info.identity,
        "network": parts.network,
        "version": info.version,
        "pid": os.getpid(),
        "written_ms": now_ms,
        "started_ms": info.started_ms,
        "uptime_s": max(0, now_ms - info.started_ms) / 1000,
        "stopped": False,
        "broker": info.broker(),
        "collectives": list(info.collectives),
        "counters": dict(parts.counters.snapshot()),
        "outcomes": dict(parts.counters.outcomes()),
        "actions": {name: each.as_map() for name, each in parts.counters.actions().items()},
        "running": parts.host.running,
        "agents": {
            name: {"version": agent.ddl.metadata.version, "origin": _origin(agent)}
            for name, agent in sorted(parts.agents.items())
        },
        "fenced": _fenced(parts.agents),
        "facts": {
            "age_s": parts.facts.age_s(), "count": len(facts.values), "classes": len(facts.classes),
        },
        "data": {name: {"age_s": age_s} for name, age_s in sorted(parts.data.ages_s().items())},
        "guard": {"requests": len(parts.requests.guard)},
        "audit": _audit(parts.audit),
        **parts.more(),
    }  # fmt: skip


def _origin(agent: Agent) -> str:
    return agent.origin if isinstance(agent, Described) else BUILT_IN


def _fenced(agents: Mapping[str, Agent]) -> dict[str, str]:
    troubled = {
        name: agent.trouble() for name, agent in agents.items() if isinstance(agent, Described)
    }
    return {name: why for name, why in sorted(troubled.items()) if why}


def _audit(trail: AuditTrail) -> dict[str, Any]:
    return {
        "writable": not trail.trouble,
        "trouble": trail.trouble,
        "unwritable_since_ms": trail.unwritable_since_ms,
        "missing": trail.missing,
        "runs_unaudited": trail.runs_unaudited,
    }
