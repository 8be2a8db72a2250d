"""Logging that never blocks the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .logs import LogStats as LogStats
    from .logs import configure_logging as configure_logging
    from .prints import PrintLog as PrintLog
    from .prints import prints_to_log as prints_to_log
    from .style import use_colour as use_colour
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".logs": ("LogStats", "configure_logging"),
        ".prints": ("PrintLog", "prints_to_log"),
        ".style": ("use_colour",),
    })  # fmt: skip
