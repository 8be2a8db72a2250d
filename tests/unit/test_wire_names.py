"""Names, subjects and patterns by example."""

from __future__ import annotations

import hashlib

import pytest

from choria.errors import InvalidName
from choria.wire import (
    RESERVED_COLLECTIVES,
    inbox_token,
    includes,
    matches,
    parse_collective,
    parse_identity,
    parse_pattern,
    parse_subject,
    parse_token,
)

GOOD_NAMES = ["a", "0", "web1.example.net", "a-b", "x_y", "p-0123456789abcdef", "n" * 253]
BAD_NAMES = [
    "",
    "WEB1",
    "web1.",
    ".web1",
    "-a",
    "a-",
    "a/b",
    "a b",
    "a%2f",
    "ä",
    "a\n",
    "\na",
    "a\x00",
    "*",
    "n" * 254,
    "\u0661",  # a digit, but none of ours
]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_identities(name: str) -> None:
    assert parse_identity(name) == parse_collective(name) == name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_identities(name: str) -> None:
    with pytest.raises(InvalidName):
        parse_identity(name)
    with pytest.raises(InvalidName):
        parse_collective(name)


def test_reserved_collectives() -> None:
    for name in RESERVED_COLLECTIVES:
        assert parse_identity(name)
        with pytest.raises(InvalidName, match="reserved"):
            parse_collective(name)


def test_tokens() -> None:
    for token in ("a", "-", ".", "rpcutil", "get_fact", "t" * 255):
        assert parse_token(token) == token
    for bad in ("", "A", "a/b", "*", "**", "t" * 256, "a\n", "ä"):
        with pytest.raises(InvalidName):
            parse_token(bad)


def test_inbox_hangs_on_the_principal() -> None:
    inbox = inbox_token("alpha", "client", "rip")
    # [network, role, name] by hand: array of three, texts of 5, 6 and 3 bytes.
    encoded = b"\x83\x65alpha\x66client\x63rip"
    digest = hashlib.sha256(encoded).digest()[:16]
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    number = int.from_bytes(digest, "big") << 2  # 130 bits, 26 letters of 5
    assert inbox == "".join(alphabet[number >> 5 * (25 - i) & 31] for i in range(26))
    assert inbox != inbox_token("alpha", "node", "rip")
    assert parse_token(inbox) == inbox


GOOD_SUBJECTS = ["a", "a/b", "c/agent/rpcutil", "c/node/web1.example.net", "/".join("x" * 16)]
BAD_SUBJECTS = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    "A",
    "a b",
    "a/*",
    "**",
    "a\n",
    "/".join("x" * 17),
    "x" * 256,
    "/".join(["x" * 204] * 5) + "/",
]


@pytest.mark.parametrize("subject", GOOD_SUBJECTS)
def test_subjects(subject: str) -> None:
    assert parse_subject(subject) == parse_pattern(subject) == subject
    assert matches(subject, subject)


@pytest.mark.parametrize("subject", BAD_SUBJECTS)
def test_no_subjects(subject: str) -> None:
    with pytest.raises(InvalidName):
        parse_subject(subject)


def test_length_of_subjects() -> None:
    longest = "/".join(["x" * 204] * 5)
    assert len(longest) == 1024
    assert parse_subject(longest) == parse_pattern(longest) == longest
    for parse in (parse_subject, parse_pattern):
        with pytest.raises(InvalidName):
            parse(longest + "x")


def test_patterns() -> None:
    for pattern in ("*", "**", "a/*/b", "a/**", "*/**", "/".join("*" * 16), "a/" * 15 + "**"):
        assert parse_pattern(pattern) == pattern
    for bad in ("", "a*", "**/a", "a/**/b", "***", "a/", "*/", "a/***", "/".join("*" * 17)):
        with pytest.raises(InvalidName):
            parse_pattern(bad)


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a/*", "a/b", True),
        ("a/*", "a", False),
        ("a/*", "a/b/c", False),
        ("a/**", "a", False),
        ("a/**", "a/b", True),
        ("a/**", "a/b/c", True),
        ("**", "a", True),
        ("*", "a.b", True),
        ("a/b", "a/bc", False),
    ],
)
def test_matching(pattern: str, subject: str, expected: bool) -> None:
    assert matches(pattern, subject) is expected


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("**", "**", True),
        ("**", "*", True),
        ("*", "**", False),
        ("a/**", "a/*/**", True),
        ("a/*/**", "a/**", False),
        ("c/reply/n/me/s/**", "*/reply/n/me/s/**", False),
        ("c/reply/n/me/s/**", "**", False),
        ("c/reply/n/me/s/**", "c/reply/n/me/s/*", True),
        ("c/agent/*", "c/agent/**", False),
        ("c/agent/*", "c/agent/*", True),
        ("c/agent/a", "c/agent/*", False),
    ],
)
def test_inclusion(outer: str, inner: str, expected: bool) -> None:
    assert includes(outer, inner) is expected
