"""What roaming asks of the session that it keeps linked, and what the end of a link is called."""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

import trio

from choria.errors import ChoriaError, ProtocolError
from choria.wire import Error, Event

from .attachment import Attachment
from .outbox import Outgoing

log = logging.getLogger(__name__)

LAST_WORDS_S: Final = 1.0


class Guest(Protocol):
    """What roaming asks of the session that it keeps linked."""

    def subscriptions(self, link: int) -> list[Outgoing]:
        """What to say first on a new link."""
        ...

    async def take(self, event: Event, link: int) -> None:
        """An event of the present link."""
        ...

    def refused(self, error: Error, frame: Outgoing | None) -> None:
        """An ERROR about a frame of ours."""
        ...

    def link_lost(self, receipts_asked: set[int]) -> None:
        """The present link has ended."""
        ...


async def last_words(attachment: Attachment, error: ProtocolError) -> None:
    """Tell the broker why we leave, if it takes that without delay."""
    with trio.move_on_after(LAST_WORDS_S):
        try:
            await attachment.say_goodbye(error.reason, str(error)[:200])
        except (ChoriaError, OSError):
            log.debug("the broker did not hear why we left")


def first_of(group: BaseExceptionGroup[Any]) -> Any:
    """The first leaf: when a link ends its tasks report the same end."""
    error: Any = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def text_of(error: BaseException) -> str:
    """What the operator reads of an error."""
    if isinstance(error, ProtocolError):
        return f"{error.reason.name.lower().replace('_', ' ')}: {error}"
    return str(error) or type(error).__name__
