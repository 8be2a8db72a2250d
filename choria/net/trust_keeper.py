"""Keeps a member's trust at what its broker has, while a session lives (CWP-20.2).

What a broker says is only where to look: an object counts when the store has proved it. So a broker
that lies costs its member some fetches and nothing else, and these are spaced.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Final

import trio

from choria.errors import ChoriaError, LinkLost, TrustError
from choria.messages import (
    TrustPage,
    TrustQuery,
    decode_trust_page,
    encode_trust_query,
    parse_reply_subject,
    reply_prefix,
    trust_subject,
)
from choria.trust import MAX_OBJECT_BYTES, digest_of
from choria.wire import TrustMark

from .replies import Incoming
from .trust_store import TrustStore

if TYPE_CHECKING:
    from random import Random  # noqa: TID251  # the type only

    from .session import Session

log = logging.getLogger(__name__)

PAGE_WITHIN_S: Final = 5.0
LOOK_EVERY_S: Final = 3600.0
"""For lists that are overdue; news come by themselves."""
RETRY_S: Final = (5.0, 60.0)
_QUEUE_BYTES: Final = 1 << 20
_BEGINNINGS: Final = 3  # another object may come while one is fetched


class _Gathered:
    """Pages of one object; begun again when it has become another."""

    def __init__(self, digest: bytes, size: int) -> None:
        self.digest = digest
        self.size = size
        self.data = bytearray()
        self._beginnings = 1

    @property
    def whole(self) -> bool:
        """Whether every byte is there."""
        return len(self.data) >= self.size

    def add(self, page: TrustPage) -> None:
        """Take a page. Raises LinkLost when this leads nowhere."""
        if (page.digest, page.size) != (self.digest, self.size):
            self._begin(page)
        if page.offset != len(self.data) or not page.data or self.size > MAX_OBJECT_BYTES:
            raise LinkLost("a page of it is empty, or not the one that was asked for")
        self.data += page.data

    def _begin(self, page: TrustPage) -> None:
        self._beginnings += 1
        if self._beginnings > _BEGINNINGS:
            raise LinkLost("it changed with every page")
        self.digest, self.size, self.data = page.digest, page.size, bytearray()


class TrustKeeper:
    """One session's. Run it beside whatever the session is for.

    Args:
        session: Fetches through it.
        store: Proves, keeps and puts in force.
        collective: Where answers come.
        rng: Spreads a fleet's fetches.
    """

    def __init__(
        self, session: Session, store: TrustStore, *, collective: str, rng: Random
    ) -> None:
        self._session = session
        self._store = store
        self._collective = collective
        self._rng = rng

    async def run(self) -> None:
        """Follow what the broker has. Runs until cancelled; cancelling keeps what is in force."""
        await self._session.subscribe(trust_subject(self._session.network))
        while True:
            self._store.warn()
            heard = self._session.trust_heard
            if heard is None or not self._store.wants(heard.mark):
                with trio.move_on_after(LOOK_EVERY_S):
                    await self._session.wait_trust_heard(heard)
                continue
            await trio.sleep(self._rng.uniform(0.0, heard.within_s))
            if not await self.follow():
                await trio.sleep(self._rng.uniform(*RETRY_S))

    async def follow(self) -> bool:
        """Fetch what the broker has if it may be newer, once. Cancelling leaves what was in force.

        Returns:
            False when it could not be fetched. What is wrong with an object is logged.
        """
        heard = self._session.trust_heard
        if heard is None or not self._store.wants(heard.mark):
            return True
        try:
            data = await self._fetch(heard.mark)
        except ChoriaError as error:
            log.warning("the broker's trust object could not be fetched: %s", error)
            return False
        if data:
            await self._take(data)
        return True

    async def _take(self, data: bytes) -> None:
        refused = await trio.to_thread.run_sync(self._refusal, data, self._store.now_ms())
        if refused is not None:
            broker = self._session.broker
            log.error("the trust object of broker %s is refused: %s", broker, refused)

    def _refusal(self, data: bytes, now_ms: int) -> TrustError | None:
        try:
            self._store.take(data, now_ms)
        except TrustError as refused:
            return refused
        return None

    async def _fetch(self, mark: TrustMark) -> bytes:
        """The whole object, which has the digest that the broker says it has now (CWP-20.2-7)."""
        gathered = _Gathered(mark.digest, mark.size)
        while not gathered.whole:
            page = await self._page(gathered.digest, len(gathered.data))
            if not page.size:
                return b""  # there is none any more
            gathered.add(page)
        if digest_of(bytes(gathered.data)) != gathered.digest:
            raise LinkLost("its bytes are not those of its digest")
        return bytes(gathered.data)

    async def _page(self, digest: bytes, offset: int) -> TrustPage:
        query = TrustQuery(request_id=secrets.token_bytes(16), digest=digest, offset=offset)
        session = self._session
        own = (session.network, session.inbox, session.session_hex)
        prefix = reply_prefix(self._collective, *own, query.request_id.hex())
        with session.open_replies(query.request_id.hex(), max_bytes=_QUEUE_BYTES) as replies:
            with trio.move_on_after(PAGE_WITHIN_S):
                subject = trust_subject(session.network)
                await session.publish((subject,), encode_trust_query(query), reply=prefix)
                async for incoming in replies:
                    page = self._page_of(incoming, query)
                    if page is not None:
                        return page
        raise LinkLost(f"no answer within {PAGE_WITHIN_S:g} s")

    def _page_of(self, incoming: Incoming, query: TrustQuery) -> TrustPage | None:
        """A page of our own broker's, or None for anything else (CWP-13.8-8)."""
        try:
            spoken = parse_reply_subject(incoming.subject)
            page = decode_trust_page(incoming.payload)
        except ChoriaError:
            return None  # junk on our reply subject answers nothing; the time-out says so
        ours = (self._session.network, self._session.broker)
        if (spoken.network, spoken.identity) != ours or page.request_id != query.request_id:
            return None
        return page
