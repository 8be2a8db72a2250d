"""The replay guard on disk: restarts, torn tails, reboots, full disks, two nodes."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from choria.errors import ConfigError
from choria.node import Boot, GuardLog, open_guard_log, read_boot
from choria.node import guard_log as module
from choria.trust import BeforeBoot, Fresh, GuardLimits, Principal, Role, Seen

RIP = Principal("alpha", Role.CLIENT, "rip")
NOW_MS = 1_800_000_000_000
BOOT = Boot(b"boot-1", NOW_MS - 3_600_000)
HASH = b"h" * 32


def opened(folder: Path, *, boot: Boot = BOOT, now_ms: int = NOW_MS) -> GuardLog:
    return open_guard_log(folder, GuardLimits(), boot=boot, now_ms=lambda: now_ms)


def run(log: GuardLog, number: int, now_ms: int = NOW_MS) -> Seen:
    entered = log.guard.enter(
        RIP, number.to_bytes(16, "big"), HASH, created_ms=now_ms, ttl_ms=60_000, now_ms=now_ms
    )
    if entered.seen is Seen.NEW:
        log.append(entered.record)
    return entered.seen


def seen(log: GuardLog, number: int) -> Seen:
    return log.guard.check(RIP, number.to_bytes(16, "big"), HASH)


def test_what_ran_is_known_after_a_restart(tmp_path: Path) -> None:
    log = opened(tmp_path)
    assert [run(log, n) for n in (1, 2, 2)] == [Seen.NEW, Seen.NEW, Seen.DUPLICATE]
    log.close()
    again = opened(tmp_path, now_ms=NOW_MS + 1000)
    assert [seen(again, n) for n in (1, 2, 3)] == [Seen.DUPLICATE, Seen.DUPLICATE, Seen.NEW]
    assert again.guard.floor_ms == 0
    again.close()


def test_what_has_expired_stays_expired_after_a_restart_with_the_clock_set_back(
    tmp_path: Path,
) -> None:
    log = opened(tmp_path)
    assert not isinstance(log.guard.freshness(NOW_MS, 60_000, NOW_MS + 60_000), Fresh)
    log.close()
    again = opened(tmp_path, now_ms=NOW_MS)
    assert again.guard.high_water_ms == NOW_MS + 60_000
    assert not isinstance(again.guard.freshness(NOW_MS, 60_000, NOW_MS), Fresh)
    again.close()


def test_a_log_that_cannot_be_rewritten_is_closed_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    run(log, 1)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_rewrite", full)
        log.close()
    assert seen(opened(tmp_path), 1) is Seen.DUPLICATE


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    log = opened(tmp_path)
    run(log, 1)
    os.close(log._lock)  # what the kernel does; nothing was flushed or closed
    assert seen(opened(tmp_path), 1) is Seen.DUPLICATE


def test_after_a_reboot_nothing_signed_before_it_runs(tmp_path: Path) -> None:
    log = opened(tmp_path)
    run(log, 1)
    log.close()
    booted_ms = NOW_MS + 10_000
    again = opened(tmp_path, boot=Boot(b"boot-2", booted_ms), now_ms=booted_ms + 5_000)
    verdict = again.guard.freshness(NOW_MS + 9_000, 60_000, booted_ms + 5_000)
    assert isinstance(verdict, BeforeBoot)
    later_ms = booted_ms + 61_000
    assert isinstance(again.guard.freshness(later_ms, 60_000, later_ms), Fresh)
    again.close()


def test_a_node_without_a_past_has_nothing_to_refuse(tmp_path: Path) -> None:
    log = opened(tmp_path / "new" / "state")
    assert isinstance(log.guard.freshness(NOW_MS - 30_000, 60_000, NOW_MS), Fresh)
    assert (tmp_path / "new" / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "state" / module.FILE).stat().st_mode & 0o777 == 0o600
    log.close()


def a_log_of(tmp_path: Path, count: int) -> bytes:
    log = opened(tmp_path)
    for number in range(count):
        run(log, number)
    log.close()
    return (tmp_path / module.FILE).read_bytes()


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 30])
def test_a_torn_tail_keeps_the_rest_and_fails_closed(tmp_path: Path, cut: int) -> None:
    data = a_log_of(tmp_path, 3)
    (tmp_path / module.FILE).write_bytes(data[:-cut])
    again = opened(tmp_path)
    assert [seen(again, n) for n in (0, 1)] == [Seen.DUPLICATE] * 2
    assert not isinstance(again.guard.freshness(NOW_MS, 60_000, NOW_MS), Fresh)
    later_ms = NOW_MS + 61_000
    assert isinstance(again.guard.freshness(later_ms, 60_000, later_ms), Fresh)
    again.close()


def test_any_flipped_bit_fails_closed(tmp_path: Path) -> None:
    data = a_log_of(tmp_path, 2)
    for position in range(0, len(data), 5):
        broken = bytearray(data)
        broken[position] ^= 0x10
        (tmp_path / module.FILE).write_bytes(broken)
        again = opened(tmp_path)
        assert not isinstance(again.guard.freshness(NOW_MS, 60_000, NOW_MS), Fresh)
        again.close()


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 100, b"text\n"])
def test_a_file_that_is_no_log_fails_closed(tmp_path: Path, data: bytes) -> None:
    (tmp_path / module.FILE).write_bytes(data)
    log = opened(tmp_path)
    assert not isinstance(log.guard.freshness(NOW_MS, 60_000, NOW_MS), Fresh)
    log.close()


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / module.FILE).open("wb") as file:
        file.truncate(module.MAX_LOG_BYTES + 1)
    log = opened(tmp_path)
    assert not isinstance(log.guard.freshness(NOW_MS, 60_000, NOW_MS), Fresh)
    log.close()


def test_two_nodes_cannot_share_a_state_folder(tmp_path: Path) -> None:
    log = opened(tmp_path)
    with pytest.raises(ConfigError, match="in use by another node"):
        opened(tmp_path)
    log.close()
    opened(tmp_path).close()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="state folder"):
        opened(tmp_path / "file")


def test_the_log_is_written_anew_when_it_has_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPACT_BEYOND_BYTES", 2000)
    log = opened(tmp_path)
    sizes = []
    for number in range(200):  # 10 s apart, so that only the last six still live
        assert run(log, number, NOW_MS + number * 10_000) is Seen.NEW
        sizes.append((tmp_path / module.FILE).stat().st_size)
    assert max(sizes) < 3500
    assert any(b < a for a, b in itertools.pairwise(sizes))
    log.close()
    again = opened(tmp_path, now_ms=NOW_MS + 2_000_000)
    assert [seen(again, n) for n in (198, 199)] == [Seen.DUPLICATE] * 2
    again.close()


def test_a_full_disk_refuses_and_leaves_the_log_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    run(log, 1)
    write = os.write
    left = [20]

    def short(file: int, data: Any) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = write(file, bytes(data[: left[0]]))
        left[0] -= taken
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        with pytest.raises(OSError, match="No space"):
            run(log, 2)
    assert run(log, 2) is Seen.DUPLICATE  # entered, so it will not run later either
    assert run(log, 3) is Seen.NEW
    log.close()
    again = opened(tmp_path)
    assert [seen(again, n) for n in (1, 3)] == [Seen.DUPLICATE] * 2
    assert again.guard.floor_ms == 0
    again.close()


def test_this_boot() -> None:
    boot = read_boot()
    assert len(boot.id) == 36
    assert boot.at_ms > 1_600_000_000_000
