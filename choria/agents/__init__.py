"""Agents that ship with choria-trio. They see only what `choria.node` hands them."""

from __future__ import annotations

from .choria_util import choria_util_agent
from .executor import executor_agent
from .file import file_agent
from .jobs import JobStore
from .library import SHIPPED, ShippedAgent, shipped_ddl
from .native import About, Agent, Input, Output, action, build_agent, data, make_document
from .package import package_agent
from .process import process_agent
from .puppet import puppet_agent
from .rpcutil import rpcutil_agent
from .service import service_agent
from .shell import shell_agent

__all__ = [
    "SHIPPED",
    "About",
    "Agent",
    "Input",
    "JobStore",
    "Output",
    "ShippedAgent",
    "action",
    "build_agent",
    "choria_util_agent",
    "data",
    "executor_agent",
    "file_agent",
    "make_document",
    "package_agent",
    "process_agent",
    "puppet_agent",
    "rpcutil_agent",
    "service_agent",
    "shell_agent",
    "shipped_agents",
    "shipped_ddl",
]


def shipped_agents(jobs: JobStore | None = None) -> tuple[ShippedAgent, ...]:
    """Every agent that a node hosts unless its configuration says otherwise.

    Args:
        jobs: where commands that outlive their request are kept; without it nobody can start any.
    """
    always = (
        choria_util_agent(),
        file_agent(),
        package_agent(),
        process_agent(),
        puppet_agent(jobs),
        rpcutil_agent(),
        service_agent(),
    )
    return always if jobs is None else (*always, executor_agent(jobs), shell_agent(jobs))
