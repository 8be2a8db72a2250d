"""Frames by example: the bytes of each, and what each refuses."""

from __future__ import annotations

from typing import Any

import pytest

from choria.errors import ChoriaError, LocalProtocolError, Reason, RemoteProtocolError
from choria.wire import (
    Deliver,
    Error,
    Frame,
    Goodbye,
    Hello,
    Ignored,
    Limits,
    Ping,
    Pong,
    Publish,
    Receipt,
    RefusedFrame,
    Routed,
    Subscribe,
    Unsubscribe,
    Welcome,
    clip_text,
    decode_frame,
    deliver_bytes,
    encode_cbor,
    encode_frame,
    parse_publish,
    reply_of,
    split_tail,
    tail_of,
)

H = bytes.fromhex
S = b"s" * 16
B = b"b" * 16
PLAIN = tail_of(b"hi")
LIMITS = Limits().to_wire()

HELLO = [1, [1], S, [], B, "choria-trio/1", ["choria"]]
WELCOME = [2, 1, S, [], "alpha", "broker1", LIMITS, 1000]
PUBLISH = [9, ["a/b"], {}, None, {}, b"hi"]
DELIVER = [10, "a/b", None, {}, b"hi"]
ROUTED = [12, "broker1", 7, 0, 1500, [[0, "a/b"], [2, "a/c"]], ["g"], None, {}, b"hi"]

EXAMPLES: list[tuple[Frame, str]] = [
    (
        Hello(versions=(1,), session=S, boot=B, software="x", collectives=("c",)),
        "582c 87 01 8101 50" + "73" * 16 + "80 50" + "62" * 16 + "6178 816163",
    ),
    (
        Welcome(version=1, session=S, network="n", broker="b", limits=LIMITS, time_ms=5),
        "5833 88 02 01 50" + "73" * 16 + "80 616e 6162"
        "a5 01 1a00100000 02 1a00114000 03 190400 04 1961a8 05 190100 05",
    ),
    (Ping(token=1), "43 82 03 01"),
    (Pong(token=2**64 - 1), "4b 82 04 1bffffffffffffffff"),
    (Goodbye(reason=Reason.NORMAL), "46 85 05 00 60 00 80"),
    (
        Goodbye(reason=Reason.DRAINING, text="bye", retry_after_ms=500, brokers=("b2",)),
        "4e 85 05 01 63627965 1901f4 81626232",
    ),
    (Error(reason=Reason.LIMIT, frame=3), "46 85 06 0a 03 f6 60"),
    (Error(reason=Reason.BUSY, frame=24, index=0, text="x"), "48 85 06 10 1818 00 6178"),
    (Subscribe(patterns=("a/**",)), "49 83 07 81 64612f2a2a f6"),
    (Unsubscribe(patterns=("*",), group="g"), "47 83 08 81 612a 6167"),
    (Publish(subjects=("a/b",), tail=PLAIN), "4d 86 09 81 63612f62 a0 f6 a0 426869"),
    (
        Publish(subjects=("a", "b"), receipt_id=7, tail=tail_of(b"", reply="r", headers={1: 2})),
        "50 86 09 82 6161 6162 a10107 6172 a10102 40",
    ),
    (Deliver(subject="a/b", tail=PLAIN), "4b 85 0a 63612f62 f6 a0 426869"),
    (Receipt(receipt_id=1, handed=0), "46 85 0b 01 00 f4 80"),
    (
        Receipt(receipt_id=1, handed=2, partial=True, without=(0, 255)),
        "49 85 0b 01 02 f5 82 00 18ff",
    ),
    (
        Routed(origin="b", sequence=0, pairs=((0, "a"),), tail=PLAIN),
        "52 8a 0c 6162 00 00 00 81 82 00 6161 80 f6 a0 426869",
    ),
]


@pytest.mark.parametrize(("frame", "hexed"), EXAMPLES)
def test_bytes_of_each_frame(frame: Frame, hexed: str) -> None:
    data = encode_frame(frame)
    assert data.hex() == hexed.replace(" ", "")
    assert decode_frame(data[2 if data[0] == 0x58 else 1 :]) == frame


def patched(base: list[Any], position: int, value: object) -> list[Any]:
    return [*base[:position], value, *base[position + 1 :]]


