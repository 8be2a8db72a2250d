"""A trust object as a file: what a broker hands on, read again when it changes (CWP-20.2-1)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from choria.errors import TrustError
from choria.trust import MAX_OBJECT_BYTES, OlderTrust, digest_of
from choria.wire import TrustMark

from .trust_store import TrustStore

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 2.0

Offer = Callable[[TrustMark, bytes], object]


class TrustFile:
    """Puts a file's object in force, and offers it to members.

    Args:
        path: The file; it may come later. What cannot be used changes nothing.
        store: Proves the object and puts it in force.
        offer: Gets each object that was accepted, with its mark.
    """

    def __init__(self, path: Path, store: TrustStore, offer: Offer) -> None:
        self.path = path
        self._store = store
        self._offer = offer
        self._seen: tuple[int, ...] = ()
        self._look = trio.Event()

    def look_now(self) -> None:
        """Do not wait for the next look."""
        self._look.set()

    async def refresh(self) -> bool:
        """Read the file if it has changed; whether an object was accepted. Cancel-safe."""
        self._store.warn()
        state = self._state()
        if state in (self._seen, ()):
            return False
        self._seen = state  # as it was before: what changes meanwhile is read again
        data, complaint = await trio.to_thread.run_sync(self._read, self._store.now_ms())
        if data is None:
            log.error("%s: the trust known stays in force: %s", self.path, complaint)
            return False
        number = self._store.standing.number
        self._offer(TrustMark(*number, digest_of(data), len(data)), data)
        log.info("%s: trust %s is handed on to members", self.path, number)
        return True

    async def run(self) -> None:
        """Look every 2 s for ever. Cancel-safe: what is in force stays."""
        while True:
            await self.refresh()
            with trio.move_on_after(LOOK_EVERY_S):
                await self._look.wait()
            self._look = trio.Event()

    def _read(self, now_ms: int) -> tuple[bytes | None, str]:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_OBJECT_BYTES + 1)
            self._store.take(data, now_ms)
        except OlderTrust as older:
            return None, f"{older}; has a copy of an old backup been put there?"
        except (OSError, TrustError) as wrong:
            return None, str(wrong)
        return data, ""

    def _state(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)
