"""The replay guard on disk: what ran is known after a restart.

Each record is appended with one ``write`` before its action runs, without fsync: the page cache
survives the death of the process, and a crash of the machine shows in the boot id (B4; an fsync each
would cap a node near 1,000 requests a second). A record is ``length, CRC-32, bytes``; what does not
check is handed to the guard as damaged, which then refuses everything signed until now. So a torn
tail costs a window of refusals and never a second run.

Once the log has grown well beyond what is live it is written anew beside the old one, fsynced and
renamed over it: at every moment one whole log is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import psutil

from choria.errors import ConfigError
from choria.trust import GuardLimits, ReplayGuard

FILE: Final = "replay-guard.log"
LOCK: Final = "lock"
COMPACT_BEYOND_BYTES: Final = 1 << 20
MAX_LOG_BYTES: Final = 64 << 20
_HEAD: Final = struct.Struct(">II")
_MAX_RECORD: Final = 4096
_DAMAGED: Final = b""  # no record decodes from it, so the guard counts it as damaged


@dataclass(frozen=True, slots=True)
class Boot:
    """Which run of the machine this is, and the wall clock when it began."""

    id: bytes
    at_ms: int


class RequestLog(Protocol):
    """Where the pipeline remembers what is about to run."""

    @property
    def guard(self) -> ReplayGuard:
        """The guard that the log belongs to."""
        ...

    def append(self, record: bytes) -> None:
        """Keep ``record``. Raises OSError when it cannot: the request must not run."""
        ...


class MemoryLog:
    """Forgets with the process. For emulated nodes, whose actions change nothing."""

    def __init__(self, limits: GuardLimits | None = None) -> None:
        self.guard = ReplayGuard(limits)

    def append(self, record: bytes) -> None:
        """Nothing is kept beyond the guard itself."""


class GuardLog:
    """The log in a state folder that only this process may use. Close it after the last request."""

    def __init__(self, folder: Path, guard: ReplayGuard, lock: int) -> None:
        self.guard = guard
        self._path = folder / FILE
        self._lock = lock
        self._file, self._size = _rewrite(self._path, guard.export())
        self._compact_at = max(COMPACT_BEYOND_BYTES, 4 * self._size)

    def append(self, record: bytes) -> None:
        """Keep ``record`` before its request runs.

        Raises:
            OSError: it cannot be written (disk full); the log is as before.
        """
        if self._size > self._compact_at:
            self._compact()  # holds the record too: it is in the guard by now
            return
        data = _framed(record)
        try:
            _write_all(self._file, data)
        except OSError:
            # Half a record in the middle would make what follows unreadable.
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)

    def close(self) -> None:
        """Give the folder free for another process, with the greatest clock that was seen.

        Records say only what it was when a request was entered; what was merely refused since
        would be fresh again after a restart with a clock set back. CWP-13.6-6
        """
        with contextlib.suppress(OSError):  # the old log is whole: no request can run twice
            self._compact()
        os.close(self._file)
        os.close(self._lock)

    def _compact(self) -> None:
        # Blocks for one fsync of a few megabytes, once in some thousand requests; beside a second
        # writer in a thread, that is the simpler thing to get right.
        file, size = _rewrite(self._path, self.guard.export())
        os.close(self._file)
        self._file, self._size = file, size
        self._compact_at = max(COMPACT_BEYOND_BYTES, 4 * size)


def open_guard_log(
    folder: Path, limits: GuardLimits, *, boot: Boot, now_ms: Callable[[], int]
) -> GuardLog:
    """Take the state folder, with what an earlier run left in it.

    Raises:
        ConfigError: the folder cannot be used, or another node is using it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _take_lock(folder)
        guard = ReplayGuard(limits, boot_id=boot.id)
        guard.restore(_records(folder / FILE), booted_ms=boot.at_ms, now_ms=now_ms())
        return GuardLog(folder, guard, lock)
    except OSError as wrong:
        raise ConfigError(f"state folder {folder}: {wrong.strerror or wrong}") from wrong


def read_boot() -> Boot:
    """This boot of this machine, from the kernel."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Boot(boot_id.encode(), int(psutil.boot_time() * 1000))


def _take_lock(folder: Path) -> int:
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        # Two guards over one log would each let through what the other saw.
        raise ConfigError(
            f"state folder {folder} is in use by another node: give each its own `state`"
        ) from None
    return lock


def _records(path: Path) -> Iterator[bytes]:
    """The records of a log; something that is no record becomes a damaged one and ends it."""
    if not path.exists():
        return
    if path.stat().st_size > MAX_LOG_BYTES:
        yield _DAMAGED  # not ours: we compact long before
        return
    data = path.read_bytes()
    position = 0
    while position < len(data) or not data:
        record = _record_at(data, position)
        if record is None:
            yield _DAMAGED
            return
        yield record
        position += _HEAD.size + len(record)


def _record_at(data: bytes, position: int) -> bytes | None:
    if len(data) - position < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack_from(data, position)
    start = position + _HEAD.size
    record = data[start : start + length]
    whole = 0 < length <= _MAX_RECORD and len(record) == length
    return record if whole and zlib.crc32(record) == checksum else None


def _framed(record: bytes) -> bytes:
    return _HEAD.pack(len(record), zlib.crc32(record)) + record


def _rewrite(path: Path, records: list[bytes]) -> tuple[int, int]:
    """Replace the log by ``records``; the new file, open for appending, and its size."""
    beside = path.with_suffix(".new")
    data = b"".join(map(_framed, records))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
    file = os.open(beside, flags, 0o600)
    try:
        _write_all(file, data)
        os.fsync(file)
        beside.rename(path)
        _sync_folder(path.parent)
    except OSError:
        os.close(file)
        raise
    return file, len(data)


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
