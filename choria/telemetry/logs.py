"""Logging that never blocks the event loop.

A log call renders its line and puts it into a bounded queue; one thread writes. When stderr does
not keep up (a stopped journald, a full FIFO), lines are dropped and counted, and the loop runs on;
as soon as stderr takes bytes again one line says how many are missing.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import queue
import select
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TextIO

from typing_extensions import override

from .style import Render, human_line, json_line, use_colour

MAX_LINES = 4096
FLUSH_WITHIN_S = 1.0
_BATCH = 128


@dataclass(slots=True)
class LogStats:
    """Counters of the running log; ``dropped`` lines never reached the stream."""

    written: int = 0
    dropped: int = 0


class _Handler(logging.Handler):
    """Renders in the calling thread (arguments may change later), queues, never waits."""

    def __init__(
        self, render: Render, lines: queue.SimpleQueue[str | None], stats: LogStats
    ) -> None:
        super().__init__()
        self._render = render
        self._lines = lines
        self._stats = stats

    @override
    def emit(self, record: logging.LogRecord) -> None:
        # SimpleQueue, not Queue: its put may be entered again from a signal handler or __del__.
        if self._lines.qsize() >= MAX_LINES:
            self._stats.dropped += 1
        else:
            self._lines.put(self._render(record))


def _write_all(descriptor: int, data: bytes) -> None:
    """Write to a descriptor, not to a text stream: a thread blocked here holds no lock of Python's.

    A daemon thread that holds the lock of ``sys.stderr`` aborts the interpreter's shutdown.
    """
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # somebody made it non-blocking
            select.select([], [descriptor], [], 1.0)


def _writer_of(stream: TextIO) -> Callable[[str], None]:
    try:
        descriptor = stream.fileno()
    except (OSError, AttributeError, ValueError):
        return lambda text: (stream.write(text), None)[1]
    stream.flush()
    return lambda text: _write_all(descriptor, text.encode(errors="backslashreplace"))


class _Listener(threading.Thread):
    """The one writer: takes lines in batches until it reads None."""

    def __init__(
        self,
        lines: queue.SimpleQueue[str | None],
        write: Callable[[str], None],
        render: Render,
        stats: LogStats,
    ) -> None:
        super().__init__(name="log-writer", daemon=True)
        self._lines = lines
        self._write = write
        self._render = render
        self._stats = stats
        self._reported = 0

    @override
    def run(self) -> None:
        running = True
        while running:
            batch, running = self._take()
            self._try_write(batch)
            self._report_dropped()

    def _take(self) -> tuple[list[str], bool]:
        batch: list[str] = []
        with contextlib.suppress(queue.Empty):
            line = self._lines.get()
            while line is not None:
                batch.append(line)
                if len(batch) == _BATCH:
                    return batch, True
                line = self._lines.get_nowait()
            return batch, False
        return batch, True

    def _try_write(self, batch: list[str]) -> bool:
        try:
            self._write("".join(f"{line}\n" for line in batch))
        except (OSError, ValueError):  # closed, or nobody reads: no reason to stop working
            self._stats.dropped += len(batch)
            return False
        self._stats.written += len(batch)
        return True

    def _report_dropped(self) -> None:
        missing = self._stats.dropped - self._reported
        if missing:
            text = f"{missing} log lines were dropped: the log was not read in time"
            record = logging.makeLogRecord(
                {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
            )
            if self._try_write([self._render(record)]):
                self._reported += missing


@contextlib.contextmanager
def configure_logging(
    level: int | str = "info",
    *,
    json: bool = False,
    stream: TextIO | None = None,
    env: Mapping[str, str] | None = None,
    flush_within_s: float = FLUSH_WITHIN_S,
) -> Iterator[LogStats]:
    """Send all log records to ``stream`` while the context is open, from a thread of its own.

    Leaving waits at most ``flush_within_s`` for what is queued, then gives it up; the handlers and
    the level of before come back.

    Args:
        level: name or number, as ``logging`` takes it.
        json: one JSON object a line instead of text for people.
        stream: None: ``sys.stderr``.
        env: for NO_COLOR, FORCE_COLOR and TERM; None: no colour.
        flush_within_s: seconds.
    """
    stream = stream or sys.stderr
    colour = not json and env is not None and use_colour(stream, env)
    render = json_line if json else functools.partial(human_line, colour=colour)
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    stats = LogStats()
    listener = _Listener(lines, _writer_of(stream), render, stats)
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    root.handlers[:] = [_Handler(render, lines, stats)]
    root.setLevel(level.upper() if isinstance(level, str) else level)
    listener.start()
    try:
        yield stats
    finally:
        root.setLevel(before[0])
        root.handlers[:] = before[1]
        lines.put(None)
        listener.join(flush_within_s)
