"""Nodes that are wrong in one thing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from variant import Variant, both, refuses_reserved, replaced

from choria.errors import InvalidName
from choria.messages import ReplyPrefix, parse_reply_prefix
from choria.net import attachment, connector, roaming
from choria.node import judge, pipeline
from choria.trust import ReplayGuard, Seen, cose
from choria.wire import Pong


def _without(step: Callable[..., Any]) -> Callable[[], None]:
    """The judgement without one of its steps."""
    return replaced(judge, "STEPS", tuple(each for each in judge.STEPS if each is not step))


def _swapped(one: Callable[..., Any], other: Callable[..., Any]) -> Callable[[], None]:
    """Two steps in the other order."""
    places = {one: other, other: one}
    return replaced(judge, "STEPS", tuple(places.get(each, each) for each in judge.STEPS))


def _any_prefix(reply: str | None, principal: Any) -> ReplyPrefix | None:
    try:
        return parse_reply_prefix(reply or "")
    except InvalidName:
        return None


def _always_new() -> Callable[[], None]:
    """The guard remembers nothing."""
    right = ReplayGuard.enter

    def forgetful(
        self: Any, principal: Any, request_id: bytes, message_hash: bytes, **times: Any
    ) -> Any:
        return right(self, principal, secrets.token_bytes(16), message_hash, **times)

    return both(
        replaced(ReplayGuard, "check", lambda self, *known: Seen.NEW),
        replaced(ReplayGuard, "enter", forgetful),
    )


def _no_pong() -> Callable[[], None]:
    right = attachment.Attachment._control  # noqa: SLF001

    def quiet(self: Any, frame: Any) -> None:
        if type(frame) is not Pong:
            right(self, frame)

    return replaced(attachment.Attachment, "_control", quiet)


_node = partial(Variant, profile="node")

VARIANTS = (
    _node("a replayed request is executed", requirement="CWP-13.6-9", apply=_always_new(),
          cases=("node/requests/replay/the-same-bytes", "node/requests/replay/twice-at-once")),
    _node("the time to live is ignored", requirement="CWP-13.6-6",
          apply=_without(judge.timely),
          cases=("node/requests/expired", "node/requests/expired-by-its-own-ttl")),
    _node("re-aimed requests are accepted", requirement="CWP-7.4-5",
          apply=replaced(judge, "_own_prefix", _any_prefix),
          cases=("node/requests/re-aimed/another-inbox", "node/requests/re-aimed/relayed-by-another-caller")),
    _node("requests for others are run", requirement="CWP-13.4-4", apply=_without(judge.addressed),
          cases=("node/requests/another-target", "node/requests/another-network")),
    _node("the filter comes before authorization", requirement="CWP-13.6-3",
          apply=_swapped(judge.authorized, judge.meant),
          cases=("node/requests/denied-before-the-filter",)),
    _node("signatures are not verified", requirement="CWP-13.6-1",
          apply=replaced(cose.Opened, "verify", lambda self, key, external_aad: None),
          cases=("node/signatures/shape/payload-changed", "node/signatures/shape/signature-of-zeros")),
    _node("a reply's signature passes for a request's", requirement="CWP-13.3-6",
          apply=replaced(cose.Opened, "verify", lambda self, key, external_aad: None),
          cases=("node/signatures/silent/signed-as-a-reply",)),
    _node("everything is answered by link grade", requirement="CWP-13.5-2",
          apply=replaced(pipeline, "is_link_grade", lambda end, request: True),
          cases=("node/requests/discovery-signed-when-asked",)),
    _node("reserved frames are refused", requirement="CWP-6-4", apply=refuses_reserved(),
          cases=("node/link/taken/reserved-frames",)),
    _node("PING is not answered", requirement="CWP-6.3-1", apply=_no_pong(),
          cases=("node/link/ping-is-answered",)),
    _node("WELCOME is not checked", requirement="CWP-6.2-3",
          apply=replaced(roaming.Roaming, "_check_welcome", lambda self, link, welcome: None),
          cases=("node/link/welcome/another-network", "node/link/welcome/another-broker-than-certified")),
    _node("ALPN is not checked", requirement="CWP-3-3",
          apply=replaced(connector.TlsSteps, "alpn", lambda self: "cwp/1"),
          cases=("node/link/broker/without-alpn",)),
)  # fmt: skip
