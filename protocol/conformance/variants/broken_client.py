"""Clients that are wrong in one thing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from variant import Variant, replaced

from choria.client import answers, exchange
from choria.net import connector, roaming
from choria.trust import cose


def _replacing() -> Callable[[], None]:
    """A later answer of a node takes the place of its first."""
    right = exchange.Exchange._believe  # noqa: SLF001

    def newest(self: Any, answer: Any) -> None:
        again = answer.sender in self.gathered.answers
        right(self, answer)
        if again:
            self.gathered.answers[answer.sender] = answer
            self.on_answer(answer)

    return replaced(exchange.Exchange, "_believe", newest)


class _Anybody(str):
    """A name that is equal to every other."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def _any_names() -> Callable[[], None]:
    """Whoever a reply says that it is from."""
    right = answers.decode_reply

    def lax(payload: bytes) -> Any:
        reply = right(payload)
        names = {"network": _Anybody(reply.network), "sender": _Anybody(reply.sender)}
        return msgspec.structs.replace(reply, **names)

    return replaced(answers, "decode_reply", lax)


_client = partial(Variant, profile="client")

VARIANTS = (
    _client("an unsigned reply is believed", requirement="CWP-13.5-2",
            apply=replaced(answers, "may_be_unsigned", lambda reply, request: True),
            cases=("client/replies/dropped/unsigned",)),
    _client("the request's hash is not compared", requirement="CWP-13.5-3",
            apply=replaced(answers, "_check_request", lambda reply, pending: None),
            cases=("client/replies/dropped/another-request-s-hash",)),
    _client("sender and network are not compared", requirement="CWP-13.5-3",
            apply=_any_names(),
            cases=("client/replies/dropped/another-sender", "client/replies/dropped/another-network")),
    _client("replies' signatures are not verified", requirement="CWP-13.3-6",
            apply=replaced(cose.Opened, "verify", lambda self, key, external_aad: None),
            cases=("client/replies/dropped/signed-as-a-request",)),
    _client("a second reply replaces the first", requirement="CWP-13.5-4",
            apply=_replacing(),
            cases=("client/replies/a-second-reply-replaces-nothing", "client/replies/a-node-that-was-not-asked")),
    _client("WELCOME is not checked", requirement="CWP-6.2-3",
            apply=replaced(roaming.Roaming, "_check_welcome", lambda self, link, welcome: None),
            cases=("client/calls/welcome/another-network",)),
    _client("ALPN is not checked", requirement="CWP-3-3",
            apply=replaced(connector.TlsSteps, "alpn", lambda self: "cwp/1"),
            cases=("client/calls/broker/without-alpn",)),
)  # fmt: skip
