"""The codec by example: what RFC 8949 says must come out, and every way to be refused."""

from __future__ import annotations

import math
from enum import StrEnum
from types import MappingProxyType

import pytest

from choria.errors import CodecError, Reason
from choria.wire import Tagged, decode_cbor, encode_cbor
from choria.wire.cbor import head

H = bytes.fromhex

# Encodings in the sense of RFC 8949 section 4.2.1, written down by hand from its sections 3 and 4.
VECTORS = [
    ("00", 0),
    ("17", 23),
    ("1818", 24),
    ("18ff", 255),
    ("190100", 256),
    ("19ffff", 65535),
    ("1a00010000", 65536),
    ("1b0000000100000000", 2**32),
    ("1bffffffffffffffff", 2**64 - 1),
    ("20", -1),
    ("37", -24),
    ("3818", -25),
    ("3901f3", -500),
    ("3b7fffffffffffffff", -(2**63)),
    ("f4", False),
    ("f5", True),
    ("f6", None),
    ("40", b""),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("60", ""),
    ("6161", "a"),
    ("62c3bc", "ü"),
    ("64f0908591", "\U00010151"),
    ("7818" + "61" * 24, "a" * 24),
    ("590100" + "00" * 256, bytes(256)),
    ("80", []),
    ("83010203", [1, 2, 3]),
    ("8301820203820405", [1, [2, 3], [4, 5]]),
    ("9818" + "00" * 24, [0] * 24),
    ("a0", {}),
    ("a201020304", {1: 2, 3: 4}),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ("f90000", 0.0),
    ("f98000", -0.0),
    ("f93c00", 1.0),
    ("f93e00", 1.5),
    ("f97bff", 65504.0),
    ("f90001", 5.960464477539063e-8),
    ("fa47c35000", 100000.0),
    ("fa7f7fffff", 3.4028234663852886e38),
    ("fb3ff199999999999a", 1.1),
    ("fb7e37e43c8800759c", 1.0e300),
    ("fbc010666666666666", -4.1),
]


@pytest.mark.parametrize(("hexed", "value"), VECTORS)
def test_vectors(hexed: str, value: object) -> None:
    decoded = decode_cbor(H(hexed), floats=True)
    assert decoded == value
    assert type(decoded) is type(value)
    assert encode_cbor(value) == H(hexed)


def test_keys_are_sorted_as_bytes_and_not_by_length() -> None:
    value = {"z": 1, "aa": 2, 100: 3, -1: 4, 10: 5, b"\x00": 6}
    assert encode_cbor(value) == H("a6 0a05 186403 2004 410006 617a01 62616102")
    assert list(decode_cbor(encode_cbor(value))) == [10, 100, -1, b"\x00", "z", "aa"]


REFUSED = [
    ("", "truncated", 0),
    ("18", "truncated", 1),
    ("1903", "truncated", 2),
    ("4201", "truncated", 2),
    ("8201", "truncated", 2),
    ("a1", "truncated", 1),
    ("a101", "truncated", 2),
    ("f93c", "truncated", 2),
    ("5b7fffffffffffffff", "string-too-long", 0),
    ("0000", "trailing", 1),
    ("8001", "trailing", 1),
    ("1817", "non-minimal", 0),
    ("1900ff", "non-minimal", 0),
    ("1a0000ffff", "non-minimal", 0),
    ("1b00000000ffffffff", "non-minimal", 0),
    ("3800", "non-minimal", 0),
    ("5801ff", "non-minimal", 0),
    ("980100", "non-minimal", 0),
    ("b8010000", "non-minimal", 0),
    ("fa3fc00000", "non-minimal", 0),
    ("fb3ff8000000000000", "non-minimal", 0),
    ("fb7ff0000000000000", "nan", 0),
    ("5f4101ff", "indefinite", 0),
    ("7f6161ff", "indefinite", 0),
    ("9f01ff", "indefinite", 0),
    ("bf0102ff", "indefinite", 0),
    ("81ff", "indefinite", 1),
    ("1c", "indefinite", 0),
    ("fe", "indefinite", 0),
    ("c001", "tag", 0),
    ("c249010000000000000000", "tag", 0),
    ("d28443a10126a04040", "tag", 0),
    ("d9d9f700", "tag", 0),
    ("f7", "simple", 0),
    ("e0", "simple", 0),
    ("f3", "simple", 0),
    ("f818", "simple", 0),
    ("f8ff", "simple", 0),
    ("61ff", "utf8", 1),
    ("6261ff", "utf8", 2),
    ("63eda080", "utf8", 1),
    ("62c080", "utf8", 1),
    ("a201000100", "duplicate-key", 3),
    ("a2616100616100", "duplicate-key", 4),
    ("a202000100", "key-order", 3),
    ("a262616100617a00", "key-order", 5),
    ("a1f600", "map-key-type", 1),
    ("a1f500", "map-key-type", 1),
    ("a18000", "map-key-type", 1),
    ("a1a000", "map-key-type", 1),
    ("a1f93c0000", "map-key-type", 1),
    ("f97e00", "nan", 0),
    ("f97c00", "nan", 0),
    ("f9fc00", "nan", 0),
    ("3b8000000000000000", "integer-range", 0),
    ("3bffffffffffffffff", "integer-range", 0),
    ("81" * 16 + "80", "too-deep", 16),
    ("a100" * 16 + "a0", "too-deep", 32),
    ("9a00100000", "too-many-items", 0),
    ("ba00100000", "too-many-items", 0),
    ("9bffffffffffffffff", "too-many-items", 0),
]


