"""Files of names and nodes, read whole and bounded: JSON, YAML or text."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from choria.errors import DiscoveryError

MAX_LIST_BYTES: Final = 64 << 20
MAX_INVENTORY_BYTES: Final = 512 << 20
STDIN: Final = "-"
MAX_VALUES: Final = 5_000_000
MAX_DEPTH: Final = 64
STDIN_NAME: Final = "standard input"
_CHUNK: Final = 1 << 16


async def read_source(source: str, max_bytes: int) -> bytes:
    """The bytes of a file, or of standard input for ``-``. Cancel-safe.

    In a thread that cancelling abandons: a pipe or a network file system may never answer.

    Raises:
        DiscoveryError: it cannot be read, or is larger than ``max_bytes``.
    """
    return await trio.to_thread.run_sync(_read, source, max_bytes, abandon_on_cancel=True)


def _read(source: str, max_bytes: int) -> bytes:
    try:
        if source == STDIN:
            return _read_descriptor(0, max_bytes, STDIN_NAME)
        with Path(source).expanduser().open("rb") as file:
            return _read_descriptor(file.fileno(), max_bytes, source)
    except OSError as exc:
        raise DiscoveryError(f"{source}: cannot be read: {exc.strerror}") from exc


def _read_descriptor(descriptor: int, max_bytes: int, source: str) -> bytes:
    # Not sys.stdin: an abandoned thread that holds its lock would stop the interpreter's end.
    read = bytearray()
    while chunk := os.read(descriptor, _CHUNK):
        read += chunk
        if len(read) > max_bytes:
            raise DiscoveryError(f"{source}: larger than {max_bytes >> 20} MiB")
    return bytes(read)


def stdin_is_pipe() -> bool:
    """Whether another program writes our standard input: ``choria-trio ... --json | choria-trio ...``."""
    try:
        return stat.S_ISFIFO(os.fstat(0).st_mode)
    except OSError:  # closed
        return False


def decode_json(data: bytes, source: str) -> Any:
    """JSON. Raises DiscoveryError."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise DiscoveryError(f"{source}: not JSON: {exc}") from exc


def decode_yaml(data: bytes, source: str) -> Any:
    """YAML as plain values.

    Raises:
        DiscoveryError: it is not YAML, or a few lines of aliases stand for gigabytes.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415  # most commands never see YAML
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        found = YAML(typ="safe").load(data)
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError) as exc:
        first = " ".join(str(exc).split())[:200]
        raise DiscoveryError(f"{source}: not YAML: {first}") from exc
    _check_size(found, source)
    return found


def _check_size(value: Any, source: str) -> None:
    """Count what an alias stands for each time it is used, as whoever walks the values would."""
    seen = 0
    waiting = [iter([value])]
    while waiting:
        for item in waiting[-1]:
            seen += 1
            if seen > MAX_VALUES or len(waiting) > MAX_DEPTH:
                raise DiscoveryError(
                    f"{source}: more than {MAX_VALUES} values, or deeper than {MAX_DEPTH}"
                )
            if isinstance(item, dict | list):
                waiting.append(iter(item.values() if isinstance(item, dict) else item))
                break
        else:
            waiting.pop()
