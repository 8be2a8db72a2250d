"""The audit log on disk.

Lines are appended whole, with one ``write``, before the action that they allow runs; if that fails,
it does not run. The chain goes on after a restart from the last whole line. A torn last line (the
machine went down) is moved to a file beside the log, so that the chain stays whole and nothing is
lost. When the file is rotated away, a new one begins that continues the chain; after a restart with
an empty log, from the newest file beside it that was rotated away.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from choria.errors import ConfigError
from choria.policy import GENESIS, AuditRecord, chain, hash_of_line

log = logging.getLogger(__name__)

_TAIL_BYTES: Final = 4 << 20  # longer than any line: inputs are bounded by the payload
_NO_LOGS: Final = frozenset({".torn", ".gz", ".bz2", ".xz", ".zst"})


class AuditSink(Protocol):
    """Where decisions are written down."""

    def write(self, record: AuditRecord) -> None:
        """Keep ``record``. Raises OSError when it cannot."""
        ...


class NoAudit:
    """Keeps nothing. For emulated nodes only."""

    def write(self, record: AuditRecord) -> None:
        """Nothing is kept."""


class AuditLog:
    """Appends to a file that only this process writes, mode 0600."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError: the file cannot be written, or another node writes it."""
        self._path = path
        self._torn = False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = _open_locked(path)
            self._size = _cut_torn_tail(path, self._file)
            self._last = _last_hash(path, self._file, self._size)
        except OSError as wrong:
            raise ConfigError(f"audit log {path}: {wrong.strerror or wrong}") from wrong

    def write(self, record: AuditRecord) -> None:
        """Append one line.

        Raises:
            OSError: it cannot be written; the log is as before.
        """
        self._follow_rotation()
        self._mend()
        line, digest = chain(self._last, record)
        written = 0
        try:
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            self._torn = written > 0
            with suppress(OSError):  # tried again before the next line; readers see half of one
                self._mend()
            raise
        self._size += len(line)
        self._last = digest

    def close(self) -> None:
        """Let another process write the log."""
        os.close(self._file)

    def _mend(self) -> None:
        """Take back the half of a line that could not be finished. Raises OSError."""
        if self._torn:
            os.ftruncate(self._file, self._size)
            self._torn = False

    def _follow_rotation(self) -> None:
        size = self._size_if_ours()
        if size is None:
            file = _open_locked(self._path)
            os.close(self._file)
            self._file, self._size, self._torn = file, os.fstat(file).st_size, False
        elif not self._torn:
            # Copied and cut by somebody else (logrotate's copytruncate): the end is where it is now.
            self._size = size

    def _size_if_ours(self) -> int | None:
        """The size of the file at our path, if it is the one that we write to."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return None
        return now.st_size if now.st_ino == os.fstat(self._file).st_ino else None


def _open_locked(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        # Two writers would each continue the chain from their own last line.
        raise BlockingIOError(errno.EWOULDBLOCK, "in use by another node") from None
    return file


def _cut_torn_tail(path: Path, file: int) -> int:
    """Move what follows the last LF out of the log; the log's size then."""
    size = os.fstat(file).st_size
    start = max(0, size - _TAIL_BYTES)
    tail = os.pread(file, size - start, start)
    whole = start + tail.rfind(b"\n") + 1
    if whole == size:
        return size
    torn = path.with_name(f"{path.name}.torn")
    with torn.open("ab") as beside:
        beside.write(os.pread(file, size - whole, whole))
    os.ftruncate(file, whole)
    log.warning("%s: its last line was torn; the %d bytes are now in %s", path, size - whole, torn)
    return whole


def _last_hash(path: Path, file: int, size: int) -> str:
    if size == 0:
        return _rotated_hash(path)
    start = max(0, size - _TAIL_BYTES)
    last = os.pread(file, size - start, start).rstrip(b"\n").rsplit(b"\n", 1)[-1]
    found = hash_of_line(last)
    if found is None:
        raise ConfigError(f"audit log {path}: its last line is no audit record; move the file away")
    return found


def _rotated_hash(path: Path) -> str:
    """The last hash of the newest file that was rotated away and not compressed."""
    beside = [
        p for p in path.parent.iterdir() if p.name.startswith((f"{path.name}.", f"{path.name}-"))
    ]
    rotated = [p for p in beside if p.suffix not in _NO_LOGS and p.is_file() and p.stat().st_size]
    if not rotated:
        return GENESIS
    newest = max(rotated, key=lambda p: p.stat().st_mtime_ns)
    with newest.open("rb") as file:
        file.seek(max(0, newest.stat().st_size - _TAIL_BYTES))
        found = hash_of_line(file.read().rstrip(b"\n").rsplit(b"\n", 1)[-1])
    if found is None:
        log.warning("%s begins a new chain: %s ends in no audit record", path, newest)
    return found or GENESIS
