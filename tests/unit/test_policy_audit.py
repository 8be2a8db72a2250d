"""The audit log: Choria's fields, and a chain that names the first broken line."""

from __future__ import annotations

import json

import pytest

from choria.policy import GENESIS, AuditRecord, Outcome, chain, hash_of_line, verify_chain


def record(number: int = 0, **fields: object) -> AuditRecord:
    return AuditRecord(
        time_ms=1_700_000_000_123 + number,
        outcome=Outcome.ALLOWED,
        request_id=f"{number:032x}",
        **fields,  # type: ignore[arg-type]
    )


def log_of(count: int) -> list[bytes]:
    lines, previous = [], GENESIS
    for number in range(count):
        line, previous = chain(previous, record(number))
        lines.append(line)
    return lines


def test_a_line_is_json_with_chorias_fields_and_ours() -> None:
    line, digest = chain(
        GENESIS,
        record(
            reason="",
            request_time=1_700_000_000,
            caller="choria=rip",
            network="alpha",
            sender="rip",
            agent="package",
            action="install",
            data={"package": "zsh\n"},
            rule="package.policy:3",
            grade="signed",
            duration_ms=12,
        ),
    )
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "timestamp": "2023-11-14T22:13:20.123000+0000",
        "decision": "allowed",
        "outcome": "allowed",
        "reason": "",
        "request_id": "0" * 32,
        "request_time": 1_700_000_000,
        "caller": "choria=rip",
        "network": "alpha",
        "sender": "rip",
        "agent": "package",
        "action": "install",
        "data": {"package": "zsh\n"},
        "rule": "package.policy:3",
        "grade": "signed",
        "duration_ms": 12,
        "previous": GENESIS,
        "hash": digest,
    }
    assert hash_of_line(line) == digest


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_record(outcome: Outcome) -> None:
    line, digest = chain(GENESIS, AuditRecord(time_ms=0, outcome=outcome, data=object()))
    assert json.loads(line)["outcome"] == outcome.value
    assert verify_chain([line], expected_last=digest).ok


def test_a_whole_log_is_accepted_with_and_without_line_ends() -> None:
    lines = log_of(5)
    report = verify_chain(lines)
    assert report.ok
    assert report.lines == 5
    assert report.last_hash == hash_of_line(lines[-1])
    assert verify_chain(line.rstrip(b"\n") for line in lines) == report
    assert verify_chain([]).last_hash == GENESIS


def test_a_log_goes_on_in_a_second_file() -> None:
    lines = log_of(4)
    middle = hash_of_line(lines[1])
    assert middle is not None
    assert verify_chain(lines[2:], previous=middle).ok
    assert verify_chain(lines[2:]).broken_line == 1


def changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"allowed", b"denied!"), *lines[3:]]


def rewritten(lines: list[bytes]) -> list[bytes]:
    previous = hash_of_line(lines[1])
    assert previous is not None
    return [*lines[:2], chain(previous, record(99))[0], *lines[3:]]


@pytest.mark.parametrize(
    ("damage", "broken_line", "reason"),
    [
        (changed, 3, "was changed"),
        (rewritten, 4, "missing or was rewritten"),
        (lambda lines: lines[1:], 1, "missing"),
        (lambda lines: [*lines[:2], *lines[3:]], 3, "missing"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2, "not in their order"),
        (lambda lines: [*lines[:3], lines[1], *lines[3:]], 4, "a second time, first as line 2"),
        (lambda lines: [*lines[:3], chain(GENESIS, record(7))[0]], 4, "missing"),
        (lambda lines: [*lines[:2], lines[2][:80], *lines[3:]], 3, "not whole"),
        (lambda lines: [*lines[:4], lines[4][:80]], 5, "the last line is not whole"),
        (lambda lines: [*lines[:2], b"", *lines[2:]], 3, "not whole"),
        (lambda lines: [*lines[:2], b"\n", b"{}\n"], 3, "not whole"),
    ],
)
def test_the_first_broken_line_is_named(damage, broken_line: int, reason: str) -> None:
    report = verify_chain(damage(log_of(5)))
    assert not report.ok
    assert report.broken_line == broken_line
    assert report.lines == broken_line - 1
    assert reason in report.reason


def test_a_line_put_in_by_one_who_computes_hashes_is_found_at_the_next_line() -> None:
    lines = log_of(4)
    previous = hash_of_line(lines[1])
    assert previous is not None
    report = verify_chain([*lines[:2], chain(previous, record(9))[0], *lines[2:]])
    assert report.broken_line == 4
    assert "put in" in report.reason


def test_a_cut_or_rewritten_tail_is_noticed_with_the_newest_hash() -> None:
    lines = log_of(4)
    newest = hash_of_line(lines[-1])
    assert verify_chain(lines[:3]).ok
    assert verify_chain(lines[:3], expected_last=newest).broken_line == 4
    assert verify_chain(lines, expected_last=newest).ok


@pytest.mark.parametrize("line", [b"", b"{}", b"x" * 500, b'{"hash":"00"}\n'])
def test_what_is_no_line_has_no_hash(line: bytes) -> None:
    assert hash_of_line(line) is None
