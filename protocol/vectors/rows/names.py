"""Names, subjects, patterns, inboxes and framing: SPEC.md sections 4 and 7."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from .encoding import Row, diag, enc, framed, head

_LONGEST: Final = "a" * 253
_TOKEN: Final = "a" * 255

_IDENTITIES: Final = ["a", "0", "web1", "web1.example.net", "a-b_c.d", "a..b", "a--b", _LONGEST]
_NO_IDENTITIES: Final = [
    "", "WEB1", "web1.", ".web1", "-web1", "web1-", "_a", "a/b", "a b", "web1\n", "a*", "*", "**", "a%2fb",
    "é", "a\0", _LONGEST + "a", "choria://node/a", "web1:7422", "\u212a", "\uff41",
]  # fmt: skip
_TOKENS: Final = ["a", ".", "..", "-", "_x_", "rpcutil", "relay-london", _TOKEN]
_NO_TOKENS: Final = ["", "A", "a/b", "*", "**", "a*", "a b", "é", _TOKEN + "a", "a\n"]

_SUBJECTS: Final = [
    "a", "choria/agent/rpcutil", "choria/node/web1.example.net", "sys/presence/choria", "a/./b",
    "/".join(["a"] * 16), "/".join(["a" * 203] * 5) + "/bcde", "/".join([_TOKEN] * 4) + "",
]  # fmt: skip
_NO_SUBJECTS: Final = [
    "", "/", "/a", "a/", "a//b", "A", "a/B", "a b", "a/*", "**", "a/é", "a/b\n",
    "/".join(["a"] * 17), "/".join([_TOKEN] * 4) + "/a", _TOKEN + "a",
]  # fmt: skip
_PATTERNS: Final = ["a", "*", "**", "*/*", "a/*", "a/**", "*/b", "a/*/b", "*/**", "/".join(["*"] * 16),
                    "/".join(["a"] * 15 + ["**"])]  # fmt: skip
_NO_PATTERNS: Final = ["", "/", "**/a", "a/**/b", "a*", "*a", "a/b*", "***", "a/***", "a//*", "A/*", "a/>", "a/+",
                       "/".join(["*"] * 17), "/".join(["a"] * 16 + ["**"])]  # fmt: skip

_MATCHES: Final = [
    ("a", "a", True), ("a", "b", False), ("a", "a/b", False), ("a/b", "a", False),
    ("*", "a", True), ("*", "a/b", False), ("**", "a", True), ("**", "a/b/c", True),
    ("a/*", "a/b", True), ("a/*", "a", False), ("a/*", "a/b/c", False), ("a/*", "b/b", False),
    ("a/**", "a", False), ("a/**", "a/b", True), ("a/**", "a/b/c", True), ("a/**", "ab/c", False),
    ("*/b", "a/b", True), ("*/b", "a/c", False), ("a/*/c", "a/b/c", True), ("a/*/c", "a/c", False),
    ("a/*/**", "a/b", False), ("a/*/**", "a/b/c", True), ("*/*", "a/b", True), ("*/*", "a/b/c", False),
    ("a.b", "a/b", False), ("a.b", "acb", False), ("web", "web1", False), ("choria/node/web1", "choria/node/web10", False),
]  # fmt: skip
_INCLUDES: Final = [
    ("a", "a", True), ("a", "*", False), ("*", "a", True), ("*", "*", True), ("*", "**", False),
    ("**", "*", True), ("**", "**", True), ("**", "a/b", True), ("**", "a/**", True), ("**", "*/b/*", True),
    ("a/*", "a/b", True), ("a/*", "a/*", True), ("a/*", "a/**", False), ("a/*", "*/b", False), ("a/*", "*/*", False),
    ("a/**", "a/*", True), ("a/**", "a/**", True), ("a/**", "a/*/b", True), ("a/**", "a", False), ("a/**", "**", False),
    ("a/**", "*/b", False), ("*/b", "a/b", True), ("*/b", "*/b", True), ("*/b", "a/*", False), ("*/b", "**", False),
    ("*/**", "**", False), ("*/**", "*/*", True), ("*/**", "a/**", True), ("a/*/**", "a/**", False),
    ("a/*/**", "a/b/**", True), ("*/*", "*/**", False), ("a/*/c", "a/b/c", True), ("a/b/c", "a/*/c", False),
    ("choria/reply/*", "*/reply/x", False), ("a/b", "a", False), ("a", "a/b", False),
]  # fmt: skip

_INBOXES: Final = [
    ("alpha", "client", "rip"), ("alpha", "node", "rip"), ("london", "client", "rip"),
    ("p-0123456789abcdef", "node", "web1.example.net"), ("alpha", "service", "aaa"), ("a", "client", _LONGEST),
]  # fmt: skip


def identities() -> list[Row]:
    """Return the rows of ``names.json``."""
    rows = [_name("identity", text, "7.1-1", valid=True) for text in _IDENTITIES]
    rows += [_name("identity", text, "7.1-2", valid=False) for text in _NO_IDENTITIES]
    rows += [_name("token", text, "7.1-1", valid=True) for text in _TOKENS]
    rows += [_name("token", text, "7.1-1", valid=False) for text in _NO_TOKENS]
    rows += [
        _name("collective", text, "7.1-3", valid=True) for text in ("choria", "sys1", "europe")
    ]
    return rows + [
        _name("collective", text, "7.1-3", valid=False) for text in ("sys", "federation", "Sys", "")
    ]


def subjects() -> list[Row]:
    """Return the rows of ``subjects.json``."""
    rows = [_name("subject", text, "7.2-1", valid=True) for text in _SUBJECTS]
    rows += [_name("subject", text, "7.2-1", valid=False) for text in _NO_SUBJECTS]
    rows += [_name("pattern", text, "7.3-1", valid=True) for text in _PATTERNS]
    return rows + [_name("pattern", text, "7.3-1", valid=False) for text in _NO_PATTERNS]


def matches() -> list[Row]:
    """Return the rows of ``matches.json``."""
    rows = [
        {
            "name": f"{pattern} and {subject}",
            "relation": "matches",
            "pattern": pattern,
            "subject": subject,
            "holds": holds,
            "requirement": "CWP-7.3-1",
        }
        for pattern, subject, holds in _MATCHES
    ]
    return rows + [
        {
            "name": f"{outer} over {inner}",
            "relation": "includes",
            "outer": outer,
            "inner": inner,
            "holds": holds,
            "requirement": "CWP-7.3-3",
        }
        for outer, inner, holds in _INCLUDES
    ]


def inboxes() -> list[Row]:
    """Return the rows of ``inboxes.json``."""
    return [_inbox(*principal) for principal in _INBOXES]


def framing() -> list[Row]:
    """Return the rows of ``framing.json``: a stream, and the bodies in it or the error."""
    ping, long_body = enc([3, 7]), enc([200, bytes(300)])
    good = [
        ("one frame", framed(ping), [ping]),
        ("two frames", framed(ping) * 2, [ping, ping]),
        ("a head of three bytes", framed(long_body), [long_body]),
        ("half a head", framed(ping) + b"\x59\x01", [ping]),
        ("half a body", framed(ping) + framed(long_body)[:100], [ping]),
        ("nothing", b"", []),
    ]
    bad = [
        ("empty body", b"\x40", "MALFORMED", "4-3"),
        ("length 5 in two bytes", b"\x58\x05" + bytes(5), "MALFORMED", "4-2"),
        ("length 255 in three bytes", b"\x59\x00\xff" + bytes(255), "MALFORMED", "4-2"),
        ("length 65535 in five bytes", b"\x5a\x00\x00\xff\xff", "MALFORMED", "4-2"),
        ("indefinite byte string", b"\x5f\x41\x00\xff", "MALFORMED", "4-1"),
        ("text", b"\x63abc", "MALFORMED", "4-1"),
        ("array", ping, "MALFORMED", "4-1"),
        ("reserved information", b"\x5c", "MALFORMED", "4-2"),
        ("an HTTP request", b"GET / HTTP/1.1\r\n\r\n", "MALFORMED", "5-8"),
        ("a TLS record", b"\x16\x03\x01", "MALFORMED", "4-1"),
        ("one byte over the limit", head(2, 1130497), "FRAME_TOO_LARGE", "4-4"),
        ("2 GiB", b"\x5a\x80\x00\x00\x00", "FRAME_TOO_LARGE", "4-4"),
        (
            "eight bytes of length",
            b"\x5b\x00\x00\x00\x01\x00\x00\x00\x00",
            "FRAME_TOO_LARGE",
            "4-4",
        ),
    ]
    rows: list[Row] = [
        {
            "name": name,
            "hex": data.hex(),
            "valid": True,
            "bodies": [b.hex() for b in bodies],
            "requirement": "CWP-4-5",
        }
        for name, data, bodies in good
    ]
    return rows + [
        {
            "name": name,
            "hex": data.hex(),
            "valid": False,
            "error": error,
            "requirement": f"CWP-{requirement}",
        }
        for name, data, error, requirement in bad
    ]


def _name(kind: str, text: str, requirement: str, *, valid: bool) -> Row:
    name = text if len(text) < 40 else f"{len(text)} characters"
    return {
        "name": f"{kind} {diag(name)}",
        "kind": kind,
        "text": text,
        "hex": text.encode().hex(),
        "valid": valid,
        "requirement": f"CWP-{requirement}",
    }


def _inbox(network: str, role: str, name: str) -> Row:
    encoded = enc([network, role, name])
    token = base64.b32encode(hashlib.sha256(encoded).digest()[:16]).decode().rstrip("=").lower()
    return {
        "name": f"{role} {name[:40]} of {network}",
        "network": network,
        "role": role,
        "principal": name,
        "hex": encoded.hex(),
        "diagnostic": diag([network, role, name]),
        "token": token,
        "requirement": "CWP-7.4-1",
    }
