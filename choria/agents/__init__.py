"""Agents that ship with choria-trio. They see only what `choria.node` hands them."""

from __future__ import annotations

from .file import file_agent
from .library import SHIPPED, ShippedAgent, shipped_ddl
from .native import About, Agent, Input, Output, action, build_agent, make_document
from .package import package_agent
from .process import process_agent
from .rpcutil import rpcutil_agent
from .service import service_agent

__all__ = [
    "SHIPPED",
    "About",
    "Agent",
    "Input",
    "Output",
    "ShippedAgent",
    "action",
    "build_agent",
    "file_agent",
    "make_document",
    "package_agent",
    "process_agent",
    "rpcutil_agent",
    "service_agent",
    "shipped_agents",
    "shipped_ddl",
]


def shipped_agents() -> tuple[ShippedAgent, ...]:
    """Every agent that a node hosts unless its configuration says otherwise."""
    return (file_agent(), package_agent(), process_agent(), rpcutil_agent(), service_agent())
