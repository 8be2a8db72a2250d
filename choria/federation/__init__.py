"""Joining networks: the relay."""

from .config import RelayConfig, RelaySide
from .relay import Carried, Direction, run_relay

__all__ = ["Carried", "Direction", "RelayConfig", "RelaySide", "run_relay"]