BAD_SUBJECTS: list[object] = [
    [],
    "a/b",
    None,
    ["a", "a"],
    ["a/*"],
    ["A"],
    [b"a"],
    [""],
    [1],
    [f"a/{n}" for n in range(257)],
    ["/".join([f"{n:0204d}"] * 5) for n in range(65)],
]
BAD_HEADERS: list[object] = [
    None,
    [],
    {"a": 1},
    {-1: 1},
    {b"": 1},
    {1: -1},
    {1: None},
    {1: True},
    {1: [1]},
    {1: {}},
    dict.fromkeys(range(65), 0),
    {1: bytes(8190)},
]
BAD_TEXTS: list[object] = [None, 1, b"x", "x" * 257, "ä" * 129, "a\nb", "\x7f", "\x9b31m", "\x00"]
BAD_TOKENS: list[object] = [None, "s" * 16, b"", b"s" * 15, b"s" * 17]
BAD_CAPABILITIES: list[object] = [None, [1, 1], [-1], ["1"], [True], [65536], list(range(33))]
BAD_NAMES: list[object] = [None, 1, b"a", "", "A", "a.", "a/b", "n" * 254]
BAD_LIMITS: list[object] = [
    None,
    {},
    [],
    *({key: value for key, value in LIMITS.items() if key != gone} for gone in LIMITS),
    *({**LIMITS, key: 0} for key in LIMITS),
    *({**LIMITS, key: None} for key in LIMITS),
    {**LIMITS, 1: (16 << 20) + 1, 2: 16859136},
    {**LIMITS, 2: 16859137},
    {**LIMITS, 3: 2**32},
    {**LIMITS, 4: 2**32},
    {**LIMITS, 5: 257},
    {**LIMITS, 1: LIMITS[2] + 1},
    {**LIMITS, "a": 1},
    {**LIMITS, -1: 1},
]
NOT_UINT: list[object] = [None, -1, True, False, "1", b"1", [], {}]

INVALID: list[list[Any]] = [
    *(patched(HELLO, 1, v) for v in ([], None, [1, 1], [True], [-1], [65536], list(range(17)))),
    *(patched(HELLO, at, v) for at in (2, 4) for v in BAD_TOKENS),
    *(patched(HELLO, 3, v) for v in BAD_CAPABILITIES),
    *(patched(HELLO, 5, v) for v in BAD_TEXTS),
    *(patched(HELLO, 6, v) for v in (None, [], "choria", ["sys"], ["federation"], ["a", "a"])),
    *(patched(HELLO, 6, v) for v in (["A"], [1], [f"c{n}" for n in range(65)])),
    *(patched(WELCOME, 1, v) for v in [*NOT_UINT, 65536]),
    *(patched(WELCOME, 2, v) for v in BAD_TOKENS),
    *(patched(WELCOME, 3, v) for v in BAD_CAPABILITIES),
    *(patched(WELCOME, at, v) for at in (4, 5) for v in BAD_NAMES),
    *(patched(WELCOME, 6, v) for v in BAD_LIMITS),
    *(patched(WELCOME, 7, v) for v in NOT_UINT),
    *([kind, v] for kind in (3, 4) for v in NOT_UINT),
    *([5, v, "", 0, []] for v in [*NOT_UINT, 21, 2**32]),
    *([5, 0, v, 0, []] for v in BAD_TEXTS),
    *([5, 0, "", v, []] for v in [*NOT_UINT, 2**32]),
    *([5, 0, "", 0, v] for v in (None, ["A"], ["a", "a"], [1], [f"b{n}" for n in range(17)])),
    *([6, v, 0, None, ""] for v in [*NOT_UINT, 0, 2, 5, 20, 21]),
    *([6, 8, v, None, ""] for v in NOT_UINT),
    *([6, 8, 0, v, ""] for v in (-1, False, "1", 65536)),
    *([6, 8, 0, None, v] for v in BAD_TEXTS),
    *([kind, v, None] for kind in (7, 8) for v in BAD_SUBJECTS if v != ["a/*"]),
    *([kind, ["a**"], None] for kind in (7, 8)),
    *([kind, ["a"], v] for kind in (7, 8) for v in ("", "*", "a/b", "A", 1, "t" * 256)),
    *(patched(PUBLISH, 1, v) for v in BAD_SUBJECTS),
    *(patched(PUBLISH, 2, v) for v in (None, [], {"a": 1}, {-1: 1}, {1: 0}, {1: None}, {1: True})),
    *(patched(PUBLISH, 3, v) for v in ("", "A", "a/*", 1, b"a", False)),
    *(patched(PUBLISH, 4, v) for v in BAD_HEADERS),
    *(patched(PUBLISH, 5, v) for v in (None, "hi", 1, [])),
    *(patched(DELIVER, 1, v) for v in (None, "", "A", "a/*", b"a", 1, ["a"])),
    *(patched(DELIVER, 2, v) for v in ("", "A", 1)),
    *(patched(DELIVER, 3, v) for v in BAD_HEADERS),
    *(patched(DELIVER, 4, v) for v in (None, "hi", 1)),
    *([11, v, 0, False, []] for v in [*NOT_UINT, 0]),
    *([11, 1, v, False, []] for v in [*NOT_UINT, 2**32]),
    *([11, 1, 0, v, []] for v in (0, 1, None, "f4")),
    *([11, 1, 0, False, v] for v in (None, [1, 1], [2, 1], [256], [-1], [True], list(range(257)))),
    *(patched(ROUTED, 1, v) for v in BAD_NAMES),
    *(patched(ROUTED, at, v) for at in (2, 3, 4) for v in NOT_UINT),
    patched(ROUTED, 4, 2**32),
    *(patched(ROUTED, 5, v) for v in (None, [], [0, "a"], [[0]], [[0, "a", 1]], [[0, "A"]])),
    *(patched(ROUTED, 5, v) for v in ([[0, "a"], [1, "a"]], [[1, "a"], [0, "b"]], [[256, "a"]])),
    *(patched(ROUTED, 6, v) for v in (None, ["*"], ["g", "g"], [1], [f"g{n}" for n in range(65)])),
    *(patched(ROUTED, 8, v) for v in BAD_HEADERS),
]


