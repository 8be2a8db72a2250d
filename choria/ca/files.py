"""Files of a CA: written whole or not at all, and secrets never readable by others, not for a moment."""

from __future__ import annotations

import io
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from choria.errors import ChoriaError

SECRET_MODE: Final = 0o600
SECRET_FOLDER_MODE: Final = 0o700
PUBLIC_MODE: Final = 0o644
_LINE_BYTES: Final = 64 << 10  # longer than any line


class CaError(ChoriaError):
    """A folder of the CA that cannot be used; the text says which, why and what to do."""


@contextmanager
def os_errors(doing: str) -> Iterator[None]:
    """Turn OSError into CaError that says what was being done."""
    try:
        yield
    except OSError as exc:
        raise CaError(
            f"cannot {doing}: {exc.strerror or exc} ({exc.filename or 'no file'})"
        ) from exc


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Create ``path`` with ``mode`` from its first moment on (O_EXCL), write all and fsync."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def append_line(path: Path, line: bytes, *, durable: bool) -> None:
    """Append one line in one write; ``durable`` waits for the disk.

    The beginning of a line that the machine died over is cut off first: what it told of never left.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, SECRET_MODE), "r+b", buffering=0) as file:
        _cut_torn_line(file)
        file.write(line)
        if durable:
            os.fsync(file.fileno())


def _cut_torn_line(file: io.FileIO) -> None:
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _LINE_BYTES)
    tail = os.pread(file.fileno(), _LINE_BYTES, start)
    if tail and not tail.endswith(b"\n"):
        file.truncate(start + tail.rfind(b"\n") + 1)


def write_folder(folder: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Make ``folder`` with all ``files`` (relative name -> content, mode), or leave nothing.

    The files are written beside it and take their place by rename. Into a folder that exists they
    are moved one by one, in the order of ``files``, so the last one is the mark of a whole set.
    """
    beside = folder.parent / f".{folder.name}.{secrets.token_hex(8)}.new"
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        _fill(beside, files)
        if folder.is_dir() and any(folder.iterdir()):
            _move_in(beside, folder, files)
        else:
            beside.rename(folder)  # over an empty folder too
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(folder: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    folder.mkdir(mode=SECRET_FOLDER_MODE)
    for name, (data, mode) in files.items():
        path = folder / name
        path.parent.mkdir(mode=SECRET_FOLDER_MODE, exist_ok=True)
        write_new(path, data, mode=mode)
    for path in {(folder / name).parent for name in files}:
        sync_folder(path)


def _move_in(beside: Path, folder: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    for name in files:
        target = folder / name
        target.parent.mkdir(mode=SECRET_FOLDER_MODE, exist_ok=True)
        (beside / name).replace(target)
    for path in {(folder / name).parent for name in files}:
        sync_folder(path)


def create_whole(path: Path, data: bytes) -> bool:
    """Create ``path`` with all of ``data``, durable and 0600; False if somebody was first.

    Of any number at the same time, in whichever processes, exactly one gets True: a link to a file
    that is complete takes the name, or fails.
    """
    path.parent.mkdir(mode=SECRET_FOLDER_MODE, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    write_new(beside, data, mode=SECRET_MODE)
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        beside.unlink()
    sync_folder(path.parent)
    return True


def file_states(paths: Iterable[Path]) -> tuple[tuple[int, ...], ...]:
    """What tells a changed file from the same one; empty for one that is not there."""
    return tuple(_state(path) for path in paths)


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
