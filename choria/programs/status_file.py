"""The status file: written by a node all the time, read by whoever watches over it.

A file and no port: nothing listens, nothing has to be let through, and a node that hangs is told by the
age of its file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from choria.errors import ConfigError

from .files import write_atomically

log = logging.getLogger(__name__)

WRITE_EVERY_S: Final = 10.0
WRITE_WITHIN_S: Final = 5.0
MAX_STATUS_BYTES: Final = 16 << 20
_READABLE: Final = 0o644
"""For the monitoring's own user: counts, names of agents and of the broker are no secrets."""


class StatusFile:
    """Keeps ``path`` at what ``document`` gives."""

    def __init__(self, path: Path, document: Callable[[], Mapping[str, Any]]) -> None:
        self._path = path
        self._document = document
        self._told = ""
        self._soon = trio.Event()
        # A write that was left behind must not come after, or between, those that follow it.
        self._one = trio.CapacityLimiter(1)

    async def run(self) -> None:
        """Write now and every ten seconds. Failures are told in the log once. Runs until cancelled."""
        while True:
            self._soon = trio.Event()
            await self._write(self._document())
            with trio.move_on_after(WRITE_EVERY_S):
                await self._soon.wait()

    def write_soon(self) -> None:
        """Write now: something has changed that whoever started the node waits to read."""
        self._soon.set()

    async def finish(self) -> None:
        """Write that the node was stopped in order. Takes at most five seconds, even when cancelled."""
        with trio.CancelScope(shield=True):
            await self._write({**self._document(), "stopped": True})

    async def _write(self, document: Mapping[str, Any]) -> None:
        wrong = f"no write within {WRITE_WITHIN_S:g} s"
        with trio.move_on_after(WRITE_WITHIN_S):
            # In a thread that may be left behind: a hung disk must not stop the node.
            wrong = await trio.to_thread.run_sync(
                self._replace, document, abandon_on_cancel=True, limiter=self._one
            )
        if wrong and wrong != self._told:
            log.error("the status file cannot be kept: %s", wrong)
        self._told = wrong

    def _replace(self, document: Mapping[str, Any]) -> str:
        try:
            text = msgspec.json.encode(document).decode()
            write_atomically(self._path, f"{text}\n", mode=_READABLE)
        except ConfigError as wrong:
            return str(wrong)
        return ""


def read_status(path: Path) -> dict[str, Any]:
    """What a node wrote.

    Raises:
        FileNotFoundError: there is no such file: no node has run here.
        ConfigError: it cannot be read, or is no status file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_STATUS_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}") from exc
    try:
        found = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as exc:
        raise ConfigError(f"{path} is no status file of a node: {exc}") from exc
    if not {"identity", "written_ms", "counters"} <= found.keys():
        raise ConfigError(f"{path} is no status file of a node")
    return found
