"""What a session has heard of trust objects: the mark of its last WELCOME, or newer news."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import trio

from choria.errors import MessageError
from choria.messages import decode_trust_news, trust_subject
from choria.wire import TrustMark

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What to fetch, at some moment of the next ``within_s`` seconds. Each hearing is another one."""

    mark: TrustMark
    within_s: float = 0.0


class TrustEar:
    """Listens for one session.

    Attributes:
        heard: The latest; None while no broker has told of any.
    """

    def __init__(self, network: str) -> None:
        self.heard: Heard | None = None
        self._subject = trust_subject(network)
        self._changed = trio.lowlevel.ParkingLot()

    def welcomed(self, mark: TrustMark | None) -> None:
        """A broker said what it has, or nothing: then what was heard of the last one is void."""
        self._hear(None if mark is None else Heard(mark))

    def took(self, subject: str, payload: bytes) -> bool:
        """Whether a message was news. Only a broker publishes there (CWP-20.2-5)."""
        if subject != self._subject:
            return False
        try:
            news = decode_trust_news(payload)
        except MessageError as wrong:
            log.warning("news of trust that cannot be read: %s", wrong)
        else:
            self._hear(Heard(news.mark, news.within_ms / 1000))
        return True

    async def wait(self, known: Heard | None) -> None:
        """Wait until something else than ``known`` was heard. Cancel-safe."""
        await trio.lowlevel.checkpoint()
        while self.heard is known:
            await self._changed.park()

    def _hear(self, heard: Heard | None) -> None:
        self.heard = heard
        self._changed.unpark_all()
