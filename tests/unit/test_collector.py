"""The garbage collector of commands: held back while one starts and ends, as usual for what stays."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from choria.cli._collector import AS_USUAL, RARELY, collecting_as_usual, collecting_rarely

AT_THE_END = """
import atexit, gc
atexit.register(lambda: print("frozen" if gc.get_freeze_count() else "not frozen"))
print("before:", gc.get_freeze_count(), gc.get_threshold())
from choria.cli import main
raise SystemExit(main(["--version"]))
"""


@pytest.fixture
def thresholds() -> Iterator[tuple[int, int, int]]:
    """Those before the test, which are those after it."""
    before = gc.get_threshold()
    yield before
    gc.unfreeze()
    assert gc.get_threshold() == before


def test_a_command_collects_rarely(thresholds: tuple[int, int, int]) -> None:
    with collecting_rarely():
        assert gc.isenabled()
        assert gc.get_threshold()[0] == RARELY
    assert gc.get_threshold() == thresholds


def test_the_thresholds_come_back_after_an_error(thresholds: tuple[int, int, int]) -> None:
    with pytest.raises(RuntimeError, match="the command"), collecting_rarely():
        raise RuntimeError("the command")
    assert gc.get_threshold() == thresholds


def test_a_program_that_stays_collects_as_usual(thresholds: tuple[int, int, int]) -> None:
    with collecting_rarely():
        with collecting_as_usual():
            assert gc.get_threshold() == AS_USUAL
            assert gc.get_freeze_count() > 0, "what the start made is looked at again and again"
        assert gc.get_threshold()[0] == RARELY
    assert gc.get_threshold() == thresholds


def test_at_the_end_nothing_is_collected_and_all_output_is_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_END],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    before, *version, end = done.stdout.splitlines()
    assert before.startswith("before: 0 (700, 10, 10)"), "AS_USUAL is not what Python does"
    assert version
    assert end == "frozen"
