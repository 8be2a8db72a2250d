"""Checking and reading what a node wrote down."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import attrs
import trio

from choria.errors import ConfigError
from choria.policy import GENESIS, ChainReport, verify_chain

LOOK_EVERY_S: Final = 0.5
MAX_LINE_BYTES: Final = 8 << 20
"""Much longer than a line with the largest inputs that a request may have."""
_CHUNK_BYTES: Final = 1 << 16


@attrs.frozen
class ChainVerdict:
    """Whether an audit log is unbroken, in a sentence.

    Attributes:
        files: What was found in each file that was read, as JSON values.
    """

    intact: bool
    text: str
    files: tuple[dict[str, str | int], ...] = ()


def verify_audit_logs(paths: Sequence[Path], *, after: str = GENESIS) -> ChainVerdict:
    """Read logs, oldest first, and check that each goes on from the one before.

    Args:
        paths: a log and the files that were rotated away from it.
        after: the last hash of what came before the first file, when that is gone.

    Raises:
        ConfigError: a file cannot be read.
    """
    last, texts = after, []
    files: list[dict[str, str | int]] = []
    for path in paths:
        report = _verify(path, last)
        last = report.last_hash
        files.append({"file": str(path), "lines": report.lines, "last_hash": last})
        if not report.ok:
            why = _why(report, first=path == paths[0])
            files[-1] |= {"broken_line": report.broken_line, "reason": why}
            texts.append(f"{path}:{report.broken_line}: {why}")
            return ChainVerdict(intact=False, text="\n".join(texts), files=tuple(files))
        texts.append(
            f"{path}: {report.lines} lines, the chain is unbroken; its last hash is {last}"
        )
    return ChainVerdict(intact=True, text="\n".join(texts), files=tuple(files))


def _verify(path: Path, previous: str) -> ChainReport:
    try:
        with path.open("rb") as log:
            return verify_chain(_bounded_lines(log), previous=previous)
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc


def _bounded_lines(log: BinaryIO) -> Iterator[bytes]:
    """Line by line; one that is too long comes in pieces, of which none is whole."""
    while line := log.readline(MAX_LINE_BYTES):
        yield line


def _why(report: ChainReport, *, first: bool) -> str:
    if first and report.broken_line == 1:
        return (
            f"{report.reason}; if the log was rotated, name the older files before it, "
            "or their last hash with --after"
        )
    return report.reason


def audit_lines(path: Path) -> Iterator[bytes]:
    """Every whole line of a log, without its LF.

    Raises:
        ConfigError: it cannot be read.
    """
    with _open(path) as log:
        yield from _Tail(log).lines()


async def follow_audit_log(path: Path, show: Callable[[bytes], None]) -> None:
    """Show every line, then each new one, through rotations. Runs until cancelled.

    Raises:
        ConfigError: it cannot be read.
    """
    tail = _Tail(_open(path))
    try:
        while True:
            successor = _successor(path, tail.log)
            for line in tail.lines():
                show(line)
            if successor is not None:  # what was written before the rotation has been shown
                tail.log.close()
                tail = _Tail(successor)
            else:
                await trio.sleep(LOOK_EVERY_S)
    finally:
        tail.log.close()


class _Tail:
    """Reads whole lines; half of one waits for its other half."""

    def __init__(self, log: BinaryIO) -> None:
        self.log = log
        self._half = b""

    def lines(self) -> Iterator[bytes]:
        while chunk := self.log.read(_CHUNK_BYTES):
            *whole, self._half = (self._half + chunk).split(b"\n")
            yield from whole


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc


def _successor(path: Path, log: BinaryIO) -> BinaryIO | None:
    """The file that has taken the log's name, if another one has."""
    try:
        other = path.open("rb")
    except FileNotFoundError:  # moved away, and nothing written since
        return None
    if os.path.sameopenfile(other.fileno(), log.fileno()):
        other.close()
        return None
    return other
