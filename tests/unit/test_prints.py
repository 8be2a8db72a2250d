"""What agents print goes to the log, whatever standard output is."""
# ruff: noqa: T201

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from contextlib import redirect_stdout

import pytest

from choria.telemetry import prints_to_log


def of_agent(name: str) -> str:
    return name.removeprefix("agent-") if name.startswith("agent-") else ""


def printed(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_lines_are_logged_with_who_printed_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), prints_to_log(of_agent):
        print("one", "two\nthree", end="")
        thread = threading.Thread(target=print, args=("hello",), name="agent-deploy")
        thread.start()
        thread.join()
        print(" four", flush=True)
    assert printed(caplog) == [
        "something printed: one two",
        "agent deploy printed: hello",
        "something printed: three four",
    ]


def test_a_closed_or_broken_standard_output_is_nothing_to_agents(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    broken = io.TextIOWrapper(io.FileIO(writes, "w"), write_through=True)
    with redirect_stdout(broken), caplog.at_level(logging.INFO):
        with pytest.raises(BrokenPipeError):
            print("lost")
        with prints_to_log(of_agent):
            print("kept")
            sys.stdout.close()
            print("kept too")
        assert sys.stdout is broken
    broken.detach().close()
    assert printed(caplog) == ["something printed: kept", "something printed: kept too"]


def test_what_is_kept_of_a_flood_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), prints_to_log(of_agent):
        for _ in range(100):
            print("x" * 1000, end="")
    assert len(printed(caplog)) == 100
    assert all(len(text) < 600 for text in printed(caplog))
