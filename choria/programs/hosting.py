"""Which agents a node hosts: shipped, installed with pip, and found in folders."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from choria.agents import Agent, JobStore, ShippedAgent, build_agent, shipped_agents
from choria.agents.found import RESERVED, Catalogue, ExternalFolder, Facts, ModuleFolder
from choria.errors import DDLError
from choria.net import wall_clock_ms
from choria.node import NodeConfig

log = logging.getLogger(__name__)

ENTRY_POINTS: Final = "choria.agents"
"""Group under which a distribution names its classes of `choria.agents.Agent`."""


def catalogue_from(config: NodeConfig, facts: Callable[[], Facts]) -> Catalogue:
    """The agents that ``config`` asks for; what is in folders is looked for by the catalogue."""
    jobs = JobStore(config.state / "jobs", wall_clock_ms)
    sources = [
        source
        for folder in config.agents
        for source in (ModuleFolder(folder), ExternalFolder(folder, config.plugin_config))
    ]
    return Catalogue([*shipped_agents(jobs), *installed_agents()], sources, facts)


def installed_agents(points: Iterator[EntryPoint] | None = None) -> Iterator[ShippedAgent]:
    """Agents of other distributions. One that cannot be loaded is told in the log and left out."""
    for point in points if points is not None else entry_points(group=ENTRY_POINTS):
        # The boundary between agents and the node, as in the catalogue.
        try:
            yield _load(point)
        except Exception:
            log.exception("agent %s (%s) could not be loaded", point.name, point.value)


def _load(point: EntryPoint) -> ShippedAgent:
    kind = point.load()
    if not (isinstance(kind, type) and issubclass(kind, Agent)):
        raise DDLError(f"{point.value} is no class of choria.agents.Agent")
    agent = build_agent(kind())
    if agent.ddl.name in RESERVED:
        raise DDLError(f"the name {agent.ddl.name} is reserved")
    origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
    return replace(agent, origin=origin)
