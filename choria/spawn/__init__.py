"""Programs that we start: no shell, a clean environment, bounded output, nothing left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .program import SYSTEM_PATH as SYSTEM_PATH
    from .program import Finished as Finished
    from .program import Program as Program
    from .program import clean_environment as clean_environment
    from .running import DRAIN_S as DRAIN_S
    from .running import kill_group as kill_group
    from .running import open_program as open_program
    from .running import run_detached as run_detached
    from .running import run_program as run_program
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".program": ("SYSTEM_PATH", "Finished", "Program", "clean_environment"),
        ".running": ("DRAIN_S", "kill_group", "open_program", "run_detached", "run_program"),
    })  # fmt: skip
