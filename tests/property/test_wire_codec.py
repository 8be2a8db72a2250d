"""Codec and frames: one value has one encoding, and the short ways agree with the long one."""

from __future__ import annotations

import contextlib
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from choria.errors import ChoriaError, CodecError, LocalProtocolError, Reason, RemoteProtocolError
from choria.wire import (
    Deliver,
    Frame,
    Goodbye,
    Ignored,
    Publish,
    Routed,
    clip_text,
    decode_cbor,
    decode_frame,
    deliver_bytes,
    encode_cbor,
    encode_frame,
    parse_publish,
    reply_of,
    split_tail,
    tail_of,
)
from choria.wire.encode import framed, routed_body
from choria.wire.hotpath import parse_deliver, parse_tail
from choria.wire.tail import FRAME_BOUNDS, decode_within, message_of
from tests.strategies.frames import (
    cbor_values,
    delivers,
    frames,
    headers,
    mutated,
    payloads,
    plain_publishes,
    publishes,
    routeds,
    subjects,
    tails,
)


def body_of(frame: Frame) -> bytes:
    return bytes(decode_cbor(encode_frame(frame)))


@given(cbor_values(floats=True))
def test_what_is_encoded_is_decoded(value: Any) -> None:
    data = encode_cbor(value)
    assert decode_cbor(data, floats=True) == value
    assert encode_cbor(decode_cbor(data, floats=True)) == data


@given(cbor_values())
def test_another_decoder_reads_the_same(value: Any) -> None:
    assert cbor2.loads(encode_cbor(value)) == value  # the other decoder


@given(st.binary(max_size=40) | mutated(cbor_values(floats=True).map(encode_cbor)))
@example(bytes.fromhex("a201000a00"))
@example(bytes.fromhex("fb8000000000000000"))
def test_what_is_accepted_has_no_other_encoding(data: bytes) -> None:
    try:
        value = decode_cbor(data, floats=True, tags=frozenset({18}))
    except CodecError as exc:
        refused_at = exc.offset
    else:
        refused_at = 0
        assert encode_cbor(value) == data
    assert 0 <= refused_at <= len(data)


@given(cbor_values(floats=True), st.data())
def test_no_proper_part_of_an_item_is_an_item(value: Any, data: st.DataObject) -> None:
    whole = encode_cbor(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for broken in (whole[:cut], whole + b"\x00"):
        with pytest.raises(CodecError, match=r"truncated|trailing"):
            decode_cbor(broken, floats=True)


@given(frames())
def test_round_trip_of_every_frame(frame: Frame) -> None:
    data = encode_frame(frame)
    assert decode_frame(bytes(decode_cbor(data))) == frame
    assert encode_frame(decode_frame(bytes(decode_cbor(data)))) == data


@given(frames(), st.lists(cbor_values(), max_size=3))
def test_trailing_items_change_nothing(frame: Frame, extra: list[Any]) -> None:
    array = decode_cbor(body_of(frame))
    assert decode_frame(encode_cbor([*array, *extra])) == frame


@given(st.integers(192, 223), st.lists(cbor_values(), max_size=3))
def test_reserved_types_are_ignored_whatever_they_hold(code: int, items: list[Any]) -> None:
    assert decode_frame(encode_cbor([code, *items])) == Ignored(type=code)


@given(mutated(frames().map(body_of)))
def test_a_body_is_a_frame_or_a_documented_error(body: bytes) -> None:
    # CWP-1-2
    with contextlib.suppress(RemoteProtocolError):  # anything else is a bug
        frame = decode_frame(body)
        if not isinstance(frame, Ignored):
            assert decode_frame(body_of(frame)) == frame


@given(mutated((plain_publishes | publishes | delivers).map(body_of)))
def test_the_hot_path_agrees_with_the_decoder(body: bytes) -> None:
    plain = parse_publish(body) or parse_deliver(body)
    try:
        frame = decode_frame(body)
    except RemoteProtocolError:
        assert plain is None
    else:
        assert plain is None or plain == frame


@given(plain_publishes)
def test_the_hot_path_takes_the_plain_shape(frame: Publish) -> None:
    body = body_of(frame)
    assert parse_publish(body) == frame
    payload = split_tail(frame.tail).payload
    assert parse_tail(frame.tail) == (reply_of(frame.tail), len(frame.tail) - len(payload))


@given(subjects, payloads, st.none() | subjects)
def test_so_it_does_for_deliver(subject: str, payload: bytes, reply: str | None) -> None:
    frame = Deliver(subject=subject, tail=tail_of(payload, reply=reply))
    taken = parse_deliver(body_of(frame))
    assert taken == frame or (taken is None and len(subject) > 255)


@given(publishes)
def test_a_tail_is_the_bytes_that_came(frame: Publish) -> None:
    body = body_of(frame)
    assert body.endswith(frame.tail)
    assert decode_frame(body).tail == frame.tail


@given(payloads, st.none() | subjects, st.just({}) | headers)
def test_tails(payload: bytes, reply: str | None, some: dict[int, Any]) -> None:
    tail = tail_of(payload, reply=reply, headers=some)
    assert split_tail(tail) == (reply, some, payload)
    assert reply_of(tail) == reply


@given(mutated(tails))
def test_the_short_way_through_a_tail_agrees_with_the_long_one(tail: bytes) -> None:
    try:
        message = message_of(*decode_within(b"\x83" + tail, FRAME_BOUNDS))
    except ChoriaError:
        assert parse_tail(tail) is None
    else:
        assert split_tail(tail) == message


@given(delivers)
def test_deliver_bytes(frame: Deliver) -> None:
    assert deliver_bytes(frame.subject, frame.tail) == encode_frame(frame)


@given(routeds)
def test_routed_body(frame: Routed) -> None:
    """What is spliced reads back as what it was made of, and as the general encoder writes it."""
    body = routed_body(frame)
    assert framed(body) == encode_frame(frame)
    assert decode_frame(body) == frame


def test_routed_with_more_groups_than_may_travel() -> None:
    groups = tuple(f"relay-{number}" for number in range(65))
    frame = Routed(origin="b", sequence=0, pairs=((0, "a"),), groups=groups, tail=tail_of(b""))
    with pytest.raises(LocalProtocolError, match="65 groups"):
        routed_body(frame)


@given(st.text())
def test_any_text_can_be_clipped_to_fit(text: str) -> None:
    assert encode_frame(Goodbye(reason=Reason.INTERNAL, text=clip_text(text)))
