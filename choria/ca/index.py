"""The index: every certificate that the CA made, and which of them it took back.

Two files of JSON lines, only ever appended to: ``issued.jsonl`` and ``revoked.jsonl``. A line that is
no line (the machine went down while it was written) is passed over when it is the last one, and an
error anywhere else: an index that cannot be read must not look like an empty one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from choria.trust import ISSUER_OF, IssuerKind, Role

from .files import CaError, append_line, os_errors

INDEX_NAME: Final = "issued.jsonl"
REVOKED_NAME: Final = "revoked.jsonl"
T = TypeVar("T", bound=msgspec.Struct)


class IssuedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate, as it was when it was made."""

    serial: str  # hexadecimal
    role: str
    name: str
    issuer: str
    grants: list[str]
    issued_ms: int
    not_after_ms: int
    issuer_key: str = ""  # tells issuers of one name apart; older lines have none

    @property
    def whose(self) -> str:
        """Role and name."""
        return f"{self.role} {self.name}"

    @property
    def kind(self) -> IssuerKind:
        """Which issuer made it."""
        return ISSUER_OF[Role(self.role)]


class RevokedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate that was taken back."""

    serial: str
    revoked_ms: int
    reason: str = ""


class IndexLine(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate and what became of it."""

    issued: IssuedEntry
    revoked: RevokedEntry | None

    def holds(self, now_ms: int) -> bool:
        """Whether it is still good: neither ended nor taken back."""
        return self.revoked is None and now_ms <= self.issued.not_after_ms


def read_index(folder: Path) -> list[IndexLine]:
    """All certificates of a CA, oldest first. Raises CaError."""
    if not (folder / INDEX_NAME).is_file():
        raise CaError(f"{folder} holds no CA: make one with `choria-trio ca init`")
    revoked = {entry.serial: entry for entry in _lines(folder / REVOKED_NAME, RevokedEntry)}
    return [
        IndexLine(issued=entry, revoked=revoked.get(entry.serial))
        for entry in _lines(folder / INDEX_NAME, IssuedEntry)
    ]


def revoked_serials(folder: Path) -> frozenset[str]:
    """What was taken back, by serial in hexadecimal. Raises CaError."""
    return frozenset(entry.serial for entry in _lines(folder / REVOKED_NAME, RevokedEntry))


def is_taken(folder: Path, role: Role, name: str, now_ms: int) -> bool:
    """Whether somebody of this role and name has a certificate that is good. Raises CaError."""
    return any(
        line.issued.name == name and line.issued.role == role.value and line.holds(now_ms)
        for line in read_index(folder)
    )


def revoke(
    folder: Path, *, now_ms: int, reason: str = "", name: str = "", role: str = "", serial: str = ""
) -> list[IssuedEntry]:
    """Mark certificates as taken back: all that are good of a name, or one by its serial.

    Args:
        folder: the CA's.
        now_ms: wall clock.
        reason: for the operator's own records.
        name: whose; every role unless ``role`` says one.
        role: see ``name``.
        serial: hexadecimal, instead of a name.

    Raises:
        CaError: nothing such is good, or the index cannot be written.
    """
    wanted = [
        line.issued
        for line in read_index(folder)
        if line.holds(now_ms)
        and (
            line.issued.serial == serial.lower().lstrip("0") if serial else line.issued.name == name
        )
        and role in ("", line.issued.role)
    ]
    if not wanted:
        raise CaError(
            f"no certificate of {serial or name} is in force: `choria-trio ca list` has them all"
        )
    for entry in wanted:
        record = RevokedEntry(serial=entry.serial, revoked_ms=now_ms, reason=reason[:200])
        with os_errors(f"record a revocation in {folder / REVOKED_NAME}"):
            append_line(folder / REVOKED_NAME, msgspec.json.encode(record) + b"\n", durable=True)
    return wanted


def _lines(path: Path, shape: type[T]) -> Iterator[T]:
    with os_errors(f"read {path}"):
        text = path.read_bytes() if path.exists() else b""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        try:
            yield msgspec.json.decode(line, type=shape)
        except msgspec.MsgspecError as exc:
            if number < len(lines) or text.endswith(b"\n"):
                raise CaError(f"{path}, line {number}, is damaged: {exc}") from exc
