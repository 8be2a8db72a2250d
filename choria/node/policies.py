"""The policies folder, read at the start and again when it changes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import trio

from choria.policy import REGO_FOLDER, Policies, PolicySet, RegoSet, require_rego

from .builtin import BUILTIN_POLICIES
from .config import Authorization

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 1 << 20
RELOAD_EVERY_S: Final = 10.0


class PolicyFolder:
    """Holds the policies in force. ``current`` never blocks."""

    def __init__(self, folder: Path | None, engine: Authorization = "action_policy") -> None:
        """Read the folder.

        Raises:
            PolicyError: the engine needs a library that is not there.
        """
        if engine == "rego":
            require_rego()
        self._folder = folder
        self._engine = engine
        self.current: Policies = PolicySet({})  # nobody may anything until the folder was read
        self.refresh_now()

    def refresh_now(self) -> None:
        """Read the folder. Blocks; what cannot be read denies, by leaving out all policies."""
        try:
            fresh = make_policies(read_policies(self._folder), self._engine, self.current)
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


def make_policies(
    files: Mapping[str, str], engine: Authorization, previous: Policies | None = None
) -> Policies:
    """The policies in ``files`` for one engine; what did not change since ``previous`` is kept.

    Raises:
        PolicyError: the engine needs a library that is not there.
    """
    if engine == "rego":
        builtin, last = PolicySet(BUILTIN_POLICIES), previous
        return RegoSet(files, builtin, previous=last if isinstance(last, RegoSet) else None)
    last = previous if isinstance(previous, PolicySet) else None
    return PolicySet({**BUILTIN_POLICIES, **files}, previous=last)


def read_policies(folder: Path | None) -> dict[str, str]:
    """Name to text of every file in ``folder`` and in its folder ``rego``; no folder: no policies.

    Raises:
        OSError: a folder or a file cannot be read.
        ValueError: a file is longer than ``MAX_FILE_BYTES``, or no UTF-8.
    """
    if folder is None or not folder.is_dir():
        return {}
    files = {path.name: _text(path) for path in sorted(folder.iterdir()) if path.is_file()}
    for path in sorted((folder / REGO_FOLDER).glob("*.rego")):
        files[f"{REGO_FOLDER}/{path.name}"] = _text(path)
    return files


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path} is longer than {MAX_FILE_BYTES} bytes")
    return path.read_text(encoding="utf-8")
