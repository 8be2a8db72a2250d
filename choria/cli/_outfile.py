"""``--output FILE``: the whole file or none of it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from choria.errors import UsageError


@contextlib.contextmanager
def output_to(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that appears under its name when the block ends well.

    Raises:
        UsageError: The file cannot be made.
    """
    if path is None:
        yield sys.stdout
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as wrong:
        raise UsageError(f"--output {path}: {wrong.strerror}") from wrong
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o666 & ~_umask())  # mkstemp's 0600 is not what a redirection would give
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
