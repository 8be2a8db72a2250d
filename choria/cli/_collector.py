"""The garbage collector, held back while a command starts and ends: what either makes is no garbage.

Measured on ``ping`` of five nodes (310 ms of CPU time): looking at every module, class and function
anew after each 700 objects costs 15 ms while it starts, and taking them apart when it ends costs 40.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

RARELY: Final = 50_000
"""Objects between two looks at the young ones: a start makes 100,000 that all stay."""
AS_USUAL: Final = (700, 10, 10)
"""Python's own."""


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """For a command. At the end of the process nothing is collected: memory goes back as a whole.

    Streams and files do not wait for that: who opens them closes or flushes them.
    """
    atexit.unregister(gc.freeze)  # once, however many commands a process runs
    atexit.register(gc.freeze)
    with _thresholds(RARELY, *AS_USUAL[1:]):
        yield


@contextmanager
def collecting_as_usual() -> Iterator[None]:
    """For a program that stays: what its start made is not looked at again, anything later is."""
    gc.freeze()
    with _thresholds(*AS_USUAL):
        yield


@contextmanager
def _thresholds(*counts: int) -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*counts)
    try:
        yield
    finally:
        gc.set_threshold(*before)
