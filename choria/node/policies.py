"""The policies folder, read at the start and again when it changes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import trio

from choria.policy import PolicySet

from .builtin import BUILTIN_POLICIES

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 1 << 20
RELOAD_EVERY_S: Final = 10.0


class PolicyFolder:
    """Holds the policies in force. ``current`` never blocks."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.current = PolicySet({})  # nobody may anything until the folder was read
        self.refresh_now()

    def refresh_now(self) -> None:
        """Read the folder. Blocks; what cannot be read denies, by leaving out all policies."""
        try:
            files = {**BUILTIN_POLICIES, **read_policies(self._folder)}
            fresh = PolicySet(files, previous=self.current)
        except (OSError, ValueError) as wrong:
            log.error("policies %s: all requests are denied: %s", self._folder, wrong)  # noqa: TRY400
            fresh = PolicySet({})
        if fresh.problems != self.current.problems:
            for problem in fresh.problems:
                log.error("policy: %s", problem.sentence)
        self.current = fresh

    async def run(self) -> None:
        """Read the folder again every 10 s, in a thread. Runs until cancelled."""
        while True:
            await trio.sleep(RELOAD_EVERY_S)
            await trio.to_thread.run_sync(self.refresh_now)


def read_policies(folder: Path | None) -> dict[str, str]:
    """File name to text of everything in ``folder``; no folder: no policies.

    Raises:
        OSError: the folder or a file cannot be read.
        ValueError: a file is longer than ``MAX_FILE_BYTES``, or no UTF-8.
    """
    if folder is None or not folder.is_dir():
        return {}
    return {path.name: _text(path) for path in sorted(folder.iterdir()) if path.is_file()}


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path} is longer than {MAX_FILE_BYTES} bytes")
    return path.read_text(encoding="utf-8")
