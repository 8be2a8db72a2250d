"""Services of the machine, by systemd or System V scripts."""

from __future__ import annotations

from .agent import detect_provider, service_agent

__all__ = ["detect_provider", "service_agent"]
