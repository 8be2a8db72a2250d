"""Agents that ship with choria-trio. They see only what `choria.node` hands them."""

from __future__ import annotations

from .library import ShippedAgent, shipped_ddl
from .package import package_agent
from .rpcutil import rpcutil_agent

__all__ = [
    "ShippedAgent",
    "package_agent",
    "rpcutil_agent",
    "shipped_agents",
    "shipped_ddl",
]


def shipped_agents() -> tuple[ShippedAgent, ...]:
    """Every agent that a node hosts unless its configuration says otherwise."""
    return (package_agent(), rpcutil_agent())
