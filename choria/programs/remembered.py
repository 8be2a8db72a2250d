"""What the last commands saw, for shell completion: nodes and collectives, in the user's cache."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from choria.errors import ConfigError

from .files import write_atomically

log = logging.getLogger(__name__)
SEEN: Final = "seen.json"
MAX_NAMES: Final = 5000
"""A shell shows no more, and reads the file at each press of a key."""


class Seen(msgspec.Struct, kw_only=True):
    """The newest last; the oldest are forgotten."""

    identities: list[str] = []
    collectives: list[str] = []


def remember(env: Mapping[str, str], identities: Iterable[str], collective: str) -> None:
    """Keep what a command has seen. A cache that cannot be written is no error of the command."""
    home = env.get("XDG_CACHE_HOME", "")
    if not home.startswith("/"):  # the XDG specification: ignore relative ones
        if not env.get("HOME"):
            return
        home = f"{env['HOME']}/.cache"
    path = Path(home) / "choria-trio" / SEEN
    try:
        before = _read(path)
        after = Seen(
            identities=_joined(before.identities, identities),
            collectives=_joined(before.collectives, [collective]),
        )
        if after != before:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, json.dumps(msgspec.to_builtins(after)) + "\n")
    except (OSError, ConfigError) as wrong:
        log.info("%s: completion will not know these nodes: %s", path, wrong)


def _read(path: Path) -> Seen:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Seen)
    except (FileNotFoundError, msgspec.DecodeError):
        return Seen()


def _joined(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """Without those that are there already, a second look at the same fleet writes nothing."""
    return list(dict.fromkeys([*old, *new]))[-MAX_NAMES:]
