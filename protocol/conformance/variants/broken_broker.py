"""Brokers that are wrong in one thing."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import cbor2
from variant import Variant, both, refuses_reserved, replaced

from choria.broker import delivery, hub, jobs, permissions
from choria.broker.admission import Admission
from choria.broker.identities import Claim
from choria.broker.permissions import Permissions, Row, Verb
from choria.broker.receipts import PendingReceipt
from choria.broker.rights import Rights
from choria.broker.routing import Interest
from choria.errors import CodecError
from choria.net import connection, tls_steps
from choria.trust import Role
from choria.wire import Ping, Receipt, cbor, decode, fields, link, rules
from choria.wire.states import State


def _tolerates(code: str) -> Callable[[], None]:
    """The scanner overlooks one violation; what cbor2 makes of it is taken."""
    strict = cbor.scan

    def lax(data: bytes, bounds: Any) -> None:
        try:
            strict(data, bounds)
        except CodecError as error:
            if error.code != code:
                raise

    # The decoder behind the scanner is a second line of defence; it gives way too.
    loads = partial(_loads_all, cbor2.loads)  # noqa: TID251  # that is what is broken here
    decoder = SimpleNamespace(loads=loads, CBORError=cbor2.CBORError)
    return both(replaced(cbor, "scan", lax), replaced(cbor, "cbor2", decoder))


def _loads_all(loads: Callable[..., Any], data: bytes, **options: Any) -> Any:
    return loads(data, **{**options, "allow_indefinite": True, "allow_duplicate_keys": True})


def _row(**row: Any) -> Callable[[], None]:
    """One more row in the table of permissions."""
    table = (*permissions.TABLE, Row(**row))

    def apply() -> None:
        (Permissions.__init__.__kwdefaults__ or {})["table"] = table

    return apply


def _no_cap() -> Callable[[], None]:
    strict = link.read_head
    return replaced(link, "read_head", lambda data, at, most: strict(data, at, 1 << 40))


def _early_frames() -> Callable[[], None]:
    strict = link.moved

    def lax(side: Any, states: Any, kind: Any) -> Any:
        found = strict(side, states, kind)
        early = found is None and kind is Ping and State.WAITING in states
        return states if early else found

    return replaced(link, "moved", lax)


def _one_more() -> Callable[[], None]:
    honest = PendingReceipt.as_frame

    def lying(self: PendingReceipt) -> Receipt:
        true = honest(self)
        return Receipt(
            receipt_id=true.receipt_id,
            handed=true.handed + 1,
            partial=true.partial,
            without=true.without,
        )

    right = delivery.Delivery.receipt_now

    def lying_now(self: Any, publisher: Any, receipt_id: int, handed: int, bare: list[int]) -> None:
        right(self, publisher, receipt_id, handed + 1, bare)

    return both(
        replaced(PendingReceipt, "as_frame", lying),
        replaced(delivery.Delivery, "receipt_now", lying_now),
    )


def _no_groups() -> Callable[[], None]:
    right = Interest.add
    return replaced(
        Interest, "add", lambda self, member, patterns, group=None: right(self, member, patterns)
    )


def _reversed_subject() -> Callable[[], None]:
    """DELIVER names another subject than the published one."""
    right = jobs.deliver_bytes

    def wrong(subject: str, tail: bytes) -> bytes:
        return right("/".join([*subject.split("/")[:-1], "x"]), tail)

    return both(replaced(jobs, "deliver_bytes", wrong), replaced(delivery, "deliver_bytes", wrong))


def _no_limit_of_subscriptions() -> Callable[[], None]:
    strict = hub.judge_subscribe
    return replaced(
        hub, "judge_subscribe", lambda member, frame, most: strict(member, frame, 1 << 30)
    )


def _wrong_count() -> Callable[[], None]:
    right = hub.Hub.received

    def wrong(self: Any, peer: Any, frame: Any, now: float) -> None:
        if peer.member is not None:
            peer.member.frames += 1
        right(self, peer, frame, now)

    return replaced(hub.Hub, "received", wrong)


def _no_answer_to_goodbye() -> Callable[[], None]:
    right = connection.Connection._say_goodbye  # noqa: SLF001

    def silent(self: Any, reason: Any, text: str, retry_after_s: float) -> None:
        if not text.startswith("goodbye"):
            right(self, reason, text, retry_after_s)

    return replaced(connection.Connection, "_say_goodbye", silent)


def _patient() -> None:
    os.environ["CWP_HELLO_WITHIN_MS"] = "30000"


_CLIENT, _NODE = (Role.CLIENT,), (Role.NODE,)
_broker = partial(Variant, profile="broker")

VARIANTS = (
    _broker("the frame cap is ignored", requirement="CWP-4-4", apply=_no_cap(),
            cases=("broker/framing/one-byte-over-the-limit", "broker/framing/hello-one-byte-over")),
    _broker("indefinite lengths are accepted", requirement="CWP-5-1", apply=_tolerates("indefinite"),
            cases=("broker/encoding/array-indefinite",)),
    _broker("longer heads are accepted", requirement="CWP-5-1", apply=_tolerates("non-minimal"),
            cases=("broker/encoding/23-in-two-bytes",)),
    _broker("duplicate keys are accepted", requirement="CWP-5-2", apply=_tolerates("duplicate-key"),
            cases=("broker/encoding/key-twice",)),
    _broker("unsorted keys are accepted", requirement="CWP-5-2", apply=_tolerates("key-order"),
            cases=("broker/encoding/keys-out-of-order",)),
    _broker("floats are accepted in frames", requirement="CWP-5-5", apply=_tolerates("float"),
            cases=("broker/encoding/float-16",)),
    _broker("nesting is not bounded", requirement="CWP-5-9", apply=_tolerates("too-deep"),
            cases=("broker/encoding/sixteen-deep-and-the-frame",)),
    _broker("items are not counted", requirement="CWP-5-9", apply=_tolerates("too-many-items"),
            cases=("broker/encoding/4097-items",)),
    _broker("the same entry twice is accepted", requirement="CWP-6-8",
            apply=replaced(fields, "distinct", lambda values, name: tuple(values)),
            cases=("broker/login/hello/collective-twice", "broker/fields/subscribe/pattern-twice")),
    _broker("reserved frames are refused", requirement="CWP-6-4", apply=refuses_reserved(),
            cases=("broker/fields/reserved-type/*",)),
    _broker("frames before WELCOME are taken", requirement="CWP-8.4-1", apply=_early_frames(),
            cases=("broker/states/waiting/ping",)),
    _broker("ALPN is not checked", requirement="CWP-3-3",
            apply=replaced(tls_steps.TlsSteps, "alpn", lambda self: "cwp/1"),
            cases=("broker/carrier/alpn/h2", "broker/carrier/alpn/none")),
    _broker("a node may publish a request", requirement="CWP-14.1-1",
            apply=_row(roles=_NODE, verb=Verb.PUBLISH, pattern="{c}/agent/<agent>"),
            cases=("broker/permissions/hostile/node-publishes-a-broadcast",)),
    _broker("a node may subscribe all agents", requirement="CWP-14.1-4",
            apply=_row(roles=_NODE, verb=Verb.SUBSCRIBE, pattern="{c}/agent/**"),
            cases=("broker/permissions/hostile/node-reads-all-*",)),
    _broker("a client may read every inbox", requirement="CWP-14.1-3",
            apply=_row(roles=_CLIENT, verb=Verb.SUBSCRIBE, pattern="{c}/reply/**"),
            cases=("broker/permissions/hostile/client-reads-replies-of-everybody",)),
    _broker("a node may report under any name", requirement="CWP-14.1-2",
            apply=_row(roles=_NODE, verb=Verb.PUBLISH, pattern="{c}/event/<kind>/<name>"),
            cases=("broker/permissions/hostile/node-reports-under-another-name",)),
    _broker("a node may ask who is present", requirement="CWP-14.1-1",
            apply=_row(roles=_NODE, verb=Verb.PUBLISH, pattern="sys/presence/{c}"),
            cases=("broker/permissions/hostile/node-asks-for-presence",)),
    _broker("answers may be aimed at anybody", requirement="CWP-6.9-6",
            apply=replaced(Rights, "may_ask_reply", lambda self, reply: True),
            cases=("broker/permissions/hostile/client-has-answers-sent-to-another",)),
    _broker("critical keys are ignored", requirement="CWP-6.9-2",
            apply=replaced(decode, "_check_supported", lambda array, frame: None),
            cases=("broker/delivery/critical-header", "broker/delivery/critical-option")),
    _broker("payloads are not limited", requirement="CWP-6.9-3",
            apply=replaced(rules, "publish_excess", lambda frame, limits: None),
            cases=("broker/delivery/a-payload-over-the-limit",)),
    _broker("subscriptions are not limited", requirement="CWP-6.7-5", apply=_no_limit_of_subscriptions(),
            cases=("broker/subscriptions/limit-of-subscriptions",)),
    _broker("UNSUBSCRIBE does nothing", requirement="CWP-6.8-1",
            apply=replaced(Interest, "remove", lambda self, member, patterns, group=None: 0),
            cases=("broker/subscriptions/unsubscribed",)),
    _broker("groups are ignored", requirement="CWP-6.7-1", apply=_no_groups(),
            cases=("broker/receipts/group/each-message-to-one",)),
    _broker("receipts lie", requirement="CWP-9-4", apply=_one_more(),
            cases=("broker/receipts/counts-receivers", "broker/receipts/nobody-there")),
    _broker("DELIVER names another subject", requirement="CWP-6.9-8", apply=_reversed_subject(),
            cases=("broker/delivery/the-published-subject-not-the-pattern", "broker/delivery/all-receivers-get-the-same-bytes")),
    _broker("ERROR names another frame", requirement="CWP-4-6", apply=_wrong_count(),
            cases=("broker/permissions/errors-count-frames-and-keep-order",)),
    _broker("GOODBYE is not answered", requirement="CWP-6.5-2", apply=_no_answer_to_goodbye(),
            cases=("broker/ending/goodbye-is-answered",)),
    _broker("two machines share a name", requirement="CWP-10.3-5",
            apply=replaced(Admission, "claim", lambda self, principal, boot, now: (Claim.FREE, None, None)),
            cases=("broker/ending/duplicate/the-newer-link-wins",)),
    _broker("broadcasts miss a node that moves", requirement="CWP-10.3-9",
            apply=replaced(Interest, "follow", lambda self, older, newer: self.remove_all(older)),
            cases=("broker/ending/duplicate/no-message-misses-a-moving-node",)),
    _broker("silent links live for ever", requirement="CWP-10.1-4",
            apply=replaced(link.Link, "_is_silent", lambda self: False),
            cases=("broker/liveness/silence-ends-the-link",)),
    _broker("strangers may take their time", requirement="CWP-10.1-1", apply=_patient,
            cases=("broker/liveness/hello-too-late",)),
)  # fmt: skip