@pytest.mark.parametrize(("hexed", "code", "offset"), REFUSED)
def test_refused_with_code_and_offset(hexed: str, code: str, offset: int) -> None:
    # CWP-5-13, CWP-5-16
    with pytest.raises(CodecError) as caught:
        decode_cbor(H(hexed), floats=True)
    assert (caught.value.code, caught.value.offset) == (code, offset)
    assert str(caught.value) == f"{code} at byte {offset}"


@pytest.mark.parametrize("hexed", ["f93c00", "fa47c35000", "fb3ff199999999999a", "82f97e0000"])
def test_floats_only_where_they_are_wanted(hexed: str) -> None:
    with pytest.raises(CodecError, match="float"):
        decode_cbor(H(hexed))


def test_bounds_are_met_exactly() -> None:
    assert decode_cbor(H("81" * 15 + "80"))
    assert decode_cbor(b"\x43abc", max_string_bytes=3) == b"abc"
    assert decode_cbor(b"\x63abc", max_string_bytes=3) == "abc"
    assert decode_cbor(H("820102"), max_items=3) == [1, 2]
    assert decode_cbor(H("a10102"), max_items=3) == {1: 2}
    for data, bound, code in (
        (b"\x43abc", {"max_string_bytes": 2}, "string-too-long"),
        (H("820102"), {"max_items": 2}, "too-many-items"),
        (H("a10102"), {"max_items": 2}, "too-many-items"),
        (H("8180"), {"max_depth": 1}, "too-deep"),
    ):
        with pytest.raises(CodecError) as caught:
            decode_cbor(data, **bound)
        assert caught.value.code == code


def test_a_promised_length_costs_nothing() -> None:
    bomb = H("990800") * 12
    with pytest.raises(CodecError, match="too-many-items"):
        decode_cbor(bomb)


def test_a_permitted_tag_comes_with_plain_containers() -> None:
    data = H("d2 84 43 a10126 a1 1821 4101 40 41ff")
    tagged = decode_cbor(data, tags=frozenset({18}))
    assert tagged == Tagged(18, [b"\xa1\x01\x26", {33: b"\x01"}, b"", b"\xff"])
    assert type(tagged.value) is list
    assert type(tagged.value[1]) is dict
    assert encode_cbor(tagged) == data


def test_a_tag_counts_as_depth_and_encloses_one_item() -> None:
    permitted = frozenset({18})
    for data, code in (
        (H("d2"), "truncated"),
        (H("d200") + b"\0", "trailing"),
        (H("d1d200"), "tag"),
    ):
        with pytest.raises(CodecError) as caught:
            decode_cbor(data, tags=permitted)
        assert caught.value.code == code
    with pytest.raises(CodecError, match="too-deep"):
        decode_cbor(H("d2" * 17 + "00"), tags=permitted)


def test_tags_with_a_meaning_of_their_own_cannot_be_permitted() -> None:
    with pytest.raises(ValueError, match=r"\[2, 258\]"):
        decode_cbor(b"\x00", tags=frozenset({2, 18, 258}))


@pytest.mark.parametrize(
    "value",
    [
        {True: 1},
        {None: 1},
        {1.5: 1},
        {(1, 2): 1},
        {1, 2},
        object(),
        bytearray(b"x"),
        2j,
    ],
)
def test_types_without_a_place_on_the_wire(value: object) -> None:
    with pytest.raises(TypeError):
        encode_cbor(value)


@pytest.mark.parametrize(
    "value",
    [2**64, -(2**63) - 1, math.nan, math.inf, -math.inf, "\ud800", Tagged(2, b""), {2**64: 0}],
)
def test_values_outside_the_profile(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode_cbor([value])


def test_subclasses_travel_as_what_they_are() -> None:
    class Words(list[object]):
        pass

    class Half(float):
        pass

    value = {Reason.BUSY: Reason.LIMIT, "k": Words([Grade.HIGH]), Grade.HIGH: Half(0.5)}
    plain = {16: 10, "k": ["high"], "high": 0.5}
    assert encode_cbor(value) == encode_cbor(plain) == encode_cbor(MappingProxyType(plain))
    with pytest.raises(TypeError, match="Half"):
        encode_cbor({Half(0.5): 1})


class Grade(StrEnum):
    HIGH = "high"


def test_encoder_refuses_floats_and_depth_as_told() -> None:
    with pytest.raises(ValueError, match="floats"):
        encode_cbor(1.0, floats=False)
    deep: list[object] = []
    for _ in range(15):
        deep = [deep]
    assert decode_cbor(encode_cbor(deep)) == deep
    with pytest.raises(ValueError, match="nested"):
        encode_cbor([deep])


def test_heads_are_the_shortest() -> None:
    assert [head(2, n).hex() for n in (0, 23, 24, 255, 256, 65535, 65536, 2**32)] == [
        "40",
        "57",
        "5818",
        "58ff",
        "590100",
        "59ffff",
        "5a00010000",
        "5b0000000100000000",
    ]


def test_decoding_never_yields_a_subclass_that_surprises() -> None:
    value = decode_cbor(encode_cbor({"a": [1, {"b": (2, b"3")}]}))
    assert value == {"a": [1, {"b": [2, b"3"]}]}
    assert type(value["a"][1]) is dict
