"""The CBOR profile: SPEC.md section 5."""

from __future__ import annotations

from typing import Any, Final

from .encoding import Row, diag, enc


def _nested(depth: int) -> list[Any]:
    return [_nested(depth - 1)] if depth > 1 else []


_GOOD: Final[list[tuple[str, Any]]] = [
    ("zero", 0),
    ("23", 23),
    ("24", 24),
    ("255", 255),
    ("256", 256),
    ("65535", 65535),
    ("65536", 65536),
    ("2^32-1", (1 << 32) - 1),
    ("2^32", 1 << 32),
    ("2^64-1", (1 << 64) - 1),
    ("-1", -1),
    ("-24", -24),
    ("-25", -25),
    ("-2^63", -(1 << 63)),
    ("empty byte string", b""),
    ("byte string of 24", bytes(24)),
    ("empty text", ""),
    ("text beyond ASCII", "füß 😀"),
    ("text with NUL", "a\0b"),
    ("false", False),
    ("true", True),
    ("null", None),
    ("empty array", []),
    ("nested arrays", [1, [2, [3]]]),
    ("empty map", {}),
    ("keys of several types in bytewise order", {10: 1, 100: 2, -1: 3, b"a": 4, "z": 5, "aa": 6}),
    ("16 deep", _nested(16)),
]

_FLOATS: Final[list[tuple[str, float]]] = [
    ("0.0", 0.0),
    ("-0.0", -0.0),
    ("1.5", 1.5),
    ("largest half", 65504.0),
    ("100000.0 needs single", 100000.0),
    ("1.1 needs double", 1.1),
    ("smallest subnormal half", 5.960464477539063e-08),
    ("1e300", 1e300),
]

_BAD: Final[list[tuple[str, str, str, str]]] = [
    ("nothing", "", "truncated", "5-8"),
    ("uint8 without its byte", "18", "truncated", "5-8"),
    ("text shorter than its head", "6261", "truncated", "5-8"),
    ("array without its items", "8201", "truncated", "5-8"),
    ("map without its value", "a101", "truncated", "5-8"),
    ("huge byte string", "5b7fffffffffffffff", "string-too-long", "5-9"),
    ("array of 2^32 items that are not there", "9b0000000100000000", "too-many-items", "5-9"),
    ("one byte more", "0100", "trailing", "5-8"),
    ("two items", "8080", "trailing", "5-8"),
    ("indefinite byte string", "5f4101ff", "indefinite", "5-1"),
    ("indefinite text", "7f6161ff", "indefinite", "5-1"),
    ("indefinite array", "9f01ff", "indefinite", "5-1"),
    ("indefinite map", "bf0101ff", "indefinite", "5-1"),
    ("break alone", "ff", "indefinite", "5-1"),
    ("reserved information 28", "1c", "indefinite", "5-1"),
    ("reserved information 30 of an array", "9e", "indefinite", "5-1"),
    ("1 in two bytes", "1801", "non-minimal", "5-1"),
    ("255 in three bytes", "1900ff", "non-minimal", "5-1"),
    ("65535 in five bytes", "1a0000ffff", "non-minimal", "5-1"),
    ("2^32-1 in nine bytes", "1b00000000ffffffff", "non-minimal", "5-1"),
    ("-1 in two bytes", "3800", "non-minimal", "5-1"),
    ("byte string length in two bytes", "580101", "non-minimal", "5-1"),
    ("text length in three bytes", "79000161", "non-minimal", "5-1"),
    ("array length in two bytes", "980101", "non-minimal", "5-1"),
    ("map length in two bytes", "b8010101", "non-minimal", "5-1"),
    ("bignum", "c24101", "tag", "5-3"),
    ("date", "c074323031332d30332d32315432303a30343a30305a", "tag", "5-3"),
    ("COSE_Sign1 where no tag is listed", "d28440a04040", "tag", "5-3"),
    ("tag in an array", "81d81c00", "tag", "5-3"),
    ("undefined", "f7", "simple", "5-4"),
    ("simple 0", "e0", "simple", "5-4"),
    ("simple 19", "f3", "simple", "5-4"),
    ("simple 255", "f8ff", "simple", "5-4"),
    ("simple 24, not well-formed", "f818", "simple", "5-4"),
    ("half where none may be", "f93c00", "float", "5-5"),
    ("double in a map", "a101fb3ff199999999999a", "float", "5-5"),
    ("-2^63-1", "3b8000000000000000", "integer-range", "5-6"),
    ("-2^64", "3bffffffffffffffff", "integer-range", "5-6"),
    ("lonely continuation byte", "6180", "utf8", "5-7"),
    ("surrogate", "63eda080", "utf8", "5-7"),
    ("overlong slash", "62c0af", "utf8", "5-7"),
    ("text ends inside a character", "62e282", "utf8", "5-7"),
    ("array as a key", "a18001", "map-key-type", "5-2"),
    ("map as a key", "a1a001", "map-key-type", "5-2"),
    ("true as a key", "a1f501", "map-key-type", "5-2"),
    ("null as a key", "a1f601", "map-key-type", "5-2"),
    ("keys backwards", "a202010101", "key-order", "5-2"),
    ("text before integer", "a26161010a01", "key-order", "5-2"),
    ("length-first order", "a22001186401", "key-order", "5-2"),
    ("the same key twice", "a201010102", "duplicate-key", "5-2"),
    ("the same text key twice", "a2616101616102", "duplicate-key", "5-2"),
    ("17 deep", "81" * 17 + "00", "too-deep", "5-9"),
    ("17 deep, the last one empty", "81" * 16 + "80", "too-deep", "5-9"),
    ("4097 items", "991000" + "00" * 4096, "too-many-items", "5-9"),
]

_BAD_FLOATS: Final[list[tuple[str, str, str, str]]] = [
    ("1.5 as single", "fa3fc00000", "non-minimal", "5-5"),
    ("1.5 as double", "fb3ff8000000000000", "non-minimal", "5-5"),
    ("100000.0 as double", "fb40f86a0000000000", "non-minimal", "5-5"),
    ("NaN", "f97e00", "nan", "5-5"),
    ("NaN with a payload", "f97e01", "nan", "5-5"),
    ("infinity", "f97c00", "nan", "5-5"),
    ("minus infinity as single", "faff800000", "nan", "5-5"),
    ("NaN as double", "fb7ff8000000000000", "nan", "5-5"),
]


def rows() -> list[Row]:
    """Return the rows of ``cbor.json``."""
    good = [_good(name, value, floats=False) for name, value in _GOOD]
    good += [_good(name, value, floats=True) for name, value in _FLOATS]
    bad = [_bad(*row, floats=False) for row in _BAD]
    return good + bad + [_bad(*row, floats=True) for row in _BAD_FLOATS]


def _good(name: str, value: Any, *, floats: bool) -> Row:
    return {
        "name": name,
        "hex": enc(value).hex(),
        "floats": floats,
        "diagnostic": diag(value),
        "valid": True,
        "requirement": "CWP-5-5" if floats else "CWP-5-1",
    }


def _bad(name: str, digits: str, error: str, requirement: str, *, floats: bool) -> Row:
    return {
        "name": name,
        "hex": digits,
        "floats": floats,
        "valid": False,
        "error": error,
        "requirement": f"CWP-{requirement}",
    }
