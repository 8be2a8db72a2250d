"""A file of revocation lists, read again when it changes: for new sessions and requests, no restart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import trio

from choria.errors import TrustError
from choria.trust import RevocationList, Revocations

log = logging.getLogger(__name__)

RELOAD_EVERY_S: Final = 10.0


class RevocationFile:
    """Keeps :class:`Revocations` at what a file says.

    Args:
        path: The file, in PEM. What cannot be read changes nothing: the lists known stay in force.
        revocations: What to keep up to date.
        parse: From the file's bytes to lists; raises TrustError.
        now_ms: Wall clock, milliseconds.
    """

    def __init__(
        self,
        path: Path,
        revocations: Revocations,
        parse: Callable[[bytes], Sequence[RevocationList]],
        now_ms: Callable[[], int],
    ) -> None:
        self.path = path
        self._revocations = revocations
        self._parse = parse
        self._now_ms = now_ms
        self._seen = self._state()
        self._look = trio.Event()
        self._overdue: tuple[str, ...] = ()

    def look_now(self) -> None:
        """Do not wait for the next look."""
        self._look.set()

    def refresh_now(self) -> bool:
        """Read the file if it changed; say so when a list is overdue. Blocks.

        Returns whether lists were put in force.
        """
        taken = False
        state = self._state()
        if state != self._seen:
            taken = self._read()
            self._seen = state
        overdue = self._revocations.overdue(self._now_ms())
        if overdue != self._overdue:  # each text names the days, so that it is said once a day
            for text in overdue:
                log.warning("%s: %s", self.path, text)
        self._overdue = overdue
        return taken

    async def run(self, changed: Callable[[], object] | None = None) -> None:
        """Look at the file every 10 s, in a thread. Runs until cancelled.

        Args:
            changed: Called in the loop after lists were put in force.
        """
        while True:
            if await trio.to_thread.run_sync(self.refresh_now) and changed is not None:
                changed()
            with trio.move_on_after(RELOAD_EVERY_S):
                await self._look.wait()
            self._look = trio.Event()

    def _read(self) -> bool:
        try:
            complaints = self._revocations.replace(self._parse(self.path.read_bytes()))
        except (OSError, TrustError) as wrong:
            complaints, taken = (f"the lists known stay in force: {wrong}",), False
        else:
            taken = True
            log.info("%s was read again", self.path)
        for complaint in complaints:
            log.error("%s: %s", self.path, complaint)
        return taken

    def _state(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)
