"""What can be examined without a network: files, their modes and ages, policies. Everything blocks."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from choria.errors import ConfigError, PolicyError
from choria.net import Credentials, life_of
from choria.policy import Problem
from choria.trust import Revocations

from .checkup import Finding, broken, doubtful, fine
from .policy import check_policies

SECRET_NAMES: Final = ("key.pem", "credential.cwt")
MIN_FREE_BYTES: Final = 64 << 20
SHOWN: Final = 3
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def check_keys(folder: Path) -> Finding:
    """May only the owner read the secrets of a credentials folder, and write what is trusted?"""
    secrets = [path for name in SECRET_NAMES if (path := folder / name).exists()]
    open_ones = [path for path in secrets if path.stat().st_mode & _OTHERS]
    if open_ones:
        names = " ".join(map(str, open_ones))
        return broken("keys", f"others may read {names}", f"chmod 600 {names}")
    loose = [path for path in _trusted(folder) if path.stat().st_mode & _OTHERS_WRITE]
    if loose:
        names = " ".join(map(str, loose[:SHOWN]))
        return broken("keys", f"others may write {names}", f"chmod go-w {names}")
    return fine("keys", f"{folder}: only its owner reads keys and writes what is trusted")


def _trusted(folder: Path) -> Iterator[Path]:
    """What whoever may write it could replace."""
    yield from (path for path in (folder, folder / "trust") if path.is_dir())
    yield from sorted((folder / "trust").glob("*.pem"))


def check_certificate(credentials: Credentials, now_ms: int) -> Finding:
    """How long our certificate holds."""
    warning = life_of(credentials.certificate_der).warning(now_ms)
    who = credentials.principal.label
    if warning:
        return doubtful(
            "certificate",
            f"the certificate of {who} {warning}",
            f"where the CA is: choria-trio ca renew {credentials.folder}; nodes with `doors` renew by themselves",
        )
    days = (life_of(credentials.certificate_der).ends_ms - now_ms) // 86_400_000
    return fine("certificate", f"holds for {days} more days")


def check_revocation(revocations: Revocations, now_ms: int) -> Finding:
    """Are the lists in force fresh?"""
    then = (
        "where the CA is: choria-trio ca crl, and put the file where the broker looks for it; "
        "with Puppet, let the agent fetch crl.pem"
    )
    overdue = revocations.overdue(now_ms)
    if overdue:
        grace_ms = revocations.policy.grace_ms
        late = [each.next_update_ms or now_ms for each in revocations.lists.values()]
        kind = broken if now_ms > min(late) + grace_ms else doubtful
        return kind("revocation", "; ".join(overdue), then)
    if not revocations.lists:
        required = revocations.policy.required
        return (broken if required else doubtful)(
            "revocation",
            f"no revocation list is known{' and one is required' if required else ''}: a stolen key cannot be taken back",
            then,
        )
    count = len(revocations.lists)
    return fine("revocation", f"{count} list{'' if count == 1 else 's'} in force, none overdue")


def check_state(folder: Path) -> Finding:
    """Can the state folder be written, or made?"""
    wrong = _unwritable(folder)
    if wrong:
        then = f"mkdir -p -m 700 {folder}, owned by the user that the node runs as; or set `state`"
        return broken("state", f"{folder}: {wrong}", then)
    return fine("state", f"{folder} can be written")


def check_audit_log(path: Path) -> Finding:
    """Can a line be appended, and is there room for more?"""
    wrong = _unwritable(path.parent) or _unappendable(path)
    if wrong:
        then = f"give the node's user the folder {path.parent}, or set `audit_log`"
        return broken("audit log", f"{path}: {wrong}", then)
    left = os.statvfs(_existing(path.parent))
    free = left.f_bavail * left.f_frsize
    if free < MIN_FREE_BYTES:
        then = f"make room on the disk of {path.parent}: when it is full, requests are refused"
        return doubtful("audit log", f"{path}: {free >> 20} MiB are left on its disk", then)
    return fine("audit log", f"{path} can be written")


def is_running(audit_log: Path) -> bool:
    """Whether a node holds this audit log, as it does while it runs."""
    try:
        file = os.open(audit_log, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def check_policy_files(folder: Path) -> Finding:
    """Can every line be used, and is there one?"""
    look = f"choria-trio policy check {folder}"
    try:
        reports = check_policies([folder]) if folder.is_dir() else []
    except ConfigError:
        reports = []
    except PolicyError as wrong:
        return broken("policies", str(wrong), look)
    if not reports:
        return doubtful(
            "policies",
            f"{folder} holds no policies: every action but discovery is denied",
            f"write {folder / 'default.policy'} (docs/howto/write-policies.md), then {look}",
        )
    problems = [problem for report in reports for problem in report.problems]
    if problems:
        return broken("policies", _sentences(problems), look)
    return fine("policies", f"{folder}: {len(reports)} files, every line can be used")


def _sentences(problems: Sequence[Problem]) -> str:
    more = len(problems) - SHOWN
    shown = "; ".join(problem.sentence for problem in problems[:SHOWN])
    return f"{shown}; and {more} more" if more > 0 else shown


def _existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))


def _unwritable(folder: Path) -> str:
    """Why nothing can be written below ``folder``; empty when it can.

    Tried, because modes tell neither of read-only file systems nor of root's rights.
    """
    place = _existing(folder)
    if not place.is_dir():
        return f"{place} is no folder"
    if place != folder:
        return "" if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as wrong:
        return wrong.strerror or str(wrong)
    return ""


def _unappendable(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW))
    except OSError as wrong:
        return wrong.strerror or str(wrong)
    return ""
