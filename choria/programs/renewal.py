"""A node renews its certificate by itself, at the door, before it ends (CWP-18.7).

Theory of operation. A new pair is asked for in time, written beside the old one, put in force, and the
session moves to a link under it. Only when a broker has welcomed that is the old pair dropped; when
one refuses it, the old pair is put back. A process that dies anywhere in between goes on at its next
start with whichever pair is whole.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from choria.errors import ConfigError, EnrolError, LinkLost, TrustError
from choria.net import (
    Credentials,
    LiveCredentials,
    Session,
    Succession,
    Successor,
    anchors_in,
    forget_previous,
    has_previous,
    life_of,
    new_succession,
    renew,
    roll_back,
    swap_in,
    wall_clock_ms,
    write_trust,
)
from choria.trust import IssuerKind, parse_certificate

from .live import OwnLink

if TYPE_CHECKING:
    from random import Random  # noqa: TID251  # the type only

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
AGAIN_AFTER_S = 60.0
AGAIN_AT_MOST_S = 6 * 3600.0
PROVED_WITHIN_S = 120.0


@attrs.define(eq=False)
class Renewals:
    """Renews one node's certificate.

    Attributes:
        live: What is in force.
        session: Ours.
        link: Moves it to a link under the new certificate.
        doors: Where it is asked for, ``host:port`` each.
        spread_s: Each renewal waits a random part of this, so that a fleet does not come at once.
        rng: For that.
    """

    live: LiveCredentials
    session: Session
    link: OwnLink
    doors: Sequence[str]
    spread_s: float
    rng: Random
    _asked_of: bytes = b""
    _pause_s: float = AGAIN_AFTER_S

    async def run(self) -> None:
        """Renew in time, for ever. Cancel-safe at every moment: one of the pairs is in force."""
        await self._settle()
        while True:
            await self._wait_until_due()
            await trio.sleep(self.spread_s * self.rng.random())
            succession = new_succession(self.live.current)
            while not await self._attempt(succession):
                await trio.sleep(self._pause_s * (0.5 + self.rng.random()))
                self._pause_s = min(AGAIN_AT_MOST_S, 2 * self._pause_s)
            self._pause_s = AGAIN_AFTER_S

    async def _wait_until_due(self) -> None:
        due_ms = life_of(self.live.current.certificate_der).renew_at_ms(self.rng)
        certificate = self.live.current.certificate_der
        while wall_clock_ms() < due_ms and not self._other_issuer_signs():
            await trio.sleep(LOOK_EVERY_S)
            if self.live.current.certificate_der != certificate:  # somebody else renewed it
                certificate = self.live.current.certificate_der
                due_ms = life_of(certificate).renew_at_ms(self.rng)

    def _other_issuer_signs(self) -> bool:
        """Whether another issuer stands first than ours; asked for once, the door may not know yet."""
        ours = self.live.current
        nodes = [each for each in ours.issuers.anchors if each.kind is IssuerKind.NODES]
        first = nodes[0].public_key
        if first == self._asked_of:
            return False
        if ours.issuers.examine(ours.certificate_der).issuer.public_key == first:
            return False
        self._asked_of = first
        return True

    async def _attempt(self, succession: Succession) -> bool:
        ours = self.live.current
        if ours.certificate_der != succession.certificate:
            return True  # somebody else renewed it
        try:
            anchors = await trio.to_thread.run_sync(anchors_in, ours.folder)
            answer = await renew(self.doors, succession, anchors, ours.issuers, wall_clock_ms)
            await self.live.swap(partial(_write, ours, answer, succession))
        except (EnrolError, ConfigError, TrustError) as why:
            self._complain(ours, why)
            return False
        return await self._prove()

    async def _prove(self) -> bool:
        """Log in with the new pair; go back to the old one when that fails (CWP-18.7-8)."""
        try:
            await self.link.follow()
        except LinkLost as lost:
            log.error("the new certificate does not log in, the old one is put back: %s", lost)  # noqa: TRY400
            await self.live.swap(partial(roll_back, self.live.current.folder))
            return False
        await trio.to_thread.run_sync(forget_previous, self.live.current.folder)
        log.info("renewed: %s", life_text(self.live.current))
        return True

    async def _settle(self) -> None:
        """A pair that was put in force and never proved, by a process that died: prove it now."""
        folder = self.live.current.folder
        if not await trio.to_thread.run_sync(has_previous, folder):
            return
        with trio.move_on_after(PROVED_WITHIN_S):
            await self.session.wait_connected()
            await trio.to_thread.run_sync(forget_previous, folder)
            return
        if "refused" in self.session.last_error:
            log.error(
                "the renewed certificate does not log in, the old one is put back: %s",
                self.session.last_error,
            )
            await self.live.swap(partial(roll_back, folder))

    def _complain(self, ours: Credentials, why: Exception) -> None:
        warning = life_of(ours.certificate_der).warning(wall_clock_ms())
        level = logging.ERROR if warning else logging.WARNING
        log.log(
            level,
            "the certificate could not be renewed%s: %s",
            f", and it {warning}" if warning else "",
            why,
        )


def _write(ours: Credentials, answer: Successor, succession: Succession) -> None:
    write_trust(ours.folder, answer.anchors)
    swap_in(ours.folder, parse_certificate(answer.certificate), succession.key)


def life_text(credentials: Credentials) -> str:
    """Until when a certificate holds, for the log."""
    days = (life_of(credentials.certificate_der).ends_ms - wall_clock_ms()) / 86_400_000
    return f"the certificate of {credentials.principal.label} holds for {days:.1f} days"
