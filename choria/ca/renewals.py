"""Renewals in the CA's folder: which successors were signed for which certificate (CWP-18.7-5).

``enrol/renewed/<end>-<certificate>-<signing request>.der``, made once and never changed: the end of the
old certificate in milliseconds, and halves of two hashes. After that end a renewal is refused for its
time, so the file means nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from choria.enrol import Renewal

from .files import create_whole, os_errors
from .invites import ENROL_FOLDER

MOST_A_CERTIFICATE: Final = 4
_END_DIGITS: Final = 15


class Renewals:
    """The folder. Methods raise CaError when files cannot be read or written."""

    def __init__(self, ca_folder: Path) -> None:
        self._folder = ca_folder / ENROL_FOLDER / "renewed"

    def find(self, renewal: Renewal) -> bytes | None:
        """The successor that was signed for this very request."""
        path = self._path(renewal)
        with os_errors(f"read {path}"):
            return path.read_bytes() if path.exists() else None

    def used_up(self, renewal: Renewal) -> bool:
        """Whether its certificate was renewed as often as it may be."""
        beginning = f"{_end(renewal)}-{renewal.of_certificate}-"
        return sum(path.name.startswith(beginning) for path in self._all()) >= MOST_A_CERTIFICATE

    def keep(self, renewal: Renewal, certificate: bytes) -> bytes:
        """Keep a successor; returns the one that counts, which is another's when that was first."""
        path = self._path(renewal)
        with os_errors(f"write {path}"):
            return certificate if create_whole(path, certificate) else path.read_bytes()

    def forget_old(self, now_ms: int) -> None:
        """Delete what is of certificates that have ended."""
        now = f"{now_ms:0{_END_DIGITS}d}"
        for path in list(self._all()):
            if path.name[:_END_DIGITS] < now:
                with os_errors(f"delete {path}"):
                    path.unlink(missing_ok=True)

    def _all(self) -> Iterator[Path]:
        if self._folder.is_dir():
            yield from self._folder.glob("*.der")

    def _path(self, renewal: Renewal) -> Path:
        return self._folder / f"{_end(renewal)}-{renewal.key}.der"


def _end(renewal: Renewal) -> str:
    return f"{renewal.signer.validity.not_after_ms:0{_END_DIGITS}d}"
