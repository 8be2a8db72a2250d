"""A running program keeps up with its own files: certificate, key, trust (CWP-18.8-2)."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from contextlib import suppress

import trio

from choria.errors import LinkLost
from choria.net import Credentials, LiveCredentials, Session, life_of, wall_clock_ms

log = logging.getLogger(__name__)

WARN_EVERY_S = 12 * 3600.0


async def keep_up(
    live: LiveCredentials, *, warns: bool = True, also: Callable[[], object] | None = None
) -> None:
    """Look at the files of ``live``, on SIGHUP at once. Runs until cancelled.

    Args:
        live: What to keep up.
        also: Called on SIGHUP as well, for what else is read again.
        warns: Say loudly when the certificate ends soon; a node that renews itself says so when it cannot.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(live.run)
        nursery.start_soon(_look_on_hangup, live, also)
        if warns:
            nursery.start_soon(_warn, live)


async def _look_on_hangup(live: LiveCredentials, also: Callable[[], object] | None) -> None:
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        async for _ in signals:
            log.info("SIGHUP: looking at %s", live.current.folder)
            live.look_now()
            if also is not None:
                also()


async def _warn(live: LiveCredentials) -> None:
    while True:
        warn_of_end(live.current)
        await trio.sleep(WARN_EVERY_S)


def warn_of_end(credentials: Credentials, level: int = logging.WARNING) -> None:
    """Say loudly that a certificate ends soon, and what to do about it."""
    if warning := life_of(credentials.certificate_der).warning(wall_clock_ms()):
        log.log(
            level,
            "the certificate of %s %s: %s",
            credentials.principal.label,
            warning,
            how_to_renew(credentials),
        )


def how_to_renew(credentials: Credentials) -> str:
    """What a person does about a certificate that ends."""
    return f"`choria-trio ca renew {credentials.folder} --ca DIR` where the CA is"


class OwnLink:
    """A session whose link bears the certificate that is in force.

    Args:
        live: What is in force.
        session: Opened with it.
    """

    def __init__(self, live: LiveCredentials, session: Session) -> None:
        self._live = live
        self._session = session
        self._bears = live.current.certificate_der
        self._one = trio.Lock()
        self._send, self._receive = trio.open_memory_channel[None](1)
        live.on_change(self._changed)

    async def follow(self) -> None:
        """Move to a link under the certificate in force, if the present one is under another.

        Cancel-safe: the present link stays.

        Raises:
            LinkLost: there is no such link yet, and why.
        """
        async with self._one:
            wanted = self._live.current.certificate_der
            if wanted != self._bears:
                await self._session.move()
                self._bears = wanted

    async def run(self) -> None:
        """Follow whenever the files have changed. Runs until cancelled."""
        async for _ in self._receive:
            try:
                await self.follow()
            except LinkLost as lost:
                log.warning("no link with the new certificate yet: %s", lost)

    def _changed(self, _: Credentials) -> None:
        with suppress(trio.WouldBlock):  # then it is on its way already
            self._send.send_nowait(None)


def live_credentials(load: Callable[[], Credentials]) -> LiveCredentials:
    """Credentials that ``load`` reads now, and again whenever their files change.

    Raises:
        ConfigError, TrustError: as ``load``.
    """
    return LiveCredentials(load(), load)
