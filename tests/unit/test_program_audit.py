"""``audit verify`` over rotated files, and ``audit show``."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from choria.cli import main
from choria.errors import ConfigError
from choria.node import AuditLog
from choria.policy import GENESIS, AuditRecord, Outcome, chain
from choria.programs.audit import MAX_LINE_BYTES, audit_lines, follow_audit_log, verify_audit_logs


def record(
    number: int, outcome: Outcome = Outcome.ALLOWED, caller: str = "choria=rip"
) -> AuditRecord:
    return AuditRecord(
        time_ms=1790000000000 + number,
        outcome=outcome,
        caller=caller,
        agent="package",
        action="status",
        rule=f"package.policy:{number}",
    )


@pytest.fixture
def rotated(tmp_path: Path) -> list[Path]:
    """Three files of one chain, the newest last."""
    path = tmp_path / "audit.log"
    with closing(AuditLog(path)) as log:
        for age in (2, 1, 0):
            for number in range(3):
                log.write(record(number))
            if age:
                path.rename(tmp_path / f"audit.log.{age}")
    return [tmp_path / "audit.log.2", tmp_path / "audit.log.1", path]


def test_a_long_log_is_checked_in_little_memory(tmp_path: Path) -> None:
    """Sixteen times what may be held; broken at its end, so that the explanation is asked for too."""
    path, previous = tmp_path / "audit.log", GENESIS
    with path.open("wb") as log:
        for number in range(10_000):
            line, previous = chain(previous, record(number, caller="x" * 8000))
            log.write(line)
    size = path.stat().st_size
    assert size > 80 << 20
    tracemalloc.start()
    try:
        assert verify_audit_logs([path]).intact
        with path.open("ab") as log:
            log.write(chain("f" * 64, record(1))[0])
        verdict = verify_audit_logs([path])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert verdict.text == f"{path}:10001: a line before it is missing or was rewritten"
    assert peak < size // 16


def test_a_line_without_end_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with path.open("wb") as log:
        log.truncate(40 * MAX_LINE_BYTES)  # a hole: it has no LF, and takes no room on the disk
    tracemalloc.start()
    try:
        verdict = verify_audit_logs([path])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert verdict.text.startswith(f"{path}:1: the line is not whole")
    assert peak < 4 * MAX_LINE_BYTES


def test_rotation_keeps_the_chain(rotated: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", *map(str, rotated)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == list(map(str, rotated))
    assert main(["audit", "verify", str(rotated[0])]) == 0


@pytest.mark.parametrize("name", ["audit.log.1", "audit.log-20260921"])
@pytest.mark.parametrize("made_by_logrotate", [True, False])
def test_a_restart_right_after_rotation_keeps_the_chain(
    tmp_path: Path, name: str, made_by_logrotate: bool
) -> None:
    path = tmp_path / "audit.log"
    (tmp_path / "audit.log.gone.gz").write_bytes(b"compressed")
    (tmp_path / "audit.log.torn").write_bytes(b"half")
    with closing(AuditLog(path)) as log:
        log.write(record(1))
    path.rename(tmp_path / name)
    if made_by_logrotate:
        path.touch()
    with closing(AuditLog(path)) as log:
        log.write(record(2))
    assert verify_audit_logs([tmp_path / name, path]).intact


def test_a_file_beside_that_is_no_log_begins_a_new_chain(tmp_path: Path) -> None:
    (tmp_path / "audit.log.old").write_bytes(b"notes\n")
    with closing(AuditLog(tmp_path / "audit.log")) as log:
        log.write(record(1))
    assert verify_audit_logs([tmp_path / "audit.log"]).intact


def test_a_later_file_alone_asks_for_the_older(rotated: list[Path]) -> None:
    verdict = verify_audit_logs(rotated[1:])
    assert not verdict.intact
    assert "name the older files before it" in verdict.text
    before = verify_audit_logs(rotated[:1]).text.rsplit(" ", 1)[-1]
    assert verify_audit_logs(rotated[1:], after=before).intact
    assert main(["audit", "verify", *map(str, rotated[1:]), "--after", before]) == 0


def test_a_missing_file_between_is_noticed(rotated: list[Path]) -> None:
    verdict = verify_audit_logs([rotated[0], rotated[2]])
    assert not verdict.intact
    assert f"{rotated[2]}:1: " in verdict.text
    assert "name the older" not in verdict.text


def test_a_changed_line_is_named_with_its_file(rotated: list[Path]) -> None:
    rotated[1].write_bytes(rotated[1].read_bytes().replace(b"policy:1", b"policy:9"))
    assert f"{rotated[1]}:2: the line was changed" in verify_audit_logs(rotated).text


def test_verify_as_json(rotated: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", "--json", *map(str, rotated)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["intact"] is True
    assert [(each["file"], each["lines"]) for each in told["files"]] == [
        (str(path), 3) for path in rotated
    ]
    rotated[1].write_bytes(rotated[1].read_bytes().replace(b"policy:1", b"policy:9"))
    assert main(["audit", "verify", "--json", *map(str, rotated)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["intact"] is False
    assert told["files"][1]["broken_line"] == 2
    assert told["files"][1]["reason"] == "the line was changed"


def test_show_by_decision_and_with_durations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "audit.log"
    with closing(AuditLog(path)) as log:
        log.write(record(1))
        log.write(record(2, Outcome.DENIED))
        log.write(record(3, Outcome.EXPIRED))
        log.write(msgspec.structs.replace(record(4, Outcome.SUCCEEDED), duration_ms=1250))
    assert main(["audit", "show", str(path), "--decision", "allowed"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["allowed", "succeeded"]
    assert lines[1].endswith("package#status package.policy:4 (1250 ms)")
    assert main(["audit", "show", str(path), "--decision", "denied", "--decision", "refused"]) == 0
    words = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert words == ["denied", "expired"]


def test_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "audit.log"
    with closing(AuditLog(path)) as log:
        log.write(record(1))
        log.write(record(2, Outcome.DENIED, "choria=\x1b[2Jeve"))
        log.write(record(3, Outcome.EXPIRED))
    assert main(["audit", "show", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == (
        "2026-09-21T14:13:20.001000+0000 allowed         choria=rip package#status package.policy:1"
    )
    assert "\x1b" not in out
    assert len(out.splitlines()) == 3
    assert main(["audit", "show", str(path), "--outcome", "denied", "--outcome", "expired"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["audit", "show", str(path), "--caller", "choria=rip", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["outcome"] for each in told] == ["allowed", "expired"]


def test_show_what_is_no_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_bytes(b"\xffnonsense\n[1]\nhalf")
    assert main(["audit", "show", str(tmp_path / "x")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert ["no audit record" in line for line in out] == [True, True]
    assert main(["audit", "show", str(tmp_path / "gone")]) == 1
    with pytest.raises(ConfigError):
        list(audit_lines(tmp_path))


async def test_follow_goes_on_through_rotation(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    path = tmp_path / "audit.log"
    shown: list[bytes] = []

    def rules() -> list[str]:
        return [json.loads(line)["rule"].split(":")[1] for line in shown]

    with closing(AuditLog(path)) as log:
        log.write(record(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow_audit_log, path, shown.append)
            await trio.sleep(1)
            assert rules() == ["1"]
            log.write(record(2))
            await trio.sleep(1)
            log.write(record(3))
            path.rename(tmp_path / "audit.log.1")
            await trio.sleep(1)
            assert rules() == ["1", "2", "3"]
            log.write(record(4))
            log.write(record(5))
            await trio.sleep(2)
            assert rules() == ["1", "2", "3", "4", "5"]
            with path.open("ab") as half:
                half.write(b'{"rule":"x:6"')
                half.flush()
                await trio.sleep(1)
                assert len(shown) == 5
                half.write(b"}\n")
            await trio.sleep(1)
            assert rules()[5:] == ["6"]
            nursery.cancel_scope.cancel()
