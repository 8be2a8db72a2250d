"""The JSON of one call, piped into the next, names its nodes.

Standard input is looked at when it is a pipe, a socket or a file, and no flag names nodes. A file that
holds no JSON is left alone, unread: it may be the list that a shell loop reads. A pipe cannot be looked
at without taking from it; what is no JSON there is an error, and none at all is nothing.
"""

from __future__ import annotations

import json
import os
import select
import stat
import sys
from typing import Any, Final

from choria.errors import UsageError
from choria.programs.call_plan import parse_targets

MAX_BYTES: Final = 256 << 20
"""A call of 50,000 nodes with some KiB of data each."""
SAY_AFTER_S: Final = 2.0
WAIT_S: Final = 600.0
PEEK: Final = 512


def piped_nodes(descriptor: int = 0) -> tuple[str, ...] | None:
    """The nodes that standard input names, in order and once; None when it names none.

    Raises:
        UsageError: Something was piped in that is no result of a call, or nothing within ten minutes.
    """
    text = _read(descriptor)
    if not text.strip():
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as wrong:
        raise UsageError(_what_it_wants(f"it is no JSON: {wrong}")) from None
    return parse_targets(_names(document))


def _names(document: Any) -> list[str]:
    """Of a call (``replies``), a discovery (``nodes``), or a plain list of names."""
    if isinstance(document, dict):
        document = document.get("replies", document.get("nodes"))
    if not isinstance(document, list):
        raise UsageError(_what_it_wants("it has neither replies nor nodes"))
    names = [each.get("sender") if isinstance(each, dict) else each for each in document]
    if not all(isinstance(name, str) for name in names):
        raise UsageError(_what_it_wants("a reply has no sender"))
    return [name for name in names if isinstance(name, str)]


def _what_it_wants(why: str) -> str:
    return (
        f"standard input was read for the JSON of a call or discovery, whose nodes are then asked, but {why}; "
        "add </dev/null if it is not meant for this command"
    )


def _read(descriptor: int) -> bytes:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:  # closed
        return b""
    if stat.S_ISREG(mode):
        return _read_all(descriptor) if _looks_like_json(descriptor) else b""
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        _wait(descriptor)
        return _read_all(descriptor)
    return b""


def _looks_like_json(descriptor: int) -> bool:
    at = os.lseek(descriptor, 0, os.SEEK_CUR)
    return os.pread(descriptor, PEEK, at).lstrip()[:1] in (b"{", b"[")


def _wait(descriptor: int) -> None:
    """Until there is something to read, or the end. The call before this one may take a while."""
    if select.select([descriptor], [], [], SAY_AFTER_S)[0]:
        return
    said = "waiting for the JSON of a call on standard input (</dev/null if there is none)"
    print(f"choria-trio: {said}", file=sys.stderr, flush=True)
    if not select.select([descriptor], [], [], WAIT_S)[0]:
        raise UsageError(_what_it_wants(f"nothing came within {WAIT_S:.0f} s"))


def _read_all(descriptor: int) -> bytes:
    parts, size = [], 0
    while part := os.read(descriptor, 1 << 16):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise UsageError(_what_it_wants(f"it is longer than {MAX_BYTES >> 20} MiB"))
    return b"".join(parts)