@pytest.mark.parametrize("array", INVALID, ids=lambda array: f"{array!r:.60}")
def test_invalid_fields(array: list[Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_frame(encode_cbor(array))
    assert caught.value.reason is Reason.INVALID_FIELD


@pytest.mark.parametrize(
    "base", [HELLO, WELCOME, PUBLISH, DELIVER, ROUTED, [3, 1], [7, ["a"], None]]
)
def test_every_field_must_be_there_and_more_is_ignored(base: list[Any]) -> None:
    whole = decode_frame(encode_cbor(base))
    for missing in range(1, len(base)):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_frame(encode_cbor(base[:missing]))
        assert caught.value.reason is Reason.INVALID_FIELD
    assert decode_frame(encode_cbor([*base, {"new": [1, None]}, -5])) == whole


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x80",
        b"\x01",
        b"\xa0",
        b"\xf6",
        b"\x43abc",
        H("8161 61"),
        H("81f6"),
        H("81f5"),
        H("8120 00"),
    ],
)
def test_what_is_no_frame_at_all(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_frame(body)
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "extra", [H("f93c00"), H("c001"), H("f7"), H("1801"), H("9fff"), H("a2010001 00")]
)
def test_what_is_ignored_obeys_the_profile_too(extra: bytes) -> None:
    for body in (H("8303 01") + extra, H("8218c0") + extra):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_frame(body)
        assert caught.value.reason is Reason.MALFORMED


def test_reserved_types_are_ignored_and_others_are_not() -> None:
    for code in range(192, 224):
        assert decode_frame(encode_cbor([code])) == Ignored(type=code)
        assert decode_frame(encode_cbor([code, {"x": [None]}])) == Ignored(type=code)
    for code in (0, 13, 14, 191, 224, 2**64 - 1, -1, -193):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_frame(encode_cbor([code, 1]))
        assert caught.value.reason is Reason.UNKNOWN_FRAME


