"""Credentials that are taken up again when their files change: no restart, no link dropped (CWP-18.8-2).

Theory of operation. The files are looked at every few seconds, and at once on ``look_now`` (SIGHUP).
When one changed, all are read in a thread; only a set that fits together and is of the same principal
counts, anything else is complained about once and changes nothing. What others hold on to, the issuers
and the signer, is changed in place; TLS contexts are never changed but made anew (F4), by whoever
needs one, from ``current``. Links that are there keep theirs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import trio

from choria.errors import ConfigError, TrustError
from choria.trust import IssuerKind, Issuers

from .credentials import Credentials

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
_TRUST_NAMES: Final = ("root.pem", "brokers.pem", "nodes.pem", "clients.pem", "logins.pem")

State = tuple[tuple[int, ...], ...]


class LiveCredentials:
    """Holds the credentials in force.

    Args:
        first: As they were read at the start.
        load: Reads them again from their files; raises ConfigError and TrustError.

    Attributes:
        current: In force now. ``issuers`` and ``signer`` are the same objects for ever.
    """

    def __init__(self, first: Credentials, load: Callable[[], Credentials]) -> None:
        self.current = first
        self._load = load
        self._files = [first.certificate_file, first.key_file, *_trust_files(first)]
        self._seen = self._state()
        self._anchors = first.issuers.anchors
        self._listeners: list[Callable[[Credentials], object]] = []
        self._look = trio.Event()
        self._one = trio.Lock()

    def on_change(self, listener: Callable[[Credentials], object]) -> None:
        """Call ``listener`` with what is in force after each change, in the loop."""
        self._listeners.append(listener)

    def look_now(self) -> None:
        """Do not wait for the next look."""
        self._look.set()

    async def run(self) -> None:
        """Look at the files for ever. Cancel-safe: what is in force stays."""
        while True:
            await self.refresh()
            with trio.move_on_after(LOOK_EVERY_S):
                await self._look.wait()
            self._look = trio.Event()

    async def swap(self, write: Callable[[], object]) -> bool:
        """Have ``write`` change the files in a thread, unseen half-way, and take them up.

        Cancelling waits for ``write``; what it wrote is taken up later.

        Returns:
            Whether anything changed.

        Raises:
            Exception: what ``write`` raises.
        """
        async with self._one:
            await trio.to_thread.run_sync(write)
            return await self._refresh()

    async def refresh(self) -> bool:
        """Take up what has changed; whether anything was. Cancelling changes nothing."""
        async with self._one:
            return await self._refresh()

    async def _refresh(self) -> bool:
        state = await trio.to_thread.run_sync(self._state)
        if state == self._seen and self._anchors is self.current.issuers.anchors:
            return False
        if state == self._seen:  # somebody else put other issuers in force
            self._tell()
            return True
        found, complaint = await trio.to_thread.run_sync(self._read)
        self._seen = state  # as it was before: what changes meanwhile is read again
        if found is None:
            log.error(
                "%s: the files do not fit together, nothing changes: %s",
                self.current.folder,
                complaint,
            )
            return False
        self._adopt(found)
        log.info("%s was read again: %s", self.current.folder, self.current.principal.label)
        self._tell()
        return True

    def _adopt(self, found: Credentials) -> None:
        ours = self.current
        if self._anchors is ours.issuers.anchors:
            # Else the network's own word on its issuers came after the files were read: it rules.
            _adopt_issuers(ours.issuers, found.issuers)
        ours.signer.become(found.signer)
        self.current = replace(
            found, issuers=ours.issuers, signer=ours.signer, revocation_file=ours.revocation_file
        )

    def _tell(self) -> None:
        self._anchors = self.current.issuers.anchors
        for listener in self._listeners:
            listener(self.current)

    def _read(self) -> tuple[Credentials | None, str]:
        try:
            found = self._load()
        except (ConfigError, TrustError) as wrong:
            return None, str(wrong)
        ours, theirs = self.current.principal, found.principal
        if (ours.network, ours.role, ours.name) != (theirs.network, theirs.role, theirs.name):
            return None, f"they belong to {theirs.label} now: that needs a restart"
        try:
            found.member_context()  # OpenSSL must take them too
        except ConfigError as wrong:
            return None, str(wrong)
        return found, ""

    def _state(self) -> State:
        return tuple(_state_of(path) for path in self._files)


def _adopt_issuers(ours: Issuers, theirs: Issuers) -> None:
    if [each.certificate for each in ours.anchors] == [each.certificate for each in theirs.anchors]:
        return
    if any(each.kind is None for each in theirs.anchors):
        log.warning("Puppet's CA certificates changed: they count after a restart")
        return
    ours.adopt(
        {
            kind: [
                each.certificate for each in theirs.anchors if each.kind is kind and not each.logins
            ]
            for kind in IssuerKind
        },
        [each.certificate for each in theirs.anchors if each.logins],
    )


def _trust_files(credentials: Credentials) -> list[Path]:
    return [credentials.folder / "trust" / name for name in _TRUST_NAMES]


def _state_of(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
