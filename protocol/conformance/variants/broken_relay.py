"""Relays that are wrong in one thing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from variant import Variant, replaced

from choria.federation import Direction, Window, relay
from choria.federation.window import Seen

_relay = partial(Variant, profile="relay")


def _anywhere(self: Any, subject: str) -> str:
    """The subject beyond, whoever may publish there."""
    del self
    return subject.split("/", 2)[2] if subject.startswith("federation/") else subject


async def _no_answer(self: Any, message: Any, indices: Any, receipt: Any) -> None:
    """Nobody is told what the far network counted."""


def _headers_lost() -> Callable[[], None]:
    """A request goes over without the headers that it came with."""
    right = relay.split_tail

    def bare(tail: bytes) -> Any:
        whole = right(tail)
        return type(whole)(whole.reply, {}, whole.payload)

    return replaced(relay, "split_tail", bare)


VARIANTS = (
    _relay("what was forwarded is forwarded again", requirement="CWP-14.3-3",
           apply=replaced(Window, "take", lambda self, key, asker, now: Seen.NEW),
           cases=("relay/carrying/once-within-300-s",)),
    _relay("a third network is reached through it", requirement="CWP-14.3-9",
           apply=replaced(Direction, "_beyond", _anywhere),
           cases=("relay/carrying/not-to-a-third-network", "relay/carrying/publishes-nothing-beyond-the-table")),
    _relay("the prefix of federation stays", requirement="CWP-14.3-1",
           apply=replaced(Direction, "_beyond", lambda self, subject: subject),
           cases=("relay/carrying/a-request-goes-over",)),
    _relay("receipts are not passed back", requirement="CWP-6.12-4",
           apply=replaced(Direction, "_answer", _no_answer),
           cases=("relay/carrying/receipt", "relay/carrying/receipt-in-time-although-none-came")),
    _relay("headers are lost on the way", requirement="CWP-6.12-3", apply=_headers_lost(),
           cases=("relay/carrying/a-request-goes-over",)),
)  # fmt: skip
