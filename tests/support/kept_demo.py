"""One fleet for many tests: `choria-trio demo --keep`, as a user would leave it running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STOP_WITHIN_S = 30


@contextmanager
def kept_demo(folder: Path, *, nodes: int = 1) -> Iterator[Path]:
    """The folder of a running fleet; stopped by Ctrl-C, which must end it with 130."""
    argv = [sys.executable, "-m", "choria", "demo", "--keep", "--nodes", str(nodes)]
    with (folder / "demo.out").open("wb") as out:
        process = subprocess.Popen(
            argv, stdout=out, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(folder)}
        )
    try:
        assert process.stderr is not None
        said = b""
        for line in process.stderr:
            said += line
            if b"Ctrl-C here stops it" in line:
                break
        else:
            raise AssertionError(f"the demo ended: {said.decode()}")
        (stage,) = folder.glob("choria-trio-demo-*")
        yield stage
    finally:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        with process.stderr:
            code = process.wait(STOP_WITHIN_S)
    assert code == 130


def choria_trio(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run one command in ``folder`` as a process of its own."""
    argv = [sys.executable, "-m", "choria", *args]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
