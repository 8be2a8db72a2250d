"""The demo as a stranger runs it, and as an impatient one stops it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import trio

pytestmark = pytest.mark.timeout(120)


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "HOME": str(folder)}


def _argv(*args: str) -> list[str]:
    return [sys.executable, "-m", "choria", "demo", *args]


def _alive_in(folder: Path) -> list[str]:
    """Command lines of processes that live in ``folder``."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


def test_the_demo_shows_the_whole_main_job(tmp_path: Path) -> None:
    argv = _argv("--nodes", "2", "--json")
    done = subprocess.run(
        argv, capture_output=True, text=True, env=_environment(tmp_path), timeout=100, check=False
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["failure"]) == (0, True, "")
    commands = [step["command"] for step in document["steps"]]
    assert all(step["expected"] for step in document["steps"])
    for part in (
        "ca init",
        "broker",
        "ping",
        "discover",
        "rpcutil inventory",
        "package status",
        "audit verify",
    ):
        assert any(part in command for command in commands), part
    if shutil.which("dpkg-query"):
        asked = ["dpkg-query", "-W", "-f=${Version}", "bash"]
        version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        status = next(step for step in document["steps"] if "package status" in step["command"])
        assert version in status["output"]
    assert _alive_in(tmp_path) == []
    assert list(tmp_path.glob("choria-trio-demo-*")) == []


def _left_in(folder: Path) -> list[Path]:
    return list(folder.glob("choria-trio-demo-*"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "moment", ["ca init", "broker --config", "node2.toml", "discover", "get_fact"]
)
async def test_stopped_at_any_moment_it_leaves_nothing_running(
    tmp_path: Path, moment: str, how: signal.Signals
) -> None:
    process = await trio.lowlevel.open_process(
        _argv("--nodes", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(tmp_path),
        start_new_session=True,
    )
    assert process.stdout is not None
    with trio.fail_after(90):
        async with process.stdout:
            seen = b""
            async for chunk in process.stdout:
                seen += chunk
                if moment.encode() in seen:
                    break
            process.send_signal(how)
            code = await process.wait()
    assert code == 130 if how is signal.SIGINT else code != 0
    assert _alive_in(tmp_path) == []
    assert _left_in(tmp_path) == []


@pytest.mark.parametrize("nodes", ["0", "-1", "201", "many"])
def test_a_number_of_nodes_that_makes_no_sense(nodes: str) -> None:
    done = subprocess.run(
        _argv("--nodes", nodes), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (1, 2)
    assert done.stderr
    assert "Traceback" not in done.stderr