@pytest.mark.parametrize(
    "array",
    [
        patched(HELLO, 3, [1, 128]),
        patched(WELCOME, 3, [65535]),
        patched(PUBLISH, 2, {128: 0}),
        patched(PUBLISH, 4, {1: 0, 200: b""}),
        patched(DELIVER, 3, {2**64 - 1: "x"}),
        patched(ROUTED, 8, {128: 1}),
    ],
)
def test_unknown_critical_things(array: list[Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_frame(encode_cbor(array))
    assert caught.value.reason is Reason.UNSUPPORTED_CRITICAL


def test_a_fault_is_never_hidden_behind_what_is_only_unsupported() -> None:
    for array in ([9, ["a"], {128: 0}, None, {128: 0}, "x"], [9, ["A"], {128: 0}, None, {}, b""]):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_frame(encode_cbor(array))
        assert caught.value.reason is Reason.INVALID_FIELD


def test_versions_must_meet() -> None:
    for array in (patched(HELLO, 1, [2, 3]), patched(WELCOME, 1, 2)):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_frame(encode_cbor(array))
        assert caught.value.reason is Reason.UNSUPPORTED_VERSION
    assert decode_frame(encode_cbor(patched(HELLO, 1, [9, 1]))).versions == (9, 1)


def test_unknown_options_and_headers_below_the_critical_range() -> None:
    frame = decode_frame(encode_cbor([9, ["a"], {0: [1], 1: 5, 127: "x"}, None, {127: "y"}, b""]))
    assert frame == Publish(subjects=("a",), receipt_id=5, tail=tail_of(b"", headers={127: "y"}))
    welcome = decode_frame(encode_cbor(patched(WELCOME, 6, {**LIMITS, 6: "x", 200: []})))
    assert welcome.limits == LIMITS


@pytest.mark.parametrize(
    "frame",
    [
        Ping(token=-1),
        Ping(token=2**64),
        Subscribe(patterns=()),
        Subscribe(patterns=("a//b",)),
        Publish(subjects=("a",), tail=b""),
        Publish(subjects=("a",), tail=tail_of(b"x") + b"\x00"),
        Publish(subjects=("a",), receipt_id=-1, tail=PLAIN),
        Publish(subjects=("a",), tail=tail_of(b"", headers={128: 1})),
        Goodbye(reason=Reason.NORMAL, text="a\nb"),
        Goodbye(reason=Reason.NORMAL, text="\ud800"),
        Error(reason=Reason.NORMAL, frame=0),
        Receipt(receipt_id=0, handed=0),
        Hello(versions=(2,), session=S, boot=B, collectives=("c",)),
        Ping(token=object()),
    ],
)
def test_what_a_peer_would_refuse_never_leaves(frame: Frame) -> None:
    with pytest.raises(LocalProtocolError, match=type(frame).__name__):
        encode_frame(frame)


def test_tails() -> None:
    for payload in (b"", b"x" * 23, b"x" * 24, b"x" * 255, b"x" * 256, b"x" * 65536):
        for reply in (None, "r", "r" * 23, "r" * 24, "/".join(["r" * 100] * 3)):
            for headers in ({}, {1: 2, 3: b"x", 4: "y"}):
                tail = tail_of(payload, reply=reply, headers=headers)
                assert split_tail(tail) == (reply, headers, payload)
                assert reply_of(tail) == reply
    for bad in (b"", PLAIN + b"\0", b"\xf6\xa0", tail_of(b"", reply="A"), b"\x00\xa0\x40"):
        with pytest.raises(ChoriaError):
            split_tail(bad)


def test_deliver_bytes_is_what_the_encoder_makes() -> None:
    for size in (1, 23, 24, 255, 1024):
        subject = "/".join("s" * 204 for _ in range(size // 205)) or "s" * size
        for payload in (0, 10, 200, 250, 255, 256, 65000, 65536, 70000):
            tail = tail_of(bytes(payload))
            assert deliver_bytes(subject, tail) == encode_frame(Deliver(subject=subject, tail=tail))


@pytest.mark.parametrize(
    "hexed",
    [
        "86098161 61 a0 f6 a0 41",  # payload missing
        "86098161 61 a0 f6 a0 4100 00",  # bytes after it
        "86098162 61 a0 f6 a0 4100",  # subject shorter than its head says
        "860981 7801 61 a0 f6 a0 4100",  # head that could be shorter
        "86098161 41 a0 f6 a0 4100",  # upper case
        "86098161 61 a10100 f6 a0 4100",  # receipt id 0
        "86098161 61 a1011801 f6 a0 4100",
        "86098161 61 a0 6272 a0 4100",  # reply shorter than its head says
        "86098161 61 a0 f6 a0 5801 00",
        "86098161 61 a0 f6 a10102 4100",  # headers: legal, but not plain
        "86098261 61 6162 a0 f6 a0 4100",  # two subjects
        "87098161 61 a0 f6 a0 4100 00",  # trailing item
    ],
)
def test_the_hot_path_leaves_everything_else_to_the_decoder(hexed: str) -> None:
    assert parse_publish(H(hexed)) is None


def test_long_subjects_and_replies_leave_the_hot_path() -> None:
    longest = "/".join(["x" * 204] * 5)
    legal = Publish(subjects=(longest,), receipt_id=2**40, tail=tail_of(b"", reply=longest))
    body = encode_frame(legal)[3:]
    assert parse_publish(body) == decode_frame(body) == legal
    for array in (
        [9, [longest + "/y"], {}, None, {}, b""],
        [9, ["a"], {}, longest + "/y", {}, b""],
    ):
        assert parse_publish(encode_cbor(array)) is None


def test_texts_are_clipped_to_what_may_travel() -> None:
    for text in ("plain", "a\nb\x00\x9b", "ä" * 200, "\ud800", "€" * 100, "x" * 300):
        clipped = clip_text(text)
        assert encode_frame(Goodbye(reason=Reason.INTERNAL, text=clipped))
    assert clip_text("plain") == "plain"
    assert clip_text("a\nb") == "a b"
    assert clip_text("€" * 100) == "€" * 85


def test_a_refusal_becomes_an_error() -> None:
    refused = RefusedFrame(reason=Reason.LIMIT, frame=4, index=2, text="why")
    assert refused.as_error() == Error(reason=Reason.LIMIT, frame=4, index=2, text="why")
