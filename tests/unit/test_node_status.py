"""The status file: what a node writes, what it means to monitoring, and its metrics."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from choria.cli import main
from choria.errors import ConfigError, Refusal
from choria.programs.node_status import Health, look_at_status
from choria.programs.prometheus import prometheus_text
from choria.programs.status_file import StatusFile, read_status
from tests.support.node_world import a_node

NOW_MS = 1_800_000_000_000
HEALTHY: Mapping[str, Any] = {
    "format": 1, "identity": "web1", "network": "alpha", "version": "0.1.0", "pid": 7, "stopped": False,
    "written_ms": NOW_MS - 5000, "started_ms": NOW_MS - 3_600_000, "uptime_s": 3595.0, "broker": "b1",
    "collectives": ["choria"], "counters": {"total": 3, "denied": 1}, "running": 0,
    "outcomes": {"succeeded": 2, "denied": 1}, "fenced": {},
    "actions": {"rpcutil": {"count": 2, "seconds": 0.5, "slowest_s": 0.4}},
    "agents": {"rpcutil": {"version": "0.2.0", "origin": "choria-trio"}},
    "facts": {"age_s": 12.0, "count": 40, "classes": 0}, "guard": {"requests": 2},
    "audit": {"writable": True, "trouble": "", "unwritable_since_ms": None, "missing": 0},
    "certificate": {"expires_ms": NOW_MS + 90 * 86_400_000}, "trust": {"number": "1.4"},
}  # fmt: skip


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "status.json"
    path.write_text(json.dumps({**HEALTHY, **changes}))
    return path


def judge(path: Path, *, alive: bool = True) -> tuple[Health, str]:
    found = look_at_status(path, NOW_MS, alive=lambda _pid: alive)
    return found.health, "; ".join(found.complaints)


@pytest.mark.parametrize(
    ("changes", "alive", "health", "said"),
    [
        ({}, True, Health.OK, ""),
        ({"stopped": True}, False, Health.NOT_RUNNING, "the node was stopped 5 s ago"),
        ({}, False, Health.NOT_RUNNING, "the node is gone: no process 7; it wrote 5 s ago"),
        ({"written_ms": NOW_MS - 31_000}, True, Health.NOT_RUNNING, "31 s old: process 7 hangs"),
        ({"broker": ""}, True, Health.DISCONNECTED, "no broker is connected"),
        ({"fenced": {"slow": "x hangs"}}, True, Health.IMPAIRED, "agent slow is fenced off: x hangs"),
        ({"audit": {"unwritable_since_ms": NOW_MS - 60_000, "trouble": "No space left"}}, True,
         Health.IMPAIRED, "the audit log cannot be written since 60 s: No space left"),
        ({"certificate": {"expires_ms": NOW_MS + 7_200_000}}, True, Health.IMPAIRED, "ends in 2 hours"),
        ({"certificate": {"expires_ms": NOW_MS - 1}}, True, Health.IMPAIRED, "certificate has ended"),
        ({"broker": "", "fenced": {"slow": "x"}}, True, Health.DISCONNECTED, "agent slow is fenced"),
    ],
)  # fmt: skip
def test_what_monitoring_is_told(
    tmp_path: Path, changes: dict[str, Any], alive: bool, health: Health, said: str
) -> None:
    found, complaints = judge(write(tmp_path, **changes), alive=alive)
    assert found is health
    assert said in complaints
    assert bool(complaints) is (health is not Health.OK)


def test_what_is_no_status_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there: no node has run"):
        look_at_status(tmp_path / "status.json", NOW_MS, alive=lambda _pid: True)
    for text in ("", "[]", "{}", '{"identity": 1}'):
        (tmp_path / "status.json").write_text(text)
        with pytest.raises(ConfigError, match="is no status file"):
            read_status(tmp_path / "status.json")


SAMPLE = re.compile(r'choria_node_\w+(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? -?[0-9.e+]+')


def test_metrics_are_prometheus_text(tmp_path: Path) -> None:
    found = look_at_status(write(tmp_path), NOW_MS, alive=lambda _pid: True)
    text = prometheus_text(found)
    assert text.endswith("\n")
    lines = text.splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in samples)
    assert 'choria_node_requests_total{outcome="denied"} 1' in samples
    assert 'choria_node_action_seconds_total{agent="rpcutil"} 0.5' in samples
    assert "choria_node_up 1" in samples
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    gone = look_at_status(write(tmp_path), NOW_MS, alive=lambda _pid: False)
    assert "choria_node_up 0" in prometheus_text(gone).splitlines()


def test_a_label_cannot_leave_its_quotes(tmp_path: Path) -> None:
    path = write(tmp_path, identity='x"} 1\nchoria_node_up 1 \\')
    text = prometheus_text(look_at_status(path, NOW_MS, alive=lambda _pid: False))
    assert [line for line in text.splitlines() if line.startswith("choria_node_up")] == [
        "choria_node_up 0"
    ]


def running_in(path: Path) -> int:
    return int(read_status(path)["running"]) if path.exists() else 0


async def until(path: Path, count: int) -> None:
    """Wait, in real time, until the file was written so often: a thread writes it."""
    for _ in range(1000):
        if await trio.to_thread.run_sync(running_in, path) == count:
            return
        await trio.to_thread.run_sync(time.sleep, 0.01)
    raise AssertionError(f"not written {count} times")


async def back(file: StatusFile) -> None:
    """Wait until the thread has come back: the file is there a moment before that."""
    while file._one.borrowed_tokens:
        await trio.to_thread.run_sync(bool)
    await trio.testing.wait_all_tasks_blocked()


async def test_the_file_is_replaced_whole_and_says_in_the_end_that_the_node_stopped(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    path, count = tmp_path / "status.json", 0

    def document() -> dict[str, Any]:
        nonlocal count
        count += 1
        return {**HEALTHY, "running": count}

    file = StatusFile(path, document)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(file.run)
        for written in (1, 2, 3):
            await until(path, written)
            await back(file)
            mock_clock.jump(9.9)
            await trio.testing.wait_all_tasks_blocked()
            assert count == written
            mock_clock.jump(0.2)
        await until(path, 4)
        await back(file)
        file.write_soon()
        await until(path, 5)
        nursery.cancel_scope.cancel()
    with trio.CancelScope() as scope:
        scope.cancel()
        await file.finish()
    assert read_status(path)["stopped"] is True
    assert modes(tmp_path) == {"status.json": 0o644}


def modes(folder: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}


async def test_what_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = StatusFile(tmp_path / "gone" / "status.json", lambda: HEALTHY)
    for _ in range(3):
        await file.finish()
    assert caplog.text.count("the status file cannot be kept") == 1


async def test_a_node_tells_every_outcome(autojump_clock: MockClock) -> None:
    async with a_node() as world:
        await world.ask()
        await world.ask(world.request(filter={5: ["gone()"]}))
        denied = await world.ask(world.request(action="nope"))
        assert denied is not None
        assert denied.refusal is Refusal.UNKNOWN_ACTION
        status = world.node.status()
    assert status["outcomes"] == {"not-matched": 1, "succeeded": 1, "unknown-action": 1}
    assert status["counters"]["total"] == 3
    assert status["actions"]["demo"]["count"] == 1
    assert status["agents"]["discovery"] == {"version": "0.1.0", "origin": "built in"}
    assert (status["broker"], status["guard"]["requests"]) == ("b1", 1)
    assert status["audit"]["writable"] is True
    (reason,) = [each.reason for each in world.audit.records if each.outcome.value == "not-matched"]
    assert "this machine has no data plugin gone()" in reason


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, stopped=True)
    assert main(["node", "status", "--file", str(path)]) == 1
    assert capsys.readouterr().out.startswith(
        "web1 in network alpha: not running\n  ! the node was"
    )
    assert main(["node", "status", "--file", str(path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["health"], told["status"]["identity"]) == ("not-running", "web1")
    assert main(["node", "status", "--file", str(path), "--prometheus"]) == 0
    assert "choria_node_up 0\n" in capsys.readouterr().out
    assert main(["node", "status", "--file", str(tmp_path / "none"), "--json"]) == 1
    assert "is not there" in json.loads(capsys.readouterr().err)["error"]
