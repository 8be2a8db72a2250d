"""``choria-trio node status``."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ._harmless import one_line
from ._serve import Config, read_config

if TYPE_CHECKING:
    from choria.programs.node_status import NodeStatus

Json = Annotated[bool, Parameter(name=["--json", "-j"], negative="")]


def status(
    *,
    config: Config = None,
    file: Path | None = None,
    max_age: float = 30.0,
    prometheus: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """Say how the node on this machine is, by the status file that it writes every ten seconds.

    Exits with 0 when all is well; 1 when no node runs, or it hangs, or there is no such file; 8 when it runs and no
    broker is connected; 4 when it answers and something needs care: the audit log cannot be written, an
    agent is fenced off, the certificate ends within a day.

    Args:
        config: The node's configuration file, which says where the status file is.
        file: The status file itself.
        max_age: Seconds after which a file that was not written again means that the node hangs.
        prometheus: Print metrics for the textfile collector of Prometheus' node_exporter; exits with 0 whenever
            there is a file.
        json: Print the whole document, with age and health.
    """
    from choria.net import wall_clock_ms
    from choria.node import NodeConfig
    from choria.programs.node_status import look_at_status, process_alive
    from choria.programs.prometheus import prometheus_text

    path = file or read_config("node", NodeConfig, config).status_path
    found = look_at_status(path, wall_clock_ms(), max_age_s=max_age, alive=process_alive)
    if prometheus:
        print(prometheus_text(found), end="")
        return 0
    if json:
        print(json_text.dumps(_as_json(found), indent=2))
    else:
        print("\n".join(one_line(line) for line in _lines(found)))
    return int(found.health)


def _as_json(found: NodeStatus) -> dict[str, Any]:
    return {
        "health": found.health.name.lower().replace("_", "-"),
        "complaints": list(found.complaints),
        "age_s": found.age_s,
        "file": str(found.path),
        "status": dict(found.document),
    }


def _lines(found: NodeStatus) -> Iterator[str]:
    said = found.document
    health = found.health.name.lower().replace("_", " ")
    yield f"{said['identity']} in network {said.get('network', '?')}: {health}"
    for complaint in found.complaints:
        yield f"  ! {complaint}"
    uptime_s = said.get("uptime_s", 0)
    yield f"  version {said.get('version')}, process {said.get('pid')}, up {_span(uptime_s)}, file {found.age_s:.0f} s old"
    yield f"  broker: {said.get('broker') or 'none'}; collectives: {', '.join(said.get('collectives', []))}"
    outcomes = said.get("outcomes", {})
    told = ", ".join(f"{count} {name}" for name, count in outcomes.items()) or "none"
    yield f"  requests: {told}; {said.get('running', 0)} running"
    agents = said.get("agents", {})
    yield f"  agents: {', '.join(_versioned(name, each) for name, each in agents.items())}"
    facts = said.get("facts", {})
    yield f"  facts: {facts.get('count', 0)}, collected {_span(facts.get('age_s', 0))} ago"
    yield f"  audit: {'written' if said.get('audit', {}).get('writable') else 'NOT WRITTEN'}"
    yield f"  remembered requests: {said.get('guard', {}).get('requests', 0)}"
    if number := said.get("trust", {}).get("number"):
        yield f"  trust object: {number}"


def _versioned(name: str, agent: dict[str, Any]) -> str:
    return f"{name} {agent.get('version', '')}".strip()


def _span(seconds: float) -> str:
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    hours = minutes // 60
    if hours < 1:
        return f"{minutes} min"
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {minutes % 60} min"
