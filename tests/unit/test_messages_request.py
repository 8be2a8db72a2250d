"""Requests and replies: bytes as the specification shows them, and every field's bounds."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest

from choria.errors import MessageError, Refusal
from choria.messages import (
    STATUS_OF_REFUSAL,
    Grade,
    Kind,
    Reply,
    Request,
    UnsupportedMessage,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    fit_reply,
    is_signed,
    may_be_unsigned,
    refuse,
    request_hash,
)
from choria.wire import encode_cbor

REQUEST = Request(
    id=bytes(range(16)),
    network="alpha",
    collective="choria",
    kind=Kind.DIRECTED,
    targets=("web1", "web2"),
    agent="package",
    action="install",
    inputs={"package": "zsh", "ratio": 0.5, "deep": [{"x": None}]},
    filter={2: [["os", "==", "linux"]]},
    created_ms=1_700_000_000_123,
    ttl_ms=60_000,
    grade=Grade.SIGNED,
    want_certificate=True,
    max_reply_bytes=0,
)
REPLY = Reply(
    request_id=bytes(range(16)),
    request_hash=bytes(32),
    network="alpha",
    sender="web1",
    statuscode=0,
    statusmsg="OK",
    data={"ensure": "5.9", "list": [1, 2.5, True, None]},
    time_ms=1_700_000_000_456,
)
REQUEST_WIRE: dict[Any, Any] = {
    1: 1,
    2: bytes(range(16)),
    3: "alpha",
    4: "choria",
    5: 2,
    6: ["web1", "web2"],
    7: "package",
    8: "install",
    9: {"package": "zsh", "ratio": 0.5, "deep": [{"x": None}]},
    10: {2: [["os", "==", "linux"]]},
    11: 1_700_000_000_123,
    12: 60_000,
    13: 2,
    14: True,
    15: 0,
}
REPLY_WIRE: dict[Any, Any] = {
    1: 1,
    2: bytes(range(16)),
    3: bytes(32),
    4: "alpha",
    5: "web1",
    6: 0,
    7: "OK",
    8: {"ensure": "5.9", "list": [1, 2.5, True, None]},
    10: 1_700_000_000_456,
}


def test_the_bytes_are_a_map_with_numbered_keys() -> None:
    assert encode_request(REQUEST) == encode_cbor(REQUEST_WIRE)
    assert decode_request(encode_cbor(REQUEST_WIRE)) == REQUEST
    assert encode_reply(REPLY) == encode_cbor(REPLY_WIRE)
    assert decode_reply(encode_cbor(REPLY_WIRE)) == REPLY
    refused = refuse(REPLY, Refusal.DENIED, "no")
    assert encode_reply(refused) == encode_cbor(REPLY_WIRE | {6: 1, 7: "no", 8: {}, 9: 1})
    assert decode_reply(encode_reply(refused)) == refused


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        (2, bytes(15), "$.id"),
        (2, "0" * 16, "$.id"),
        (3, "Alpha", "$.network"),
        (3, 1, "$.network"),
        (4, "sys", "$.collective"),
        (5, 0, "$.kind"),
        (5, 4, "$.kind"),
        (5, True, "$.kind"),
        (5, 2.0, "$.kind"),
        (5, 1, "$.targets"),
        (5, 3, "$.targets"),
        (6, [], "$.targets"),
        (6, ["web1", "web1"], "$.targets"),
        (6, ["web1", "*"], "$.targets[1]"),
        (6, ["web1", 7], "$.targets[1]"),
        (6, [f"w{i}" for i in range(201)], "$.targets"),
        (6, "web1", "$.targets"),
        (6, None, "$.targets"),
        (7, "a/b", "$.agent"),
        (7, "", "$.agent"),
        (8, "In stall", "$.action"),
        (9, [], "$.inputs"),
        (9, {1: 2}, "$.inputs"),
        (10, {"fact": []}, "$.filter"),
        (10, [], "$.filter"),
        (11, -1, "$.created_ms"),
        (11, 1.5, "$.created_ms"),
        (12, 0, "$.ttl_ms"),
        (12, 300_001, "$.ttl_ms"),
        (13, 3, "$.grade"),
        (14, 1, "$.want_certificate"),
        (15, -1, "$.max_reply_bytes"),
        (15, 1 << 32, "$.max_reply_bytes"),
    ],
)
def test_a_bad_field_is_refused_with_its_path(key: int, value: object, path: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode_request(encode_cbor(REQUEST_WIRE | {key: value}))
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        (3, bytes(31), "$.request_hash"),
        (5, "", "$.sender"),
        (6, 6, "$.statuscode"),
        (7, b"OK", "$.statusmsg"),
        (8, None, "$.data"),
        (9, None, "$.refusal"),
        (9, 0, "$.refusal"),
        (9, 14, "$.refusal"),
        (9, 1, "$.statuscode"),
        (10, "now", "$.time_ms"),
    ],
)
def test_a_bad_field_of_a_reply_is_refused_with_its_path(
    key: int, value: object, path: str
) -> None:
    with pytest.raises(MessageError) as caught:
        decode_reply(encode_cbor(REPLY_WIRE | {key: value}))
    assert path in str(caught.value)


@pytest.mark.parametrize("key", range(2, 16))
def test_every_field_of_a_request_is_required(key: int) -> None:
    wire = {k: v for k, v in REQUEST_WIRE.items() if k != key}
    with pytest.raises(MessageError):
        decode_request(encode_cbor(wire))


def test_versions_and_unknown_keys() -> None:
    # CWP-13.4-7, CWP-13.4-9, CWP-13.5-8, CWP-13.5-10
    assert decode_request(encode_cbor(REQUEST_WIRE | {16: [1.5], 127: "later"})) == REQUEST
    assert decode_reply(encode_cbor(REPLY_WIRE | {11: {}, 127: 0})) == REPLY
    for extra in ({128: 0}, {1 << 63: 0}, {-1: 0}, {1: 2}, {1: 0}):
        for wire, decode in ((REQUEST_WIRE, decode_request), (REPLY_WIRE, decode_reply)):
            with pytest.raises(UnsupportedMessage):
                decode(encode_cbor(wire | extra))
    for data in (
        encode_cbor({"1": 1}),
        encode_cbor(REQUEST_WIRE | {1: True}),
        encode_cbor({k: v for k, v in REQUEST_WIRE.items() if k != 1}),
        encode_cbor([]),
        b"",
        b"\xff",
        encode_cbor(REQUEST_WIRE) + b"\0",
    ):
        with pytest.raises(MessageError):
            decode_request(data)


def test_bounds_of_depth_and_number() -> None:
    def nested(levels: int) -> object:
        value: object = 1
        for _ in range(levels):
            value = [value]
        return value

    deep = msgspec.structs.replace(REQUEST, inputs={"x": nested(14)})
    assert decode_request(encode_request(deep)) == deep
    with pytest.raises(MessageError, match="nested deeper than 16"):
        encode_request(msgspec.structs.replace(REQUEST, inputs={"x": nested(15)}))
    with pytest.raises(MessageError, match="too-many-items"):
        decode_request(encode_cbor(REQUEST_WIRE | {9: {"x": [0] * 4096}}))
    with pytest.raises(MessageError, match="too-many-items"):
        encode_request(msgspec.structs.replace(REQUEST, inputs={"x": [0] * 4096}))
    inventory = msgspec.structs.replace(REPLY, data={"facts": {str(i): i for i in range(20_000)}})
    assert decode_reply(encode_reply(inventory)) == inventory


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), "$.data.rows[1].x"),
        (float("nan"), "$.data.rows[1].x"),
        (1 << 64, "$.data.rows[1].x"),
        ("\ud800", "$.data.rows[1].x"),
        ({1.5: 1}, "$.data.rows[1].x"),
    ],
)
def test_what_an_agent_may_not_return_is_named(value: object, path: str) -> None:
    with pytest.raises(MessageError) as caught:
        encode_reply(msgspec.structs.replace(REPLY, data={"rows": [1, {"x": value}]}))
    assert str(caught.value).startswith(path)


def test_a_request_that_nobody_would_accept_is_not_encoded() -> None:
    for changes in (
        {"targets": ()},
        {"ttl_ms": 0},
        {"agent": "A"},
        {"id": b""},
        {"kind": Kind.SERVICE},
    ):
        with pytest.raises(MessageError):
            encode_request(msgspec.structs.replace(REQUEST, **changes))


def test_a_result_that_is_too_large_becomes_an_answer_that_says_so() -> None:
    whole = encode_reply(REPLY)
    assert fit_reply(REPLY, len(whole)) == (whole, True)
    encoded, fits = fit_reply(REPLY, len(whole) - 1)
    cut = decode_reply(encoded)
    assert not fits
    assert cut.refusal is Refusal.RESULT_TOO_LARGE
    assert cut.statuscode == 5
    assert cut.data == {}
    assert str(len(whole)) in cut.statusmsg
    many = msgspec.structs.replace(REPLY, data={"x": [[0] * 1000] * 66})
    assert decode_reply(fit_reply(many, 1 << 20)[0]).refusal is Refusal.RESULT_TOO_LARGE
    wide = msgspec.structs.replace(REPLY, data={"x": [0] * 65_000})
    assert decode_reply(fit_reply(wide, 1 << 20)[0]) == wide


def test_what_is_plainly_too_large_is_not_encoded_first() -> None:
    huge = {"text": "x" * (50 << 20), "list": ["y" * 1000] * 1_000_000}
    tracemalloc.start()
    encoded, fits = fit_reply(msgspec.structs.replace(REPLY, data=huge), 1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not fits
    assert "bytes or more" in decode_reply(encoded).statusmsg
    assert peak < 1 << 20


def test_a_value_without_end_is_no_end_of_the_node() -> None:
    circle: dict[str, object] = {}
    circle["again"] = circle
    with pytest.raises(MessageError):
        fit_reply(msgspec.structs.replace(REPLY, data=circle), 1 << 20)


def test_every_refusal_has_a_status_code_of_chorias() -> None:
    assert set(STATUS_OF_REFUSAL) == set(Refusal)
    assert set(STATUS_OF_REFUSAL.values()) <= set(range(1, 6))


def test_which_answers_may_come_without_signature() -> None:
    ping = msgspec.structs.replace(REQUEST, agent="discovery", action="ping", grade=Grade.LINK)
    strict = msgspec.structs.replace(ping, grade=Grade.SIGNED)
    certificate = msgspec.structs.replace(ping, agent="certificate", action="get")
    not_matched = refuse(REPLY, Refusal.NOT_MATCHED, "no")
    denied = refuse(REPLY, Refusal.DENIED, "no")
    assert may_be_unsigned(REPLY, ping)
    assert may_be_unsigned(REPLY, certificate)
    assert may_be_unsigned(not_matched, ping)
    assert may_be_unsigned(not_matched, REQUEST)
    for reply, request in ((REPLY, REQUEST), (REPLY, strict), (denied, ping), (denied, REQUEST)):
        assert not may_be_unsigned(reply, request)


def test_hash_and_kind_of_payload() -> None:
    assert request_hash(b"").hex().startswith("e3b0c442")
    assert is_signed(b"\xd2\x84")
    assert not is_signed(encode_reply(REPLY))
    assert not is_signed(b"")
    assert REQUEST.token == bytes(range(16)).hex()


def test_a_value_may_be_as_long_as_a_payload() -> None:
    """CWP-5-14: clusters may allow payloads of 16 MiB."""
    long = msgspec.structs.replace(REPLY, data={"text": "x" * (2 << 20), "bytes": bytes(2 << 20)})
    assert decode_reply(encode_reply(long)) == long
