"""Programs: what they get, what is kept of them, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio

from choria.errors import SpawnError
from choria.spawn import Finished, Program, open_program, run_detached, run_program


def sh(script: str, **more: object) -> Program:
    return Program(argv=("sh", "-c", script), **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    with trio.fail_after(20):
        while alive(pid):  # noqa: ASYNC110  # not a child of ours
            await trio.sleep(0.01)


async def test_what_it_wrote_and_how_it_ended() -> None:
    finished = await run_program(sh("echo out; echo err >&2; exit 3"))
    assert finished == Finished(3, "out\n", "err\n")
    assert (await run_program(sh("kill -9 $$"))).returncode == -signal.SIGKILL
    assert (await run_program(sh("printf '\\377'"))).stdout == "\ufffd"


async def test_it_gets_a_clean_environment_and_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hush")
    finished = await run_program(sh("env; pwd; cat", env={"MORE": "1"}, cwd="/usr", stdin=b"in"))
    assert "SECRET" not in finished.stdout
    assert {"MORE=1", "LANG=C", "HOME=/"} <= set(finished.stdout.splitlines())
    assert finished.stdout.endswith("/usr\nin")


async def test_one_that_reads_nothing_ends_all_the_same() -> None:
    finished = await run_program(sh("exec <&-; exit 0", stdin=b"x" * (1 << 20)))
    assert finished.returncode == 0


@pytest.mark.parametrize("script", ["yes", "yes >&2", "yes & wait"])
async def test_too_much_output_ends_it(script: str) -> None:
    with trio.fail_after(20), pytest.raises(SpawnError, match="wrote more than 1000 bytes"):
        await run_program(sh(script), max_output_bytes=1000)


async def test_output_can_be_taken_as_it_comes() -> None:
    got: list[tuple[str, bytes]] = []

    async def take(name: str, data: bytes) -> None:
        got.append((name, data))

    finished = await run_program(sh("yes | head -c 200000; echo e >&2"), sink=take)
    assert finished.stdout == ""
    assert sum(len(data) for name, data in got if name == "stdout") == 200_000
    assert b"".join(data for name, data in got if name == "stderr") == b"e\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("no-such-program-anywhere",), "is not on this machine"),
        (("/etc/passwd",), "is not on this machine"),
        (("echo", "a\0b"), "cannot be run"),
    ],
)
async def test_what_cannot_be_run(argv: tuple[str, ...], said: str) -> None:
    with pytest.raises(SpawnError, match=said):
        await run_program(Program(argv=argv))


async def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(SpawnError, match="No such file"):
        await run_program(sh("true", cwd="/no/such/folder"))


CHILD = "sleep 1000 & echo $!; "


async def test_children_end_with_their_program() -> None:
    finished = await run_program(sh(CHILD))
    await gone(int(finished.stdout))


async def test_children_may_be_left_on_purpose() -> None:
    with trio.fail_after(20):  # though the child holds the pipes
        finished = await run_program(sh(CHILD, leave_children=True))
    pid = int(finished.stdout)
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    await gone(pid)


@pytest.mark.parametrize("leave_children", [False, True])
async def test_cancelling_kills_it_and_its_children(leave_children: bool) -> None:
    pids: list[int] = []

    async def take(_name: str, data: bytes) -> None:
        pids.extend(map(int, data.split()))
        scope.cancel()

    script = f"trap '' TERM; echo $$; {CHILD} wait"
    with trio.fail_after(20), trio.CancelScope() as scope:
        await run_program(sh(script, leave_children=leave_children), sink=take)
    assert scope.cancelled_caught
    for pid in pids:
        await gone(pid)


async def test_leaving_the_block_ends_the_program() -> None:
    async with open_program(sh("echo up; exec sleep 1000")) as process:
        assert process.stdout is not None
        assert await process.stdout.receive_some() == b"up\n"
    assert process.returncode == -signal.SIGKILL


async def test_what_must_not_stop_halfway_does_not(tmp_path: Path) -> None:
    mark, go = tmp_path / "mark", tmp_path / "go"
    script = f"while [ ! -e {go} ]; do sleep 0.01; done; yes | head -c 100000; echo $$ > {mark}"
    with trio.move_on_after(0.1) as scope:
        await run_detached(sh(script), limiter=trio.CapacityLimiter(1))
    assert scope.cancelled_caught
    assert not exists(mark)
    go.touch()
    with trio.fail_after(20):
        while not exists(mark):  # noqa: ASYNC110  # another process writes it
            await trio.sleep(0.01)


def exists(path: Path) -> bool:
    return path.exists()


async def test_the_end_of_what_it_wrote() -> None:
    finished = await run_detached(
        sh("yes | head -c 1000; echo end; exit 2"),
        limiter=trio.CapacityLimiter(1),
        max_output_bytes=8,
    )
    assert finished == Finished(2, "y\ny\nend\n", "")
