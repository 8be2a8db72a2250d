"""Logging: what a line looks like, and that a log which nobody reads stops nobody."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import time

import pytest

from choria.telemetry import configure_logging, use_colour
from choria.telemetry.logs import MAX_LINES

log = logging.getLogger("choria.test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fail(text: str) -> None:
    raise ValueError(text)


def lines_of(*, level: str = "info", as_json: bool = False, stream=None, env=None):
    """Yield a stream and a context that logs to it."""
    stream = stream or io.StringIO()
    return stream, configure_logging(level, json=as_json, stream=stream, env=env)


def test_a_line_for_people():
    stream, context = lines_of()
    with context as stats:
        log.info("hello %s", "world", extra={"peer": "web1"})
        log.debug("not shown")
    line = stream.getvalue()
    assert line.endswith("Z INFO     choria.test: hello world peer=web1\n")
    assert line[4] == "-"
    assert stats.written == 1


def test_a_line_for_machines():
    stream, context = lines_of(as_json=True)
    with context:
        try:
            fail("bad")
        except ValueError:
            log.exception("it broke", extra={"count": 3, "odd": {1}})
    entry = json.loads(stream.getvalue())
    assert (entry["level"], entry["logger"], entry["message"]) == (
        "error",
        "choria.test",
        "it broke",
    )
    assert entry["count"] == 3
    assert entry["odd"] == "{1}"
    assert entry["traceback"][-1] == "ValueError: bad"


def test_what_a_peer_says_cannot_make_lines_or_move_the_cursor():
    stream, context = lines_of()
    with context:
        log.info("peer said %s", "x\nFATAL all is lost\x1b[2J\x9b")
    assert stream.getvalue().count("\n") == 1
    assert r"x\nFATAL all is lost\x1b[2J\x9b" in stream.getvalue()


def test_long_messages_and_wrong_arguments_still_give_a_line():
    stream, context = lines_of()
    with context:
        log.info("x" * 100_000)
        log.info("%d", "not a number")
    long, wrong = stream.getvalue().splitlines()
    assert 8192 < len(long) < 8300
    assert "arguments do not fit" in wrong


def test_a_traceback_is_indented():
    stream, context = lines_of()
    with context:
        try:
            fail("two\nlines")
        except ValueError:
            log.exception("oops")
    _head, *rest = stream.getvalue().splitlines()
    assert rest
    assert all(line.startswith("  ") for line in rest)


@pytest.mark.parametrize(
    ("env", "terminal", "choice", "wanted"),
    [
        ({}, True, "auto", True),
        ({}, False, "auto", False),
        ({"NO_COLOR": "1"}, True, "auto", False),
        ({"NO_COLOR": ""}, True, "auto", True),
        ({"FORCE_COLOR": "1"}, False, "auto", True),
        ({"TERM": "dumb"}, True, "auto", False),
        ({"NO_COLOR": "1"}, False, "always", True),
        ({}, True, "never", False),
    ],
)
def test_colour(*, env: dict[str, str], terminal: bool, choice: str, wanted: bool):
    assert use_colour(Terminal() if terminal else io.StringIO(), env, choice) is wanted


def test_colour_marks_warnings_only():
    stream, context = lines_of(stream=Terminal(), env={})
    with context:
        log.warning("careful")
        log.info("fine")
    careful, fine = stream.getvalue().splitlines()
    assert "\x1b[33mWARNING" in careful
    assert "\x1b" not in fine


def test_the_configuration_of_before_comes_back():
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    _, context = lines_of(level="debug")
    with context:
        assert root.level == logging.DEBUG
    assert (root.level, list(root.handlers)) == before


@pytest.fixture
def full_pipe():
    """A pipe that takes no byte more: what stderr is when journald is stopped."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 65536)
    os.set_blocking(writer, True)
    with open(reader, "rb", buffering=0) as read, open(writer, "w") as write:  # noqa: PTH123
        yield read, write


def drain_until(read: io.RawIOBase, mark: bytes) -> bytes:
    seen = b""
    while mark not in seen:
        seen = seen[-200:] + (read.read(65536) or b"")
    return seen


def test_a_log_that_nobody_reads_blocks_nobody_and_counts(full_pipe):
    read, write = full_pipe
    with configure_logging("info", json=False, stream=write) as stats:
        started = time.perf_counter()
        for number in range(MAX_LINES + 500):
            log.info("line %d", number)
        assert time.perf_counter() - started < 5  # it would be for ever
        assert stats.dropped >= 500 - 128  # the writer may hold one batch
        drain_until(read, b"log lines were dropped")  # blocks until it is said, or fails by timeout


def test_leaving_waits_only_so_long(full_pipe):
    _read, write = full_pipe
    with configure_logging("info", json=False, stream=write, flush_within_s=0.05):
        log.info("stuck")
        started = time.perf_counter()
    assert time.perf_counter() - started < 2


def test_a_closed_log_stops_nobody():
    reader, writer = os.pipe()
    os.close(reader)
    with (
        open(writer, "w") as stream,  # noqa: PTH123
        configure_logging("info", json=False, stream=stream) as stats,
    ):
        log.info("nobody hears")
    assert stats.written == 0
    assert stats.dropped >= 1


def test_a_program_with_a_stuck_log_ends(full_pipe):
    _read, write = full_pipe
    program = (
        "import logging, sys; from choria.telemetry import configure_logging\n"
        "with configure_logging('info', json=True, stream=sys.stderr, flush_within_s=0.1):\n"
        "    for n in range(9000): logging.info('line %d', n)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=write, timeout=60, check=False)
    assert done.returncode == 0
