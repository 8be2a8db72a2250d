"""What a run was told."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from .principals import Credentials


@dataclass(frozen=True)
class Settings:
    """Where the implementation under test is, or how it is started.

    Attributes:
        address: ``(host, port)`` of a broker that runs already.
        command: Starts a program under test; README.md has the contract of its environment.
        scratch: A folder that programs under test may write to.
        collectives: What a broker under test serves; the second one is for cases about apartness.
        patience_s: Cases that would wait longer are skipped.
    """

    credentials: Credentials
    scratch: Path
    address: tuple[str, int] | None = None
    command: tuple[str, ...] = ()
    collectives: tuple[str, ...] = ("choria", "dev")
    patience_s: float = 20.0


def parse_address(text: str) -> tuple[str, int]:
    """``host:port``. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f"{text!r} is no host:port")
    return host.strip("[]"), int(port)


def parse_command(text: str) -> tuple[str, ...]:
    """A command line. Raises ValueError."""
    return tuple(shlex.split(text))
