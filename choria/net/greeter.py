"""Strangers: from accept to WELCOME, each a Trio task with one deadline for everything.

What is rationed is the *step* of a handshake, so that messages pass between a few of them, not the
stranger: a slow one holds memory, never a place (E7; see `Ration`). Whatever goes wrong is logged with its reason, counted, and told to the stranger: by TLS's own alert before
the handshake is done, by GOODBYE after it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from choria.errors import Reason
from choria.wire import Link

from .lobby import Guest, Lobby
from .ration import Ration
from .sockets import Arrival
from .stranger import Door, Refused, Stranger

if TYPE_CHECKING:
    from .pump import Pump

log = logging.getLogger(__name__)

STEPS_AT_ONCE: Final = 4
"""How many steps of handshakes the pump waits for at most, 3 ms."""
_LAST_WORDS_S: Final = 1.0


class Greeter:
    """Makes members of strangers, or says why not.

    Attributes:
        door: May be replaced; strangers who come later meet the new one.
        refusals: How many strangers were refused, by reason.
        welcomed: How many were handed to the pump.
    """

    def __init__(self, pump: Pump, door: Door, new_link: Callable[[], Link]) -> None:
        self.door = door
        self.refusals: Counter[Reason] = Counter()
        self.welcomed = 0
        self._pump = pump
        self._new_link = new_link
        self._lobby = Lobby(door.places)
        self._ration = Ration(STEPS_AT_ONCE)
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many strangers there are now."""
        return len(self._lobby)

    async def greet(self, stream: trio.SocketStream) -> None:
        """Handler of one accepted connection. Cancelling closes it without a word."""
        try:
            stranger = Stranger(stream.socket, self.door, self._ration, self._new_link())
        except OSError:  # it left before we looked
            await trio.aclose_forcefully(stream)
            return
        try:
            await self._decide(stranger)
        except Exception:  # a bug with one stranger must not stop the broker
            log.exception("greeting %s failed", stranger.address)
        finally:
            stream.socket.close()

    def close(self) -> None:
        """Refuse everybody who waits and who still comes: the broker stops."""
        self._closed = True
        for guest in self._lobby.everybody():
            guest.evict("the broker stops")

    async def _decide(self, stranger: Stranger) -> None:
        try:
            await self._within_deadline(stranger)
        except Refused as refused:
            self.refusals[refused.reason] += 1
            reason = refused.reason.name.lower().replace("_", " ")
            log.warning("stranger at %s refused: %s: %s", stranger.address, reason, refused)
            with trio.move_on_after(_LAST_WORDS_S):
                await stranger.send_away(refused)

    async def _within_deadline(self, stranger: Stranger) -> None:
        scope = trio.move_on_after(stranger.link.limits.hello_within_s)
        evicted: list[str] = []

        def evict(why: str) -> None:
            evicted.append(why)
            scope.cancel()

        guest = Guest(stranger.address, evict)
        self._lobby.enter(guest)
        try:
            with scope:
                if self._closed:
                    evict("the broker stops")
                await self._welcome(stranger)
        finally:
            self._lobby.leave(guest)
        if scope.cancelled_caught:
            if evicted:
                raise Refused(Reason.DRAINING if self._closed else Reason.BUSY, evicted[0])
            raise Refused(Reason.TIMEOUT, f"no HELLO in time, {stranger.stage}")

    async def _welcome(self, stranger: Stranger) -> None:
        principal = await stranger.prove()
        events = await stranger.hello()
        # From here on nothing waits: the pump owns the socket, or this task does.
        arrival = Arrival(
            stranger.detach(), stranger.tls, stranger.link, principal, stranger.address,
            stranger.link_pass,
        )  # fmt: skip
        self.welcomed += 1
        self._pump.adopt(arrival, events)
