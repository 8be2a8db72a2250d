"""Programs that we start: no shell, a clean environment, bounded output, nothing left behind."""

from __future__ import annotations

from .program import SYSTEM_PATH, Finished, Program, clean_environment
from .running import DRAIN_S, kill_group, open_program, run_detached, run_program

__all__ = [
    "DRAIN_S",
    "SYSTEM_PATH",
    "Finished",
    "Program",
    "clean_environment",
    "kill_group",
    "open_program",
    "run_detached",
    "run_program",
]
