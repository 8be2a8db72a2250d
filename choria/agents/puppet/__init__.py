"""Puppet's agent on this machine."""

from __future__ import annotations

from .agent import puppet_agent

__all__ = ["puppet_agent"]
