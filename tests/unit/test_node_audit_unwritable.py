"""The audit log when the disk is full or the folder is gone, and when it comes back."""

from __future__ import annotations

import json
import logging
import resource
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from choria.config import load
from choria.errors import ConfigError, Refusal
from choria.node import AuditLog, NodeConfig
from choria.node.audit_trail import AuditTrail
from choria.policy import AuditRecord, Outcome, hash_of_line, verify_chain
from tests.support.node_world import World, a_node


def record(number: int) -> AuditRecord:
    return AuditRecord(time_ms=1_800_000_000_000 + number, outcome=Outcome.ALLOWED)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(path)]


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """The kernel takes no byte beyond ``size`` in any file: what a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_file_that_may_not_grow_keeps_whole_lines_and_its_chain(
    tmp_path: Path, room: int
) -> None:
    path = tmp_path / "audit.log"
    with closing(AuditLog(path)) as log:
        log.write(record(0))
        size = path.stat().st_size
        with files_end_at(size + room):
            for _ in range(2):
                with pytest.raises(OSError, match="File too large"):
                    log.write(record(1))
        assert path.stat().st_size == size
        log.write(record(2))
    assert verify_chain(lines(path)).ok
    assert len(lines(path)) == 2


def test_the_device_that_is_always_full() -> None:
    with closing(AuditLog(Path("/dev/full"))) as log, pytest.raises(OSError, match="No space left"):
        log.write(record(0))


def test_a_removed_folder_and_its_return(tmp_path: Path) -> None:
    """Making it anew would hide an unmounted disk, so nobody does."""
    path = tmp_path / "log" / "audit.log"
    path.parent.mkdir()
    with closing(AuditLog(path)) as log:
        log.write(record(0))
        before = hash_of_line(lines(path)[-1])
        shutil.rmtree(path.parent)
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                log.write(record(1))
        path.parent.mkdir()
        log.write(record(2))
    assert verify_chain(lines(path), previous=before or "").ok


def test_a_file_that_was_copied_and_cut_goes_on(tmp_path: Path) -> None:
    """logrotate's copytruncate; then a full disk must not bring back what was cut."""
    path, copy = tmp_path / "audit.log", tmp_path / "audit.log.1"
    with closing(AuditLog(path)) as log:
        log.write(record(0))
        shutil.copy(path, copy)
        path.write_bytes(b"")
        log.write(record(1))
        with files_end_at(path.stat().st_size + 20), pytest.raises(OSError, match="too large"):
            log.write(record(2))
        log.write(record(3))
    assert verify_chain([*lines(copy), *lines(path)]).ok
    assert b"\0" not in path.read_bytes()


def test_the_first_line_after_says_what_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.log"
    with closing(AuditLog(path)) as log, caplog.at_level(logging.WARNING):
        trail = AuditTrail(log)
        with files_end_at(0):
            for number in range(5):
                with pytest.raises(OSError, match="too large"):
                    trail.write(record(number * 1000))
            assert trail.trouble == "File too large"
            with pytest.raises(OSError, match="too large"):
                trail.write(record(61_000))
        trail.write(record(70_000))
        assert trail.trouble == ""
    gap, after = told(path)
    assert (gap["outcome"], gap["decision"], after["outcome"]) == ("gap", "", "allowed")
    assert gap["reason"].startswith("6 decisions since 2027-01-15T08:00:00.000000+0000 could not")
    assert verify_chain(lines(path)).ok
    said = [each.message for each in caplog.records]
    assert [each.split(":")[0] for each in said[:2]] == [  # at once, and each minute, not each time
        "the audit log cannot be written, so nothing is run"
    ] * 2
    assert said[2:] == ["the audit log is written again; 6 decisions miss"]


@contextmanager
def kept_by(world: World, path: Path) -> Iterator[None]:
    """The node's audit is a real file."""
    with closing(AuditLog(path)) as log:
        world.audit.write = log.write  # type: ignore[method-assign]
        yield


async def test_requests_are_refused_while_the_disk_is_full(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    path = tmp_path / "audit.log"
    async with a_node() as world:
        with kept_by(world, path):
            with files_end_at(0):
                reply = await world.ask()
                assert reply is not None
                assert reply.refusal is Refusal.FAILED
                assert reply.statusmsg == (
                    "this node cannot write its audit log (File too large), so it runs nothing"
                )
            assert (world.ran, world.count("unaudited")) == ([], 2)
            reply = await world.ask()
            assert reply is not None
            assert reply.refusal is None
        assert len(world.ran) == 1
    assert [each["outcome"] for each in told(path)] == ["gap", "allowed", "succeeded"]
    assert verify_chain(lines(path)).ok


async def test_requests_run_unseen_if_the_site_wants_that(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.log"
    async with a_node(runs_unaudited=True) as world:
        with kept_by(world, path):
            with files_end_at(0):
                reply = await world.ask()
                assert reply is not None
                assert reply.refusal is None
            assert (len(world.ran), world.count("unaudited")) == (1, 2)
            await world.ask()
    assert "requests run and nobody sees it" in caplog.text
    assert [each["outcome"] for each in told(path)] == ["gap", "allowed", "succeeded"]


async def test_a_denial_stays_a_denial_when_it_cannot_be_written(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    for runs_unaudited in (False, True):
        async with a_node(policies={}, runs_unaudited=runs_unaudited) as world:
            world.audit.broken = True
            reply = await world.ask()
            assert reply is not None
            assert reply.refusal is Refusal.DENIED
            assert world.count("unaudited") == 1


@pytest.mark.parametrize(("text", "wanted"), [
    ("", "refuse"), ('[audit]\nwhen_unwritable = "run"\n', "run"),
    ('[audit]\nwhen_unwritable = "refuse"\n', "refuse"),
])  # fmt: skip
def test_the_setting(tmp_path: Path, text: str, wanted: str) -> None:
    (tmp_path / "node.toml").write_text(text)
    loaded = load([tmp_path / "node.toml"], NodeConfig, overrides={}, env={})
    assert loaded.value.audit.when_unwritable == wanted


@pytest.mark.parametrize("word", ["ignore", "Run", ""])
def test_any_other_word_is_refused(tmp_path: Path, word: str) -> None:
    (tmp_path / "node.toml").write_text(f'[audit]\nwhen_unwritable = "{word}"\n')
    with pytest.raises(ConfigError, match="when_unwritable"):
        load([tmp_path / "node.toml"], NodeConfig, overrides={}, env={})
