"""Jobs: what they write and how they end, whoever watches them or not."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from choria.agents.jobs import (
    Job,
    JobStore,
    Phase,
    end_job,
    look,
    read_output,
    spec_for,
    start_job,
    wait_for,
)
from choria.agents.jobs.running import cut_characters
from choria.agents.jobs.store import MAX_RUNNING
from choria.errors import AgentError
from tests.support.agent_context import a_context

NOW_MS = 1_800_000_060_500


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    made = JobStore(tmp_path / "jobs", lambda: NOW_MS)
    yield made
    for job in made.jobs():
        made.signal(job.spec.id, signal.SIGKILL)


async def started(store: JobStore, script: str, *, timeout_s: float = 0) -> Job:
    argv = ["sh", "-c", script]
    job_id = secrets.token_hex(16)
    spec = spec_for(a_context(), job_id, ("shell", "run"), argv, timeout_s=timeout_s)
    return await start_job(store, spec)


async def ended(store: JobStore, script: str, *, timeout_s: float = 0) -> Job:
    with trio.fail_after(20):
        return await wait_for(store, (await started(store, script, timeout_s=timeout_s)).spec.id)


@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [("exit 0", 0, "exit"), ("exit 3", 3, "exit"), ("kill -9 $$", -9, "signal")],
)
async def test_how_it_ended_is_known(store: JobStore, script: str, code: int, reason: str) -> None:
    job = await ended(store, script)
    assert (job.kept.exit_code, job.kept.reason, job.phase) == (code, reason, Phase.ENDED)
    assert job.kept.ended_ms >= job.kept.started_ms > 0


async def test_what_it_wrote_is_read_in_pieces(store: JobStore) -> None:
    job = await ended(store, "printf 'h\\303\\251llo'; echo err >&2")
    assert (job.stdout_bytes, job.stderr_bytes) == (6, 4)
    first = await read_output(store, job.spec.id, {"stdout": 0, "stderr": 0})
    assert first == {"stdout": "héllo", "stdout_offset": 6, "stderr": "err\n", "stderr_offset": 4}
    assert await read_output(store, job.spec.id, {"stdout": 3}) == {
        "stdout": "llo",
        "stdout_offset": 6,
    }
    assert (await read_output(store, job.spec.id, {"stdout": 6}))["stdout"] == ""


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"", b""),
        (b"abc", b"abc"),
        (b"ab\xc3", b"ab"),
        (b"ab\xc3\xa9", b"ab\xc3\xa9"),
        (b"\xe2\x82", b"\xe2\x82"),
        (b"x\xe2\x82", b"x"),
        (b"x\xf0\x9f\x98", b"x"),
        (b"\x80\x80\x80\x80\x80", b"\x80\x80\x80\x80\x80"),
    ],
)
def test_no_character_is_cut_in_two(data: bytes, kept: bytes) -> None:
    assert cut_characters(data) == kept


async def test_its_time_is_kept_by_the_keeper(store: JobStore) -> None:
    job = await ended(store, "sleep 1000 & sleep 1000", timeout_s=0.2)
    assert (job.kept.reason, job.kept.exit_code) == ("timeout", -9)


async def test_it_goes_on_without_the_store_and_is_found_again(
    store: JobStore, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    job = await started(store, f"while [ ! -e {go} ]; do sleep 0.01; done; echo done")
    assert job.phase is Phase.RUNNING
    again = JobStore(tmp_path / "jobs", lambda: NOW_MS)  # as after a restart of the node
    assert [each.spec.id for each in again.jobs()] == [job.spec.id]
    assert os.getsid(job.kept.pid) == job.kept.pid != os.getsid(0)
    go.touch()
    with trio.fail_after(20):
        assert (await wait_for(again, job.spec.id)).kept.exit_code == 0


async def test_a_signal_reaches_the_whole_group(store: JobStore) -> None:
    job = await started(store, "sleep 1000 & echo $!; wait")
    assert await end_job(store, job.spec.id, signal.SIGTERM)
    with trio.fail_after(20):
        assert (await wait_for(store, job.spec.id)).kept.exit_code == -signal.SIGTERM
    assert not await end_job(store, job.spec.id, signal.SIGTERM)


async def test_one_whose_keeper_was_killed_is_lost_and_not_running(
    store: JobStore, tmp_path: Path
) -> None:
    job = await started(store, "sleep 1000")
    os.kill(parent_of(job.kept.pid), signal.SIGKILL)
    try:
        with trio.fail_after(20):
            assert (await wait_for(store, job.spec.id)).phase is Phase.LOST
    finally:
        os.killpg(job.kept.pid, signal.SIGKILL)
    assert (await look(store, job.spec.id)).outputs()["exit_reason"] == "lost"


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_what_cannot_be_run_says_so(store: JobStore) -> None:
    job_id = secrets.token_hex(16)
    spec = spec_for(a_context(), job_id, ("shell", "run"), ["no-such-program"])
    job = await start_job(store, spec)
    assert job.kept.exit_code == 127
    assert "No such file" in job.kept.reason


@pytest.mark.parametrize("job_id", ["", "..", "../../etc", "A" * 32, "a" * 31, "a" * 33, "a/b"])
def test_an_id_never_becomes_another_path(store: JobStore, job_id: str) -> None:
    for use in (store.job, store.remove):
        with pytest.raises(AgentError, match="no id of a job"):
            use(job_id)


def test_a_job_that_is_not_there(store: JobStore) -> None:
    with pytest.raises(AgentError, match="there is no job"):
        store.job("a" * 32)


async def test_jobs_are_bounded_in_number(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("choria.agents.jobs.store.MAX_RUNNING", 1)
    job = await started(store, "sleep 1000")
    with pytest.raises(AgentError, match="jobs run on this node already"):
        await started(store, "true")
    await end_job(store, job.spec.id, signal.SIGKILL)
    assert MAX_RUNNING > 1


async def test_old_jobs_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    store = JobStore(tmp_path / "jobs", lambda: now[0])
    for _ in range(3):
        await ended(store, "true")
    monkeypatch.setattr("choria.agents.jobs.store.MAX_KEPT", 2)
    store.prune()
    assert len(list(store.jobs())) == 2
    now[0] = next(iter(store.jobs())).kept.ended_ms + 25 * 3600 * 1000
    store.prune()
    assert list(store.jobs()) == []


async def test_nobody_else_can_read_it(store: JobStore, tmp_path: Path) -> None:
    job = await ended(store, "echo secret")
    assert mode_of(tmp_path / "jobs" / job.spec.id) == 0o700


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777
