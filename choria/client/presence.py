"""Who is connected and who has left, as the broker tells it: the names behind a receipt's count."""

from __future__ import annotations

import trio

from choria.errors import ChoriaError
from choria.messages import (
    PresenceEntry,
    PresenceKind,
    PresencePage,
    PresenceQuery,
    decode_page,
    encode_query,
    federation_subject,
    parse_reply_subject,
    presence_subject,
)
from choria.net import Incoming

from .caller import Caller

PAGE_TIMEOUT_S = 2.0
PAGE_QUEUE_BYTES = 1 << 20
MAX_PAGES = 1_000


async def ask_presence(
    caller: Caller, kind: PresenceKind, *, network: str, collective: str
) -> list[PresenceEntry] | None:
    """Return the broker's entries, or None when it did not answer in time. Cancel-safe.

    The answer is link-graded: a broker that lies about presence could as well drop messages.
    """
    entries: list[PresenceEntry] = []
    after = ""
    for _ in range(MAX_PAGES):
        page = await _ask_page(caller, kind, after, network, collective)
        if page is None:
            return None
        entries += page.entries
        after = page.next
        if not after:
            return entries
    return entries


async def _ask_page(
    caller: Caller, kind: PresenceKind, after: str, network: str, collective: str
) -> PresencePage | None:
    # A query of its own for each page, and its id is the token that the answer comes on: CWP-13.8-7
    query = PresenceQuery(request_id=caller.new_id(), kind=kind, after=after)
    subject = presence_subject(collective)
    if network != caller.session.network:
        subject = federation_subject(network, subject)
    with caller.session.open_replies(query.request_id.hex(), max_bytes=PAGE_QUEUE_BYTES) as replies:
        with trio.move_on_after(PAGE_TIMEOUT_S):
            prefix = caller.prefix(collective, query.request_id)
            await caller.session.publish((subject,), encode_query(query), reply=prefix)
            async for incoming in replies:
                if page := _page(incoming, query, network, caller):
                    return page
    return None


def _page(
    incoming: Incoming, query: PresenceQuery, network: str, caller: Caller
) -> PresencePage | None:
    """Only the broker that we talk to may speak for our own network. CWP-13.8-8."""
    try:
        spoken = parse_reply_subject(incoming.subject)
        page = decode_page(incoming.payload)
    except ChoriaError:
        return None  # junk on our reply subject answers nothing; the time-out says so
    ours = network == caller.session.network
    if spoken.network != network or (ours and spoken.identity != caller.session.broker):
        return None
    return page if page.request_id == query.request_id and page.kind == query.kind else None
