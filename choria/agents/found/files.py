"""Which files of a folder may become code of this node.

What is loaded here runs with the node's rights, mostly root's. So a file counts only when nobody but
root or the node's own user can have written it: owner and mode of the file and of its folder are
checked, as sshd does with keys. A file is taken when two looks in a row find it the same, so
that one that is just being copied is never run half.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Final

MAX_AGENT_BYTES: Final = 8 << 20
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def check_owner(path: Path) -> None:
    """Raise PermissionError when somebody else could have written ``path``."""
    info = path.stat()
    if wrong := owner_complaint(info.st_uid, info.st_mode, os.geteuid()):
        raise PermissionError(f"{path} {wrong}")


def owner_complaint(owner: int, mode: int, user: int) -> str:
    """Why a file of ``owner`` must not become code of ``user``; empty when it may."""
    if owner not in (0, user):
        return f"belongs to user {owner}: chown it to root"
    return "can be written by others: chmod go-w" if mode & _WRITABLE_BY_OTHERS else ""


def read_checked(path: Path) -> bytes:
    """The bytes of a file that only we or root can have written.

    Raises:
        PermissionError: its owner or mode, or its folder's, is not safe.
        OSError: it cannot be read, or is longer than ``MAX_AGENT_BYTES``.
    """
    check_owner(path.parent)
    check_owner(path)
    with path.open("rb") as file:
        data = file.read(MAX_AGENT_BYTES + 1)
    if len(data) > MAX_AGENT_BYTES:
        raise OSError(f"{path} is longer than {MAX_AGENT_BYTES} bytes")
    return data


def version_of(*parts: bytes) -> str:
    """A name for these contents, in this order."""
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:32]


class Settling:
    """Remembers what the last scan saw, to tell files that rest from files that are being written."""

    __slots__ = ("_before", "_now")

    def __init__(self) -> None:
        self._before: dict[str, str] = {}
        self._now: dict[str, str] = {}

    def begin(self) -> None:
        """A new scan."""
        self._before, self._now = self._now, {}

    def rests(self, key: str, version: str) -> bool:
        """Whether the scan before saw ``key`` in the same version."""
        self._now[key] = version
        return self._before.get(key) == version
