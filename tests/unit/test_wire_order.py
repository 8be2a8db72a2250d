"""Which violation decides when there are several, and what is judged apart from what."""

from __future__ import annotations

import pytest

from choria.errors import Reason, RemoteProtocolError
from choria.wire import (
    Goodbye,
    Hello,
    Limits,
    Link,
    Publish,
    RefusedFrame,
    Side,
    Welcome,
    decode_frame,
    encode_cbor,
    encode_frame,
)

LIMITS = Limits()
HELLO = Hello(versions=(1,), session=b"s" * 16, boot=b"b" * 16, collectives=("choria",))


def raw(array: object) -> bytes:
    return encode_cbor(encode_cbor(array))


def opened() -> tuple[Link, Link]:
    member, broker = Link(Side.MEMBER, LIMITS, now=0.0), Link(Side.BROKER, LIMITS, now=0.0)
    broker.receive(member.send(HELLO), 0.0)
    welcome = Welcome(
        version=1,
        session=HELLO.session,
        network="alpha",
        broker="b1",
        limits=LIMITS.to_wire(),
        time_ms=1,
    )
    member.receive(broker.send(welcome), 0.0)
    return member, broker


def reason_of(link: Link, data: bytes) -> Reason:
    with pytest.raises(RemoteProtocolError) as caught:
        link.receive(data, 0.0)
    return caught.value.reason


def test_hello() -> None:
    """CWP-6.1-7: fields, then versions, then capabilities; collectives are the hub's, and last."""
    versions, capabilities, collectives = [2], [128], ["sys"]
    for change, reason in (
        ((versions, capabilities, collectives), Reason.INVALID_FIELD),
        ((versions, capabilities, ["unserved"]), Reason.UNSUPPORTED_VERSION),
        (([1], capabilities, ["unserved"]), Reason.UNSUPPORTED_CRITICAL),
    ):
        hello = [1, change[0], b"s" * 16, change[1], b"b" * 16, "", change[2]]
        assert reason_of(Link(Side.BROKER, LIMITS, now=0.0), raw(hello)) is reason
    served_later = [1, [1], b"s" * 16, [], b"b" * 16, "", ["unserved"]]
    assert len(Link(Side.BROKER, LIMITS, now=0.0).receive(raw(served_later), 0.0)) == 1


def test_welcome() -> None:
    """CWP-6.2-7: fields, then the version, then session and capabilities; names come after."""
    limits = LIMITS.to_wire()
    for version, session, capabilities, network, reason in (
        (3, b"o" * 16, [5], "Alpha", Reason.INVALID_FIELD),
        (3, b"o" * 16, [5], "other", Reason.UNSUPPORTED_VERSION),
        (1, b"o" * 16, [], "other", Reason.INVALID_FIELD),
        (1, b"s" * 16, [5], "other", Reason.INVALID_FIELD),
    ):
        member = Link(Side.MEMBER, LIMITS, now=0.0)
        member.send(HELLO)
        welcome = [2, version, session, capabilities, network, "b1", limits, 1]
        assert reason_of(member, raw(welcome)) is reason


@pytest.mark.parametrize(
    "late",
    [
        raw([9, ["a"], {}, None, {}, bytes(5000)]),
        b"\x5a\xff\xff\xff\xff",
        b"\x5b",
        b"\xff",
        b"\x40",
    ],
)
def test_whatever_comes_behind_goodbye_is_out_of_place(late: bytes) -> None:
    """CWP-4-10, CWP-6.5-1: neither too large nor malformed."""
    _, broker = opened()
    bye = Goodbye(reason=Reason.NORMAL)
    assert broker.receive(encode_frame(bye), 0.0) == [bye]
    assert reason_of(broker, late) is Reason.ILLEGAL_STATE


@pytest.mark.parametrize("reason", Reason)
def test_goodbye_may_have_any_reason_of_the_table(reason: Reason) -> None:
    """CWP-12-5: scope and side bind who sends it."""
    for link in opened():
        (bye,) = link.receive(raw([5, reason.value, "", 0, []]), 0.0)
        assert isinstance(bye, Goodbye)
        assert bye.reason is reason


def test_a_payload_is_counted_apart_from_its_frame() -> None:
    """CWP-5-15: the deepest and the longest that may be, in a frame that holds it as bytes."""
    deep: object = 0
    for _ in range(16):
        deep = [deep]
    for inner in (encode_cbor(deep), encode_cbor([0] * 4095)):
        frame = decode_frame(encode_cbor([9, ["a"], {}, None, {}, inner]))
        assert isinstance(frame, Publish)
        assert frame.tail.endswith(inner)


def test_too_many_subjects_are_named_by_the_first_too_many() -> None:
    """CWP-6.9-14; critical keys and payloads have no index."""
    broker = Link(Side.BROKER, Limits(subjects_per_publish=2, payload_bytes=10), now=0.0)
    broker.receive(raw([1, [1], b"s" * 16, [], b"b" * 16, "", ["c"]]), 0.0)
    broker.send(
        Welcome(
            version=1,
            session=b"s" * 16,
            network="alpha",
            broker="b1",
            limits=broker.limits.to_wire(),
            time_ms=1,
        )
    )
    for publish, index in (
        ([9, ["a", "b", "c"], {}, None, {}, b""], 2),
        ([9, ["a"], {128: 0}, None, {}, b""], None),
        ([9, ["a"], {}, None, {}, bytes(11)], None),
    ):
        (event,) = broker.receive(raw(publish), 0.0)
        assert isinstance(event, RefusedFrame)
        assert event.index == index
