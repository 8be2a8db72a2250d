"""The package agent. Only ``status`` so far: it reads, and changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from choria.agents.library import ShippedAgent, own_ddl
from choria.errors import AgentError
from choria.node import ActionContext

from .dpkg import Dpkg
from .model import Provider
from .rpm import Rpm


def package_agent(provider: Provider | None = None) -> ShippedAgent:
    """The agent, reading ``provider``; without one, the machine's own package database."""
    chosen = provider or detect_provider()

    async def status(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        if chosen is None:
            raise AgentError("this machine has neither dpkg nor rpm")
        return await chosen.status(inputs["package"])

    return ShippedAgent(own_ddl("package"), {"status": status})


def detect_provider(
    which: Callable[[str], str | None] = shutil.which, root: Path = Path("/")
) -> Provider | None:
    """The database that this machine is built from; None when it has none that we know.

    dpkg's status file decides, not the tools: Debian can have rpm installed with an empty database.
    """
    if which("dpkg-query") and (root / "var/lib/dpkg/status").exists():
        return Dpkg()
    if which("rpm"):
        return Rpm("dnf" if which("dnf") else "yum")
    return None
