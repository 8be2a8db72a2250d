"""Moving a session to a new link to the same broker: make before break.

``Moves`` is where a session asks; a ``Mover`` beside the present link serves it: it opens a second
link, and only when that one was welcomed retires the first, which stays until the broker has judged
the subscriptions of the second: no broadcast falls between them (CWP-18.7-10). A failure leaves the first as it is and
is told to whoever asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from choria.errors import ChoriaError, LinkLost

from .attachment import Attachment, Farewell
from .guest import text_of

DRAIN_S: Final = 5.0
"""For what the broker still had for the link before; it says GOODBYE much sooner."""

SETTLE_S: Final = 5.0
"""For the new link's subscriptions to be judged; with the above the 10 s of CWP-10.3-5."""


@dataclass(slots=True, eq=False)
class _Wish:
    within_s: float
    done: trio.Event = field(default_factory=trio.Event)
    failure: str = ""


class Moves:
    """One wish at a time, from the session to the link that is there."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[_Wish](0)
        self._one = trio.Lock()

    async def ask(self, within_s: float) -> None:
        """Wish to move and wait until it is done. Cancel-safe.

        Raises:
            LinkLost: it was not, with the reason.
        """
        async with self._one:
            wish = _Wish(within_s)
            with trio.move_on_after(2 * within_s):
                await self._send.send(wish)
                await wish.done.wait()
                if not wish.failure:
                    return
            raise LinkLost(wish.failure or "the link was lost before it could be moved")

    async def next(self) -> _Wish:
        """The next wish. Cancel-safe."""
        return await self._receive.receive()


@dataclass(slots=True, eq=False)
class Mover:
    """Serves wishes for one link.

    Attributes:
        following: The link that came after, welcomed; None while there is none.
    """

    moves: Moves
    open_another: Callable[[], Awaitable[Attachment]]
    present: Attachment
    following: Attachment | None = None

    async def run(self) -> None:
        """Serve wishes until one came true. Cancelling closes a link that is being opened."""
        while True:
            wish = await self.moves.next()
            wish.failure = "the link was lost"  # unless more is known
            try:
                wish.failure = await self._serve(wish)
            finally:
                wish.done.set()
            if self.following is not None:
                return

    async def _serve(self, wish: _Wish) -> str:
        try:
            with trio.move_on_after(wish.within_s):
                self.following = await self.open_another()
                self.present.retire()
                return ""
        except Farewell as farewell:
            goodbye = farewell.goodbye
            return f"{goodbye.reason.name.lower().replace('_', ' ')}: {goodbye.text}"
        except (ChoriaError, trio.TooSlowError, OSError) as error:
            return text_of(error)
        return f"no WELCOME within {wish.within_s:g} s"
