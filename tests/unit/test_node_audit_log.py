"""The audit log on disk: a chain over restarts, torn lines, rotation and full disks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from choria.errors import ConfigError
from choria.node import AuditLog
from choria.node.audit_trail import SPARING_BURST, AuditTrail
from choria.policy import AuditRecord, Outcome, hash_of_line, verify_chain
from tests.support.node_world import Witness


def record(number: int = 0, outcome: Outcome = Outcome.ALLOWED) -> AuditRecord:
    return AuditRecord(time_ms=1_800_000_000_000 + number, outcome=outcome, reason=f"r{number}")


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "log" / "audit.log"
    for start in (0, 3):
        log = AuditLog(path)
        for number in range(start, start + 3):
            log.write(record(number))
        log.close()
    assert len(lines(path)) == 6
    assert verify_chain(lines(path)).ok
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_torn_line_is_moved_beside_and_the_chain_holds(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    for number in range(3):
        log.write(record(number))
    log.close()
    path.write_bytes(path.read_bytes()[:-cut])
    again = AuditLog(path)
    again.write(record(9))
    again.close()
    assert len(lines(path)) == 3
    assert verify_chain(lines(path)).ok
    assert b'"r2"' in (tmp_path / "audit.log.torn").read_bytes()


def test_a_log_of_nothing_but_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b'{"timestamp":')
    log = AuditLog(path)
    log.write(record())
    log.close()
    assert verify_chain(lines(path)).ok


def test_a_file_that_is_no_audit_log_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text("precious\n")
    with pytest.raises(ConfigError, match="no audit record"):
        AuditLog(path)
    assert path.read_text() == "precious\n"


def test_two_nodes_cannot_share_a_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    with pytest.raises(ConfigError, match="another node"):
        AuditLog(tmp_path / "audit.log")
    log.close()


def test_rotation_to_a_file_that_another_node_took_refuses(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    path.rename(tmp_path / "audit.log.1")
    other = AuditLog(path)
    with pytest.raises(OSError, match="another node"):
        log.write(record(0))
    other.close()
    log.write(record(1))
    log.close()


def test_rotation_begins_a_file_that_continues_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    log.write(record(0))
    path.rename(tmp_path / "audit.log.1")
    log.write(record(1))
    log.write(record(2))
    log.close()
    old = lines(tmp_path / "audit.log.1")
    assert len(old) == 1
    assert verify_chain(lines(path), previous=hash_of_line(old[-1]) or "").ok


def test_a_full_disk_raises_and_leaves_the_chain_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    log.write(record(0))
    write, calls = os.write, [0]

    def short(file: int, data: bytes) -> int:
        calls[0] += 1
        if calls[0] > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, bytes(data[:20]))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        with pytest.raises(OSError, match="No space"):
            log.write(record(1))
    log.write(record(2))
    log.close()
    assert [line.count(b'"r1"') for line in lines(path)] == [0, 0]
    assert verify_chain(lines(path)).ok


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="audit log"):
        AuditLog(tmp_path / "file" / "audit.log")


def test_sparing_is_by_outcome_and_says_what_it_left_out() -> None:
    # CWP-13.6-4
    witness = Witness()
    trail = AuditTrail(witness)
    for number in range(SPARING_BURST + 7):
        trail.write_sparingly(record(number, Outcome.DUPLICATE))
    trail.write_sparingly(record(0, Outcome.UNTRUSTED))
    assert witness.outcomes == ["duplicate"] * SPARING_BURST + ["untrusted"]
    trail.write_sparingly(record(20_000, Outcome.DUPLICATE))
    assert "(7 more like it" in witness.records[-1].reason
    trail.write_sparingly(
        record(-90_000, Outcome.DUPLICATE)
    )  # a clock set back is no new allowance
