"""The package agent and the package databases that it reads."""

from __future__ import annotations

from choria.agents.commands import Finished, run_command

from .agent import detect_provider, package_agent
from .model import Provider

__all__ = ["Finished", "Provider", "detect_provider", "package_agent", "run_command"]
