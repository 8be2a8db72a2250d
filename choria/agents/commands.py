"""Programs that agents run: see `choria.spawn`. What cannot be run is the action's failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import trio

from choria.errors import AgentError, SpawnError
from choria.spawn import SYSTEM_PATH, Finished, Program, run_detached, run_program

MAX_OUTPUT_BYTES: Final = 64 * 1024

__all__ = ["Finished", "run_command", "run_to_its_end"]


async def run_command(
    argv: Sequence[str],
    *,
    max_output_bytes: int = MAX_OUTPUT_BYTES,
    leave_children: bool = False,
) -> Finished:
    """Run ``argv`` to its end. ``argv[0]`` is looked up in the system's directories only.

    Cancelling kills the program and everything it started in its session.

    Args:
        argv: program and arguments; no shell reads them.
        max_output_bytes: of each pipe; more ends the program.
        leave_children: what it started may outlive it, as when a service is started.

    Raises:
        AgentError: it cannot be started, or writes more than ``max_output_bytes``.
    """
    program = Program(argv=tuple(argv), path=SYSTEM_PATH, leave_children=leave_children)
    try:
        return await run_program(program, max_output_bytes=max_output_bytes)
    except SpawnError as wrong:
        raise AgentError(str(wrong)) from None


async def run_to_its_end(
    argv: Sequence[str], limiter: trio.CapacityLimiter, env: Mapping[str, str] | None = None
) -> Finished:
    """Run what must not be stopped halfway: cancelling leaves it running, and in its place.

    Raises:
        AgentError: it cannot be started.
    """
    program = Program(argv=tuple(argv), path=SYSTEM_PATH, env=env or {})
    try:
        return await run_detached(program, limiter=limiter)
    except SpawnError as wrong:
        raise AgentError(str(wrong)) from None
