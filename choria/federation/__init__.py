"""Joining networks: the relay."""

from .config import RelayConfig, RelaySide
from .relay import Carried, Direction, run_relay
from .window import Seen, Window

__all__ = ["Carried", "Direction", "RelayConfig", "RelaySide", "Seen", "Window", "run_relay"]
