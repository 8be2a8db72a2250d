"""What each type of frame looks like on the wire: how many fields, and what each may hold (CWP-6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from . import fields
from .frames import (
    Deliver,
    Error,
    Frame,
    Goodbye,
    Hello,
    Ping,
    Pong,
    Publish,
    Receipt,
    Routed,
    Subscribe,
    TrustMark,
    Unsubscribe,
    Welcome,
)
from .limits import (
    MAX_BROKERS,
    MAX_CAPABILITIES,
    MAX_COLLECTIVES,
    MAX_FRAME_BYTES,
    MAX_GROUPS,
    MAX_PAYLOAD_BYTES,
    MAX_SUBJECTS,
    MAX_VERSIONS,
    UINT16_MAX,
    UINT32_MAX,
)
from .names import parse_collective, parse_identity, parse_token
from .subjects import parse_pattern, parse_subject
from .tail import message_of, tail_of


def _hello(
    versions: Any, session: Any, capabilities: Any, boot: Any, software: Any, collectives: Any
) -> Hello:
    return Hello(
        versions=fields.numbers(versions, "versions", least=1, most=MAX_VERSIONS, to=UINT16_MAX),
        session=fields.token128(session, "session"),
        capabilities=_capabilities(capabilities),
        boot=fields.token128(boot, "boot"),
        software=fields.line(software, "software"),
        collectives=fields.names(
            collectives, "collectives", parse_collective, least=1, most=MAX_COLLECTIVES
        ),
    )


def _capabilities(value: Any) -> tuple[int, ...]:
    return fields.numbers(value, "capabilities", most=MAX_CAPABILITIES, to=UINT16_MAX)


def _welcome(*array: Any) -> Welcome:
    version, session, capabilities, network, broker, limits, time_ms, *later = array
    return Welcome(
        version=fields.uint(version, "version", most=UINT16_MAX),
        session=fields.token128(session, "session"),
        capabilities=_capabilities(capabilities),
        network=fields.named(network, "network", parse_identity),
        broker=fields.named(broker, "broker", parse_identity),
        limits=_limits(limits),
        time_ms=fields.uint(time_ms, "time_ms"),
        trust=trust_mark(later[0]) if later else None,
    )


def trust_mark(value: Any) -> TrustMark | None:
    """Return which trust object an item names; None for anything else, which is ignored (CWP-20.2-2)."""
    match value:
        case [int(bundle), int(lists), bytes(digest), int(size)]:
            mark = TrustMark(bundle, lists, digest, size)
        case _:
            return None
    proper = not any(type(each) is bool for each in mark) and len(digest) == DIGEST_BYTES
    low = bundle >= 0 and lists >= 0 and 0 < size <= MAX_FRAME_BYTES
    return mark if proper and low else None


def _limits(value: Any) -> dict[int, int]:
    given = fields.keyed(value, "limits")
    most = {1: MAX_PAYLOAD_BYTES, 2: MAX_FRAME_BYTES, 5: MAX_SUBJECTS}
    found = {
        key: fields.uint(given.get(key), f"limits {key}", least=1, most=most.get(key, UINT32_MAX))
        for key in range(1, 6)
    }
    if found[1] > found[2]:
        raise fields.FieldError("limits: a payload larger than a frame")
    return found


def _ping(token: Any) -> Ping:
    return Ping(token=fields.uint(token, "token"))


def _pong(token: Any) -> Pong:
    return Pong(token=fields.uint(token, "token"))


def _goodbye(reason: Any, text: Any, retry_after_ms: Any, brokers: Any) -> Goodbye:
    return Goodbye(
        reason=fields.reason(reason, "reason"),
        text=fields.line(text, "text"),
        retry_after_ms=fields.uint(retry_after_ms, "retry_after_ms", most=UINT32_MAX),
        brokers=fields.names(brokers, "brokers", parse_identity, most=MAX_BROKERS),
    )


def _error(reason: Any, frame: Any, index: Any, text: Any) -> Error:
    return Error(
        reason=fields.reason(reason, "reason", of_frame=True),
        frame=fields.uint(frame, "frame"),
        index=None if index is None else fields.uint(index, "index", most=UINT16_MAX),
        text=fields.line(text, "text"),
    )


def _subscribe(patterns: Any, group: Any) -> Subscribe:
    return Subscribe(
        patterns=fields.subjects(patterns, "patterns", parse_pattern),
        group=fields.optional(group, "group", parse_token),
    )


def _unsubscribe(patterns: Any, group: Any) -> Unsubscribe:
    return Unsubscribe(
        patterns=fields.subjects(patterns, "patterns", parse_pattern),
        group=fields.optional(group, "group", parse_token),
    )


def _publish(subjects: Any, options: Any, reply: Any, headers: Any, payload: Any) -> Publish:
    found = fields.keyed(options, "options")
    return Publish(
        subjects=fields.subjects(subjects, "subjects", parse_subject),
        receipt_id=fields.uint(found[1], "receipt_id", least=1) if 1 in found else 0,
        tail=_tail(reply, headers, payload),
    )


def _deliver(subject: Any, reply: Any, headers: Any, payload: Any) -> Deliver:
    return Deliver(
        subject=fields.named(subject, "subject", parse_subject),
        tail=_tail(reply, headers, payload),
    )


def _tail(reply: Any, headers: Any, payload: Any) -> bytes:
    # Encoded again instead of cut out of the body: the profile is deterministic, so the bytes are
    # the ones that came (property test), and cbor2 does not tell where an item starts.
    message = message_of(reply, headers, payload)
    return tail_of(message.payload, reply=message.reply, headers=message.headers)


def _receipt(receipt_id: Any, handed: Any, partial: Any, without: Any) -> Receipt:
    listed = fields.items(without, "without", least=0, most=MAX_SUBJECTS)
    return Receipt(
        receipt_id=fields.uint(receipt_id, "receipt_id", least=1),
        handed=fields.uint(handed, "handed", most=UINT32_MAX),
        partial=fields.flag(partial, "partial"),
        without=fields.indices(listed, "without"),
    )


def _routed(*array: Any) -> Routed:
    origin, sequence, receipt_id, remaining_ms, pairs, groups, *message = array
    return Routed(
        origin=fields.named(origin, "origin", parse_identity),
        sequence=fields.uint(sequence, "sequence"),
        receipt_id=fields.uint(receipt_id, "receipt_id"),
        remaining_ms=fields.uint(remaining_ms, "remaining_ms", most=UINT32_MAX),
        pairs=_pairs(pairs),
        groups=fields.names(groups, "groups", parse_token, most=MAX_GROUPS),
        tail=_tail(*message),
    )


def _pairs(value: Any) -> tuple[tuple[int, str], ...]:
    listed = fields.items(value, "pairs", least=1, most=MAX_SUBJECTS)
    split = [fields.items(pair, "pair", least=2, most=2) for pair in listed]
    positions = fields.indices([pair[0] for pair in split], "pairs")
    subjects = fields.subjects([pair[1] for pair in split], "pairs", parse_subject)
    return tuple(zip(positions, subjects, strict=True))


DIGEST_BYTES: Final = 32

SHAPES: Final[Mapping[int, tuple[int, Callable[..., Frame]]]] = {
    Hello.TYPE: (6, _hello),
    Welcome.TYPE: (7, _welcome),
    Ping.TYPE: (1, _ping),
    Pong.TYPE: (1, _pong),
    Goodbye.TYPE: (4, _goodbye),
    Error.TYPE: (4, _error),
    Subscribe.TYPE: (2, _subscribe),
    Unsubscribe.TYPE: (2, _unsubscribe),
    Publish.TYPE: (5, _publish),
    Deliver.TYPE: (4, _deliver),
    Receipt.TYPE: (4, _receipt),
    Routed.TYPE: (9, _routed),
}
"""How many fields a type has on the wire, and what checks them."""

LATER: Final[Mapping[int, int]] = {Welcome.TYPE: 1}
"""How many items behind the fields a type has since, that older peers neither send nor read."""
