"""The trust in force of one program, kept over restarts: only ever newer (CWP-20.3).

The file is ours: what it holds was proved when it was written, so the roots in it count although the
trust folder may still hold an older one. It says from which root file it came; when that is another
now, somebody has put this program into another network on purpose, and trust begins anew.

Several programs may share a file (an operator's commands): each takes what is newer, under a lock.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from choria.errors import ConfigError, TrustError
from choria.trust import (
    IssuerKind,
    Issuers,
    Standing,
    digest_of,
    parse_bundle,
    parse_standing,
    standing_of_files,
)
from choria.wire import TrustMark

from .credentials import wall_clock_ms

log = logging.getLogger(__name__)

KEPT_NAME: Final = "trust.kept"
_MAGIC: Final = b"choria-trio kept trust 1\n"
_ORIGIN_BYTES: Final = 32
_JUDGED: Final = 32
_FILE_MODE: Final = 0o600


class TrustStore:
    """What counts now, in force in ``issuers``.

    Args:
        standing: Where trust begins; what was kept is read by ``open_trust_store``.
        issuers: What the program judges by; follows.
        path: Where it is kept; None: nowhere.
        origin: SHA-256 of the root file.
        now_ms: Wall clock, milliseconds.

    Attributes:
        standing: In force.
    """

    def __init__(
        self,
        standing: Standing,
        issuers: Issuers,
        *,
        path: Path | None = None,
        origin: bytes = bytes(_ORIGIN_BYTES),
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.standing = standing
        self._issuers = issuers
        self._path = path
        self._origin = origin
        self._now_ms = now_ms
        self._judged: OrderedDict[bytes, None] = OrderedDict()
        self._overdue: tuple[str, ...] = ()
        standing.apply(issuers)

    def wants(self, mark: TrustMark) -> bool:
        """Whether the object of ``mark`` may be newer than what is in force (CWP-20.2-8)."""
        return mark.number >= self.standing.number and mark.digest not in self._judged

    def now_ms(self) -> int:
        """The wall clock that everything here goes by."""
        return self._now_ms()

    def take(self, data: bytes, now_ms: int | None = None) -> bool:
        """Put an object in force, and keep it. Blocks. Returns whether anything has changed.

        Args:
            data: the object, as it came.
            now_ms: wall clock, from whoever calls it in a thread; by default it is asked here.

        Raises:
            TrustError: a part of it is wrong, or it is older: nothing has changed.
        """
        self._note(digest_of(data))
        after = self.standing.taking(data, self._now_ms() if now_ms is None else now_ms)
        changed = after.ders != self.standing.ders or after.bundle != self.standing.bundle
        if changed:
            self._keep(after)
            self.standing = after
            self.reassert()
            log.info("trust %s of network %s is in force", after.number, after.network)
        return changed

    def reassert(self) -> None:
        """Put it in force again, after files were read anew: the root's word rules over files."""
        for complaint in self.standing.apply(self._issuers):
            log.error("%s", complaint)

    def warn(self) -> None:
        """Say when a list is past its next update; each text once."""
        overdue = self._issuers.revocations.overdue(self._now_ms())
        if overdue != self._overdue:
            for text in overdue:
                log.warning("%s", text)
        self._overdue = overdue

    def _note(self, digest: bytes) -> None:
        self._judged[digest] = None
        if len(self._judged) > _JUDGED:
            self._judged.popitem(last=False)

    def _keep(self, after: Standing) -> None:
        complaint = "" if self._path is None else self._kept(self._path, after)
        if complaint:  # in force for now it is better than not at all
            log.error("%s: newer trust cannot be kept over a restart: %s", self._path, complaint)

    def _kept(self, path: Path, after: Standing) -> str:
        """Write the file unless it is newer; what went wrong."""
        try:
            with _locked(path):
                kept = _read_kept(path, self._origin)
                if kept is None or kept.number < after.number:
                    _write(path, _MAGIC + self._origin + after.encode())
        except (OSError, TrustError) as wrong:
            return str(wrong)
        return ""


def open_trust_store(
    trust_folder: Path,
    issuers: Issuers,
    path: Path | None,
    now_ms: Callable[[], int] = wall_clock_ms,
) -> TrustStore:
    """Read what was kept, or begin with the files of ``trust_folder``. Blocks.

    Raises:
        ConfigError: what was kept cannot be read; says what to do (CWP-20.3-3).
    """
    try:
        pems = {name: (trust_folder / f"{name}.pem").read_bytes() for name in ("root", *IssuerKind)}
        origin = sha256(pems["root"]).digest()
        root = parse_bundle(pems["root"], "root.pem")[0]
        stores = {kind: parse_bundle(pems[kind], f"{kind}.pem") for kind in IssuerKind}
        first = standing_of_files(root, stores)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; `ca issue` writes it") from error
    try:
        kept = None if path is None else _read_kept(path, origin)
    except (OSError, TrustError) as wrong:
        raise ConfigError(
            f"{path}: what was known of revoked certificates cannot be read: {wrong}. Going on without would "
            "believe them again; put a backup there, or remove the file to start with what the broker has"
        ) from wrong
    if kept is not None and kept.network != first.network:
        kept = None
    return TrustStore(kept or first, issuers, path=path, origin=origin, now_ms=now_ms)


def _read_kept(path: Path, origin: bytes) -> Standing | None:
    if not path.exists():
        return None
    data = path.read_bytes()
    if not data.startswith(_MAGIC) or len(data) < len(_MAGIC) + _ORIGIN_BYTES:
        raise TrustError("it is damaged")
    body = data[len(_MAGIC) :]
    if body[:_ORIGIN_BYTES] != origin:
        log.warning("%s is of another root.pem: trust begins anew", path)
        return None
    return parse_standing(body[_ORIGIN_BYTES:])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f".{path.name}.lock")
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(lock, flags, _FILE_MODE), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and on the disk before it counts."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(beside, flags, _FILE_MODE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
