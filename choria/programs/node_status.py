"""What the status file of a node means to whoever watches over it: a verdict, sentences, metrics."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from choria.errors import ConfigError

from .status_file import WRITE_EVERY_S, read_status

STALE_AFTER_S: Final = 3 * WRITE_EVERY_S
WARN_CERTIFICATE_S: Final = 86400.0


class Health(enum.IntEnum):
    """Exit codes of ``choria-trio node status``, which monitoring reads."""

    OK = 0
    NOT_RUNNING = 1
    IMPAIRED = 4
    DISCONNECTED = 8


@attrs.frozen
class NodeStatus:
    """The file, its age, and what follows.

    Attributes:
        document: what the node wrote.
        complaints: what is wrong, the worst first.
    """

    path: Path
    document: Mapping[str, Any]
    age_s: float
    health: Health
    complaints: tuple[str, ...]


def look_at_status(
    path: Path, now_ms: int, *, max_age_s: float = STALE_AFTER_S, alive: Callable[[int], bool]
) -> NodeStatus:
    """Read and judge a status file.

    Args:
        path: the file.
        now_ms: wall clock, milliseconds.
        max_age_s: an older file means that the node hangs or is gone.
        alive: whether a process of this id runs on this machine.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    try:
        document = read_status(path)
    except FileNotFoundError:
        raise ConfigError(
            f"{path} is not there: no node has run with this state folder; start it with `choria-trio node`, or name "
            "its configuration with --config"
        ) from None
    age_s = max(0, now_ms - document["written_ms"]) / 1000
    found = [
        *_not_running(document, age_s, max_age_s, alive),
        *_disconnected(document),
        *_impaired(document, now_ms),
    ]
    health = found[0][0] if found else Health.OK
    return NodeStatus(path, document, age_s, health, tuple(text for _, text in found))


def process_alive(pid: int) -> bool:
    """Whether a process of this id runs here."""
    return Path(f"/proc/{pid}").exists() if os.name == "posix" else True


def _not_running(
    document: Mapping[str, Any], age_s: float, max_age_s: float, alive: Callable[[int], bool]
) -> Iterator[tuple[Health, str]]:
    pid = document.get("pid", 0)
    if document.get("stopped"):
        yield Health.NOT_RUNNING, f"the node was stopped {age_s:.0f} s ago"
    elif not alive(pid):
        yield Health.NOT_RUNNING, f"the node is gone: no process {pid}; it wrote {age_s:.0f} s ago"
    elif age_s > max_age_s:
        yield Health.NOT_RUNNING, f"the file is {age_s:.0f} s old: process {pid} hangs"


def _disconnected(document: Mapping[str, Any]) -> Iterator[tuple[Health, str]]:
    if not document.get("broker") and not document.get("stopped"):
        yield Health.DISCONNECTED, "no broker is connected"


def _impaired(document: Mapping[str, Any], now_ms: int) -> Iterator[tuple[Health, str]]:
    audit = document.get("audit", {})
    if audit.get("unwritable_since_ms") is not None:
        ago_s = max(0, now_ms - audit["unwritable_since_ms"]) / 1000
        yield (
            Health.IMPAIRED,
            f"the audit log cannot be written since {ago_s:.0f} s: {audit['trouble']}",
        )
    for name, why in document.get("fenced", {}).items():
        yield Health.IMPAIRED, f"agent {name} is fenced off: {why}"
    expires_ms = document.get("certificate", {}).get("expires_ms")
    if expires_ms is not None:
        left_s = (expires_ms - now_ms) / 1000
        if left_s <= 0:
            yield Health.IMPAIRED, "the certificate has ended"
        elif left_s < WARN_CERTIFICATE_S:
            yield Health.IMPAIRED, f"the certificate ends in {left_s / 3600:.0f} hours"
