"""Interfaces that the fleet has handed out, kept on disk: one file an agent, in a folder a network.

Each file says which node said it, when, and the SHA-256 of the text. The hash is the pin: a text that
does not have it is not used, and when the fleet's text changes the operator is told.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import attrs
import msgspec

from choria.ddl import MAX_DDL_BYTES, AgentDDL, parse_foreign_ddl
from choria.errors import DDLError

log = logging.getLogger(__name__)
MAX_RECORD_BYTES = 2 * MAX_DDL_BYTES


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the cache. ``fetched_ms`` is wall clock."""

    agent: str
    network: str
    nodes: list[str]
    fetched_ms: int
    sha256: str
    ddl: str


@attrs.frozen(kw_only=True)
class KnownDdl:
    """An interface and where it is from.

    Attributes:
        origin: For people, such as ``/etc/choria/ddl/package.json``.
        age_s: Since a node handed it out; None when it is the operator's own or ours.
        sha256: Of the text as it came, in hexadecimal.
    """

    ddl: AgentDDL
    origin: str
    sha256: str
    age_s: float | None = None


@attrs.frozen
class DdlCache:
    """The cache below ``folder``; ``now_ms`` is the wall clock."""

    folder: Path
    now_ms: Callable[[], int]

    def get(self, network: str, agent: str) -> KnownDdl | None:
        """The interface of ``agent``, whatever its age; None if it is not kept, or damaged."""
        path = self._path(network, agent)
        try:
            kept = _read(path)
            ddl = parse_foreign_ddl(kept.ddl.encode(), agent)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.DecodeError, DDLError) as wrong:
            log.warning("%s is damaged and not used: %s", path, wrong)
            return None
        age_s = max(0.0, (self.now_ms() - kept.fetched_ms) / 1000)
        origin = f"{', '.join(kept.nodes)} of {kept.network}, {_age(age_s)} ago"
        return KnownDdl(ddl=ddl, origin=origin, sha256=kept.sha256, age_s=age_s)

    def put(self, kept: Kept) -> None:
        """Keep an interface; a reader sees the old file or the new one, whole.

        Raises:
            OSError: It cannot be written.
        """
        path = self._path(kept.network, kept.agent)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(kept))
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            raise

    def agents(self) -> list[str]:
        """Names of all agents that are kept, of any network."""
        return sorted({path.stem for path in self.folder.glob("*/*.json")})

    def _path(self, network: str, agent: str) -> Path:
        return self.folder / network / f"{agent}.json"


def _read(path: Path) -> Kept:
    with path.open("rb") as file:
        kept = msgspec.json.decode(file.read(MAX_RECORD_BYTES), type=Kept)
    if text_hash(kept.ddl) != kept.sha256:
        raise ValueError("its text does not have the hash that was kept")
    return kept


def text_hash(text: str) -> str:
    """SHA-256 of a DDL's text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _age(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
