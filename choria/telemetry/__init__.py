"""Logging that never blocks the event loop."""

from .logs import LogStats, configure_logging
from .style import use_colour

__all__ = ["LogStats", "configure_logging", "use_colour"]
