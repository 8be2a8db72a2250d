"""The file agent: what a path is, a digest, and the end of a file. It reads, and changes nothing."""

from __future__ import annotations

import errno
import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import trio

from choria.errors import AgentError
from choria.node import Action, ActionContext

from .library import ShippedAgent, own_ddl

MAX_LINES: Final = 1000
MAX_TAIL_BYTES: Final = 64 * 1024
_CHUNK_BYTES: Final = 1 << 20
_TYPES: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}


def file_agent() -> ShippedAgent:
    """The agent, ready to be hosted."""
    return ShippedAgent(own_ddl("file"), ACTIONS)


async def status(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
    """What is at the path; a link is described, not followed."""
    return await trio.to_thread.run_sync(_status, _path(inputs), abandon_on_cancel=True)


async def checksum(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
    """Digest of a regular file. Cancelling stops the reading."""
    return await trio.to_thread.run_sync(
        _checksum, _path(inputs), inputs["algorithm"], abandon_on_cancel=False
    )


async def tail(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
    """The last lines of a regular file, bounded in number and bytes."""
    count = inputs["lines"]
    if not 0 < count <= MAX_LINES:
        raise AgentError(f"lines {count}: 1 to {MAX_LINES}", statuscode=4)
    return await trio.to_thread.run_sync(_tail, _path(inputs), count, abandon_on_cancel=True)


def _path(inputs: Mapping[str, Any]) -> str:
    path: str = inputs["path"]
    if "\0" in path:
        raise AgentError("a path holds no NUL", statuscode=4)
    return path


def _status(path: str) -> dict[str, Any]:
    try:
        info = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"present": False}
    except OSError as wrong:
        raise _told(path, wrong) from None
    kind = _TYPES.get(stat.S_IFMT(info.st_mode), "other")
    return {
        "present": True,
        "type": kind,
        "target": str(Path(path).readlink()) if kind == "link" else None,
        "size_bytes": info.st_size,
        "mode": f"{stat.S_IMODE(info.st_mode):04o}",
        "owner": _user(info.st_uid),
        "group": _group(info.st_gid),
        "modified_ms": info.st_mtime_ns // 1_000_000,
    }


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _checksum(path: str, algorithm: str) -> dict[str, Any]:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    size = 0
    with _regular(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            trio.from_thread.check_cancelled()
            digest.update(chunk)
            size += len(chunk)
    return {"checksum": digest.hexdigest(), "algorithm": algorithm, "size_bytes": size}


def _tail(path: str, count: int) -> dict[str, Any]:
    with _regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        begin = max(0, size - MAX_TAIL_BYTES)
        file.seek(begin)
        data = file.read(MAX_TAIL_BYTES)
    lines = data.decode("utf-8", "replace").splitlines()
    cut = begin > 0 and len(lines) <= count
    kept = lines[1:] if cut and len(lines) > 1 else lines  # the first one may be half a line
    return {"lines": kept[-count:], "truncated": cut, "size_bytes": size}


def _regular(path: str) -> Any:
    """``path`` opened for reading, if it is a regular file: a FIFO or a device might never end."""
    try:
        # Without blocking, or opening a FIFO would already wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as wrong:
        raise _told(path, wrong) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise AgentError(f"{path} is no regular file", statuscode=4)
    return os.fdopen(descriptor, "rb", buffering=0)


def _told(path: str, wrong: OSError) -> AgentError:
    missing = wrong.errno in (errno.ENOENT, errno.ENOTDIR)
    return AgentError(f"{path}: {wrong.strerror}", statuscode=3 if missing else 1)


ACTIONS: Final[Mapping[str, Action]] = {"status": status, "checksum": checksum, "tail": tail}
