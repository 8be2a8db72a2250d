"""Who was asked in a rollout and who was not, in a file that ``--nodes`` takes to go on.

The file is replaced as a whole before and after each step, so that no end of the process makes a node
that was asked look like one that was not; one that cannot be written is known before anybody is. A
rollout that was finished needs none: the file at the usual place goes, one that was asked for stays.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from choria.client import Call, Prepared, Rolled, rollout_document
from choria.errors import ConfigError

from . import environment

log = logging.getLogger(__name__)

MAX_KEPT: Final = 50


@attrs.define(eq=False)
class StateFile:
    """Where one rollout's state is kept. Make it with ``of``.

    Attributes:
        path: None when nothing is kept: everybody is asked at once.
        asked_for: The operator named the file: then it must be written, and stays.
    """

    path: Path | None
    what: Call
    asked_for: bool

    @classmethod
    def of(cls, wanted: Path | None, what: Call, prepared: Prepared) -> StateFile:
        """The file that was asked for; for a rollout in steps, else, one at the usual place."""
        if wanted is not None:
            return cls(wanted, what, asked_for=True)
        several = len(prepared.steps) > 1
        return cls(_usual_place() if several else None, what, asked_for=False)

    def keep(self, rolled: Rolled) -> None:
        """Write how things stand.

        Raises:
            ConfigError: the operator named a file, and it cannot be written.
        """
        if self.path is None:
            return
        document = {"agent": self.what.agent, "action": self.what.action}
        text = json.dumps(document | rollout_document(rolled), indent=2)
        try:
            _replace(self.path, text)
        except OSError as exc:
            if self.asked_for:
                raise ConfigError(
                    f"--state {self.path}: cannot be written: {exc.strerror}"
                ) from exc
            log.warning("the rollout's state is not kept: %s: %s", self.path, exc.strerror)
            self.path = None

    def end(self, rolled: Rolled) -> None:
        """Write how it ended, or take the file away when there is nothing to go on with."""
        self.keep(rolled)
        if self.path is not None and not self.asked_for and rolled.stopped is None:
            self.path.unlink(missing_ok=True)
            self.path = None


def _usual_place() -> Path | None:
    folder = state_folder(environment())
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        old = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in old[: max(0, len(old) - MAX_KEPT + 1)]:
            path.unlink(missing_ok=True)
    except OSError as exc:
        log.warning("the rollout's state is not kept: %s: %s", folder, exc.strerror)
        return None
    return folder / f"{secrets.token_hex(8)}.json"


def state_folder(env: Mapping[str, str]) -> Path | None:
    """Where rollouts' states are kept; None where there is no home."""
    base = env.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):
        base = f"{env['HOME']}/.local/state" if env.get("HOME") else ""
    return Path(base) / "choria-trio" / "rollouts" if base else None


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text + "\n")
        beside.chmod(0o600)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
