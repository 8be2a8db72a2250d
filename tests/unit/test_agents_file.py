"""The file agent: regular files within bounds, and nothing that would never end."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import trio

from choria.agents import file_agent
from choria.agents.file import MAX_TAIL_BYTES
from choria.ddl import check_inputs
from choria.errors import AgentError, DDLError
from tests.support.agent_context import a_context

AGENT = file_agent()


async def run(action: str, path: Path | str, **inputs: Any) -> dict[str, Any]:
    checked = check_inputs(AGENT.ddl.actions[action], {"path": str(path), **inputs})
    with trio.fail_after(20):  # a FIFO would block for ever
        return await AGENT.actions[action](checked, a_context())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"one\ntwo\nthree\n")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


async def test_status(folder: Path) -> None:
    found = await run("status", folder / "file")
    assert found["present"]
    assert (found["type"], found["size_bytes"], found["mode"]) == ("file", 14, "0640")
    assert found["modified_ms"] > 1_600_000_000_000
    link = await run("status", folder / "dangling")
    assert (link["type"], link["target"]) == ("link", "nothing")
    assert (await run("status", folder))["type"] == "directory"
    assert (await run("status", folder / "fifo"))["type"] == "fifo"
    assert await run("status", folder / "nosuch") == {"present": False}
    assert await run("status", folder / "file" / "below") == {"present": False}


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1", "md5"])
async def test_checksum(folder: Path, algorithm: str) -> None:
    data = b"one\ntwo\nthree\n"
    expected = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
    found = await run("checksum", folder / "link", algorithm=algorithm)
    assert found == {"checksum": expected, "algorithm": algorithm, "size_bytes": 14}


@pytest.mark.parametrize(
    ("lines", "expected"), [(1, ["three"]), (2, ["two", "three"]), (99, ["one", "two", "three"])]
)
async def test_tail(folder: Path, lines: int, expected: list[str]) -> None:
    found = await run("tail", folder / "file", lines=lines)
    assert found == {"lines": expected, "truncated": False, "size_bytes": 14}


async def test_tail_is_bounded_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, b"x" * 100 + b"\n" + (b"y" * 999 + b"\n") * 200)
    found = await run("tail", path, lines=1000)
    assert found["truncated"]
    assert all(line == "y" * 999 for line in found["lines"])
    assert sum(map(len, found["lines"])) <= MAX_TAIL_BYTES
    assert not (await run("tail", path, lines=5))["truncated"]
    write(path, b"z" * (MAX_TAIL_BYTES + 1))
    assert (await run("tail", path, lines=1))["truncated"]


def write(path: Path, data: bytes) -> None:
    """A file with these contents."""
    path.write_bytes(data)


@pytest.mark.parametrize("action", ["checksum", "tail"])
@pytest.mark.parametrize("name", ["fifo", "", "/dev/zero"])
async def test_what_might_never_end_is_not_read(folder: Path, action: str, name: str) -> None:
    with pytest.raises(AgentError, match="no regular file") as caught:
        await run(action, folder / name)
    assert caught.value.statuscode == 4


@pytest.mark.parametrize("action", ["checksum", "tail"])
async def test_what_is_not_there(folder: Path, action: str) -> None:
    with pytest.raises(AgentError, match="No such file") as caught:
        await run(action, folder / "dangling")
    assert caught.value.statuscode == 3


async def test_paths_are_absolute_and_clean(folder: Path) -> None:
    with pytest.raises(DDLError, match="does not match"):
        await run("status", "etc/passwd")
    with pytest.raises(AgentError, match="NUL"):
        await run("status", f"{folder}/fi\0le")
    for lines in (0, 1001):
        with pytest.raises(AgentError, match="1 to 1000"):
            await run("tail", folder / "file", lines=lines)
