"""What is piped in: the nodes of a call, or nothing, or an error; never everybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from choria.cli._chain import piped_nodes
from choria.errors import InvalidName, UsageError

FORMS = [
    ({"replies": [{"sender": "web2"}, {"sender": "web1"}, {"sender": "web2"}]}, ("web2", "web1")),
    ({"nodes": [{"sender": "web1", "ms": 3}]}, ("web1",)),
    ({"replies": []}, ()),
    (["web1", "web2"], ("web1", "web2")),
    ([], ()),
]
REFUSED = [
    ("hosts\nweb1\n", UsageError, "no JSON"),
    ('{"replies": 5}', UsageError, "neither"),
    ('{"other": []}', UsageError, "neither"),
    ('{"replies": [{"name": "web1"}]}', UsageError, "no sender"),
    ('["web1", 5]', UsageError, "no sender"),
    ('["../etc"]', InvalidName, "etc"),
    ("[" * 100_000, UsageError, "no JSON"),
]


def from_pipe(text: str) -> tuple[str, ...] | None:
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "w") as sink:
            sink.write(text)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        return piped_nodes(reader)
    finally:
        thread.join()
        os.close(reader)


def from_file(path: Path, text: str) -> tuple[tuple[str, ...] | None, int]:
    """What it says, and how much of the file was taken."""
    path.write_text(text)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return piped_nodes(descriptor), os.lseek(descriptor, 0, os.SEEK_CUR)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(("document", "names"), FORMS)
def test_forms(tmp_path: Path, document: object, names: tuple[str, ...]) -> None:
    assert from_pipe(json.dumps(document)) == names
    assert from_file(tmp_path / "call.json", json.dumps(document))[0] == names


@pytest.mark.parametrize(("text", "kind", "why"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_names_no_nodes_is_refused(text: str, kind: type[Exception], why: str) -> None:
    with pytest.raises(kind, match=why):
        from_pipe(text)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_pipe_is_nothing(text: str) -> None:
    assert from_pipe(text) is None


def test_a_list_that_a_loop_reads_is_left_unread(tmp_path: Path) -> None:
    assert from_file(tmp_path / "hosts", "web1\nweb2\n") == (None, 0)


def test_a_terminal_a_device_and_nothing_at_all_are_nothing() -> None:
    with Path("/dev/null").open() as null:
        assert piped_nodes(null.fileno()) is None
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    assert piped_nodes(reader) is None


def test_waiting_is_said() -> None:
    code = "from choria.cli import _chain as c; c.SAY_AFTER_S, c.WAIT_S = 0.01, 0.02; print(c.piped_nodes())"
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=reader, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
    finally:
        os.close(reader)
        os.close(writer)
    assert "waiting for the JSON of a call" in done.stderr
    assert "nothing came within" in done.stderr
