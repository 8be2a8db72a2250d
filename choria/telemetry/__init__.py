"""Logging that never blocks the event loop."""

from .logs import LogStats, configure_logging
from .prints import PrintLog, prints_to_log
from .style import use_colour

__all__ = ["LogStats", "PrintLog", "configure_logging", "prints_to_log", "use_colour"]
