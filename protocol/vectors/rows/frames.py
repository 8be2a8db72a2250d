"""Frames, valid and invalid: SPEC.md section 6. ``hex`` is the body, without its head."""

from __future__ import annotations

from typing import Any, Final

from . import samples as s
from .encoding import Raw, Row, diag, enc, plain
from .samples import but

_LONG: Final = "/".join(["a" * 200] * 5)  # 1004 bytes
_IDENTITY: Final = "a" * 253

_GOOD: Final[list[tuple[str, list[Any], str]]] = [
    ("hello", s.HELLO, "6.1-1"),
    ("hello with everything", [1, [1, 2, 65535], s.SESSION, [0, 64, 127], s.BOOT, "é" * 128, ["a", "b"]], "6.1-4"),
    ("hello with later fields", [*s.HELLO, {1: [None, True]}, "more"], "6-3"),
    ("hello with empty software", but(s.HELLO, 5, ""), "6.1-1"),
    ("hello with 32 capabilities", but(s.HELLO, 3, list(range(32))), "11.2-1"),
    ("hello with a long collective", but(s.HELLO, 6, [_IDENTITY]), "7.1-1"),
    ("welcome", s.WELCOME, "6.2-1"),
    ("welcome with an unknown limit", but(s.WELCOME, 6, {**s.LIMITS, 9: "later"}), "6.2-5"),
    ("welcome with the least limits", but(s.WELCOME, 6, {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}), "11.3-1"),
    ("welcome with the greatest payload", but(s.WELCOME, 6, {**s.LIMITS, 1: 16777216, 2: 16859136}), "11.3-1"),
    ("ping", s.PING, "6.3-1"),
    ("ping with the greatest token", [3, (1 << 64) - 1], "6.3-3"),
    ("ping with a later field", [3, 0, -1], "6-3"),
    ("pong", s.PONG, "6.4-1"),
    ("goodbye", s.GOODBYE, "6.5-1"),
    ("goodbye, least", [5, 0, "", 0, []], "6.5-1"),
    ("goodbye with the last reason", [5, 20, "a bug", 4294967295, []], "6.5-3"),
    ("error", s.ERROR, "6.6-2"),
    ("error without index", but(s.ERROR, 3, None), "6.6-2"),
    *[(f"error with reason {reason}", but(s.ERROR, 1, reason), "12-1") for reason in (8, 10, 11, 16)],
    ("subscribe", s.SUBSCRIBE, "6.7-1"),
    ("subscribe in a group", [7, ["choria/service/aaa"], "aaa"], "6.7-1"),
    ("subscribe with wildcards", [7, ["choria/event/*/web1", "choria/event/**"], None], "7.3-1"),
    ("subscribe to 256 patterns", [7, [f"a/{n}" for n in range(256)], None], "11.2-1"),
    ("unsubscribe", s.UNSUBSCRIBE, "6.8-1"),
    ("publish", s.PUBLISH, "6.9-1"),
    ("publish, least", [9, ["a"], {}, None, {}, b""], "6.9-1"),
    ("publish with the greatest receipt id", but(s.PUBLISH, 2, {1: (1 << 64) - 1}), "6.9-1"),
    ("publish with an unknown option", but(s.PUBLISH, 2, {1: 5, 127: [1]}), "6.9-2"),
    ("publish with headers", but(s.PUBLISH, 4, {0: 1, 64: b"x", 127: "y"}), "6.9-2"),
    ("publish with 64 headers", but(s.PUBLISH, 4, {n: n for n in range(64)}), "6-10"),
    ("publish with 8192 bytes of headers", but(s.PUBLISH, 4, {1: bytes(8187)}), "6-10"),
    ("publish to several", but(s.PUBLISH, 1, ["choria/node/a", "choria/node/b"]), "6.9-1"),
    ("publish to 256", but(s.PUBLISH, 1, [f"choria/node/{n}" for n in range(256)]), "11.2-1"),
    ("publish with a later field", [*s.PUBLISH, {}], "6-3"),
    ("publish on a long subject", but(s.PUBLISH, 1, [_LONG]), "7.2-1"),
    ("publish on 1024 bytes", but(s.PUBLISH, 1, [f"{_LONG}/{'b' * 19}"]), "7.2-1"),
    ("publish on 16 tokens", but(s.PUBLISH, 1, ["/".join("abcdefghijklmnop")]), "7.2-1"),
    ("deliver", s.DELIVER, "6.10-1"),
    ("deliver without reply", but(s.DELIVER, 2, None), "6.10-1"),
    ("receipt", s.RECEIPT, "6.11-1"),
    ("receipt with silent targets", [11, 5, 0, True, [0, 1, 255]], "6.11-1"),
    ("routed", s.ROUTED, "6.12-1"),
    ("routed without receipt", but(s.ROUTED, 3, 0), "6.12-4"),
    ("routed, several subjects", but(s.ROUTED, 5, [[1, "a/b"], [255, "a/c"]]), "6.12-2"),
]  # fmt: skip

_IGNORED: Final[list[tuple[str, list[Any]]]] = [
    ("reserved 192, alone", [192]),
    ("reserved 200 with content", [200, {1: "x"}, [None, True], -5, b""]),
    ("reserved 223", [223, "anything"]),
]

_BAD: Final[list[tuple[str, Any, str, str]]] = [
    ("no array", {1: 2}, "MALFORMED", "6-1"),
    ("an integer", 3, "MALFORMED", "6-1"),
    ("empty array", [], "MALFORMED", "6-1"),
    ("type is text", ["3", 7], "MALFORMED", "6-1"),
    ("type is true", [True, 7], "MALFORMED", "6-1"),
    ("type 0", [0], "UNKNOWN_FRAME", "6-4"),
    ("type -1", [-1], "UNKNOWN_FRAME", "6-4"),
    ("type 13, INTEREST", [13, []], "UNKNOWN_FRAME", "6-5"),
    ("type 14, PEERS", [14, []], "UNKNOWN_FRAME", "6-5"),
    ("type 15", [15], "UNKNOWN_FRAME", "6-4"),
    ("type 191", [191], "UNKNOWN_FRAME", "6-4"),
    ("type 224", [224], "UNKNOWN_FRAME", "6-4"),
    ("type 2^64-1", [(1 << 64) - 1], "UNKNOWN_FRAME", "6-4"),
    ("reserved type with a float", [200, Raw(b"\xf9\x3c\x00")], "MALFORMED", "5-10"),
    ("later field with a tag", [3, 7, Raw(b"\xc2\x41\x01")], "MALFORMED", "5-10"),
    ("later field below -2^63", [3, 7, Raw(b"\x3b\x80" + bytes(7))], "MALFORMED", "5-6"),
    ("hello too short", s.HELLO[:6], "INVALID_FIELD", "6-2"),
    ("hello without versions", but(s.HELLO, 1, []), "INVALID_FIELD", "11.2-1"),
    ("hello with 17 versions", but(s.HELLO, 1, list(range(1, 18))), "INVALID_FIELD", "11.2-1"),
    ("hello with version 65536", but(s.HELLO, 1, [1, 65536]), "INVALID_FIELD", "6-2"),
    ("hello with a version twice", but(s.HELLO, 1, [1, 1]), "INVALID_FIELD", "6-8"),
    ("hello with versions as a number", but(s.HELLO, 1, 1), "INVALID_FIELD", "6-2"),
    ("hello, no common version", but(s.HELLO, 1, [2, 3]), "UNSUPPORTED_VERSION", "6.1-3"),
    ("hello with a session of 15 bytes", but(s.HELLO, 2, bytes(15)), "INVALID_FIELD", "6-2"),
    ("hello with a session of text", but(s.HELLO, 2, "0123456789abcdef"), "INVALID_FIELD", "5-12"),
    ("hello with a critical capability", but(s.HELLO, 3, [128]), "UNSUPPORTED_CRITICAL", "6.1-4"),
    ("hello with 33 capabilities", but(s.HELLO, 3, list(range(33))), "INVALID_FIELD", "11.2-1"),
    ("hello with a boot of 17 bytes", but(s.HELLO, 4, bytes(17)), "INVALID_FIELD", "6-2"),
    ("hello with long software", but(s.HELLO, 5, "a" * 257), "INVALID_FIELD", "11.2-1"),
    ("hello with 129 characters of 2 bytes", but(s.HELLO, 5, "é" * 129), "INVALID_FIELD", "11.2-1"),
    ("hello with a line feed", but(s.HELLO, 5, "a\nb"), "INVALID_FIELD", "6-9"),
    ("hello with a C1 control", but(s.HELLO, 5, "a\u009bb"), "INVALID_FIELD", "6-9"),
    ("hello without collectives", but(s.HELLO, 6, []), "INVALID_FIELD", "11.2-1"),
    ("hello with collective sys", but(s.HELLO, 6, ["sys"]), "INVALID_FIELD", "6.1-5"),
    ("hello with collective federation", but(s.HELLO, 6, ["federation"]), "INVALID_FIELD", "6.1-5"),
    ("hello with an upper-case collective", but(s.HELLO, 6, ["Choria"]), "INVALID_FIELD", "7.1-2"),
    ("hello with an inner capital", but(s.HELLO, 6, ["cHoria"]), "INVALID_FIELD", "7.1-2"),
    ("hello with a collective twice", but(s.HELLO, 6, ["a", "a"]), "INVALID_FIELD", "6-8"),
    ("welcome with version 2", but(s.WELCOME, 1, 2), "UNSUPPORTED_VERSION", "6.2-1"),
    ("welcome with a bad network", but(s.WELCOME, 4, "Alpha"), "INVALID_FIELD", "7.1-1"),
    ("welcome without a broker's name", but(s.WELCOME, 5, ""), "INVALID_FIELD", "7.1-1"),
    ("welcome without limit 5", but(s.WELCOME, 6, {1: 1, 2: 1, 3: 1, 4: 1}), "INVALID_FIELD", "11.3-1"),
    ("welcome with limit 3 zero", but(s.WELCOME, 6, {**s.LIMITS, 3: 0}), "INVALID_FIELD", "11.3-1"),
    ("welcome with limit 5 of 257", but(s.WELCOME, 6, {**s.LIMITS, 5: 257}), "INVALID_FIELD", "11.3-1"),
    ("welcome, payload over frame", but(s.WELCOME, 6, {**s.LIMITS, 2: 5}), "INVALID_FIELD", "6.2-4"),
    ("welcome, payload over 16 MiB", but(s.WELCOME, 6, {**s.LIMITS, 1: 16777217, 2: 16859136}), "INVALID_FIELD", "11.3-1"),
    ("welcome with a text key in limits", but(s.WELCOME, 6, {**s.LIMITS, "x": 1}), "INVALID_FIELD", "6-2"),
    ("welcome with a negative time", but(s.WELCOME, 7, -1), "INVALID_FIELD", "5-11"),
    ("ping without token", [3], "INVALID_FIELD", "6-2"),
    ("ping with a negative token", [3, -1], "INVALID_FIELD", "6-2"),
    ("ping with true", [3, True], "INVALID_FIELD", "5-12"),
    ("pong with bytes", [4, b"7"], "INVALID_FIELD", "6-2"),
    ("goodbye with reason 21", but(s.GOODBYE, 1, 21), "INVALID_FIELD", "12-2"),
    ("goodbye with a control character", but(s.GOODBYE, 2, "\x1b[2J"), "INVALID_FIELD", "6-9"),
    ("goodbye with a wait of 2^32", but(s.GOODBYE, 3, 1 << 32), "INVALID_FIELD", "6-2"),
    ("goodbye with 17 brokers", but(s.GOODBYE, 4, [f"b{n}" for n in range(17)]), "INVALID_FIELD", "11.2-1"),
    ("goodbye with a broker's address", but(s.GOODBYE, 4, ["b2:7422"]), "INVALID_FIELD", "7.1-2"),
    ("error with a reason of links", but(s.ERROR, 1, 2), "INVALID_FIELD", "12-2"),
    ("error with reason 21", but(s.ERROR, 1, 21), "INVALID_FIELD", "12-2"),
    ("error with index -1", but(s.ERROR, 3, -1), "INVALID_FIELD", "6-2"),
    ("subscribe to nothing", [7, [], None], "INVALID_FIELD", "11.2-1"),
    ("subscribe to 257", [7, [f"a/{n}" for n in range(257)], None], "INVALID_FIELD", "11.2-1"),
    ("subscribe twice in a frame", [7, ["a/b", "a/b"], None], "INVALID_FIELD", "6-8"),
    ("subscribe to more than 64 KiB", [7, [f"{_LONG}/{n}" for n in range(66)], None], "INVALID_FIELD", "6.7-8"),
    ("subscribe with ** inside", [7, ["a/**/b"], None], "INVALID_FIELD", "7.3-1"),
    ("subscribe with a partial wildcard", [7, ["a/b*"], None], "INVALID_FIELD", "7.3-1"),
    ("subscribe to 17 tokens", [7, ["/".join(["a"] * 16 + ["**"])], None], "INVALID_FIELD", "7.3-2"),
    ("subscribe in an empty group", [7, ["a/b"], ""], "INVALID_FIELD", "7.1-1"),
    ("subscribe without group field", [7, ["a/b"]], "INVALID_FIELD", "6-2"),
    ("unsubscribe from a subject with a space", [8, ["a b"], None], "INVALID_FIELD", "7.1-2"),
    ("publish on 1025 bytes", but(s.PUBLISH, 1, [f"{_LONG}/{'b' * 20}"]), "INVALID_FIELD", "7.2-1"),
    ("publish on 17 tokens", but(s.PUBLISH, 1, ["/".join("abcdefghijklmnopq")]), "INVALID_FIELD", "7.2-1"),
    ("publish on a token of 256", but(s.PUBLISH, 1, ["a" * 256 + "/b"]), "INVALID_FIELD", "7.2-1"),
    ("subscribe to 1025 bytes", but(s.SUBSCRIBE, 1, [f"{_LONG}/{'b' * 20}"]), "INVALID_FIELD", "7.3-2"),
    ("publish to nobody", but(s.PUBLISH, 1, []), "INVALID_FIELD", "11.2-1"),
    ("publish to a pattern", but(s.PUBLISH, 1, ["choria/agent/*"]), "INVALID_FIELD", "6.9-1"),
    ("publish with an empty token", but(s.PUBLISH, 1, ["choria//x"]), "INVALID_FIELD", "7.2-1"),
    ("publish with a slash at the end", but(s.PUBLISH, 1, ["choria/x/"]), "INVALID_FIELD", "7.2-1"),
    ("publish to a subject twice", but(s.PUBLISH, 1, ["a/b", "a/b"]), "INVALID_FIELD", "6-8"),
    ("publish to 257", but(s.PUBLISH, 1, [f"a/{n}" for n in range(257)]), "INVALID_FIELD", "11.2-1"),
    ("publish to more than 64 KiB", but(s.PUBLISH, 1, [f"{_LONG}/{n}" for n in range(66)]), "INVALID_FIELD", "6.9-1"),
    ("publish with receipt id 0", but(s.PUBLISH, 2, {1: 0}), "INVALID_FIELD", "6-2"),
    ("publish with options as an array", but(s.PUBLISH, 2, []), "INVALID_FIELD", "6-2"),
    ("publish with a negative option key", but(s.PUBLISH, 2, {-1: 0}), "INVALID_FIELD", "6-2"),
    ("publish with a reply pattern", but(s.PUBLISH, 3, "choria/reply/**"), "INVALID_FIELD", "6-2"),
    ("publish with an empty reply", but(s.PUBLISH, 3, ""), "INVALID_FIELD", "7.2-1"),
    ("publish with a text header key", but(s.PUBLISH, 4, {"x": 1}), "INVALID_FIELD", "6-2"),
    ("publish with a negative header", but(s.PUBLISH, 4, {1: -1}), "INVALID_FIELD", "6-2"),
    ("publish with a list header", but(s.PUBLISH, 4, {1: []}), "INVALID_FIELD", "6-2"),
    ("publish with 65 headers", but(s.PUBLISH, 4, {n: n for n in range(65)}), "INVALID_FIELD", "6-10"),
    ("publish with 8193 bytes of headers", but(s.PUBLISH, 4, {1: bytes(8188)}), "INVALID_FIELD", "6-10"),
    ("publish with text as payload", but(s.PUBLISH, 5, "payload"), "INVALID_FIELD", "5-12"),
    ("publish without payload", s.PUBLISH[:5], "INVALID_FIELD", "6-2"),
    ("deliver on a pattern", but(s.DELIVER, 1, "choria/**"), "INVALID_FIELD", "6-2"),
    ("deliver without payload", s.DELIVER[:4], "INVALID_FIELD", "6-2"),
    ("receipt with id 0", but(s.RECEIPT, 1, 0), "INVALID_FIELD", "6-2"),
    ("receipt with partial 0", but(s.RECEIPT, 3, 0), "INVALID_FIELD", "5-12"),
    ("receipt, indices backwards", but(s.RECEIPT, 4, [2, 1]), "INVALID_FIELD", "6.11-1"),
    ("receipt, an index twice", but(s.RECEIPT, 4, [1, 1]), "INVALID_FIELD", "6.11-1"),
    ("receipt with index 256", but(s.RECEIPT, 4, [256]), "INVALID_FIELD", "6-2"),
    ("routed without pairs", but(s.ROUTED, 5, []), "INVALID_FIELD", "6-2"),
    ("routed, pairs backwards", but(s.ROUTED, 5, [[1, "a/b"], [0, "a/c"]]), "INVALID_FIELD", "6.12-2"),
    ("routed, a subject twice", but(s.ROUTED, 5, [[0, "a/b"], [1, "a/b"]]), "INVALID_FIELD", "6-8"),
    ("routed with a triple", but(s.ROUTED, 5, [[0, "a/b", 1]]), "INVALID_FIELD", "6-2"),
    ("routed with 65 groups", but(s.ROUTED, 6, [f"g{n}" for n in range(65)]), "INVALID_FIELD", "11.2-1"),
]  # fmt: skip

_REFUSED: Final[list[tuple[str, list[Any], str]]] = [
    ("publish with a critical header", but(s.PUBLISH, 4, {128: 1}), "6.9-2"),
    ("publish with a critical option", but(s.PUBLISH, 2, {1: 5, 128: 1}), "6.9-2"),
    ("deliver with a critical header", but(s.DELIVER, 3, {300: 1}), "6.10-3"),
    ("routed with a critical header", but(s.ROUTED, 8, {128: b""}), "6.10-3"),
]


def rows() -> list[Row]:
    """Return the rows of ``frames.json``."""
    good = [
        _row(name, frame, requirement, meaning=_meaning(frame))
        for name, frame, requirement in _GOOD
    ]
    ignored = [_row(name, frame, "6-4", meaning={"frame": "RESERVED"}) for name, frame in _IGNORED]
    bad = [
        _row(name, frame, requirement, error=error, effect="ends")
        for name, frame, error, requirement in _BAD
    ]
    refused = [
        _row(name, frame, requirement, error="UNSUPPORTED_CRITICAL", effect="frame")
        for name, frame, requirement in _REFUSED
    ]
    return good + ignored + bad + refused


def _row(name: str, frame: Any, requirement: str, **rest: Any) -> Row:
    text = diag(frame)
    return {
        "name": name,
        "hex": enc(frame).hex(),
        "diagnostic": text if len(text) < 1000 else f"{text[:80]}... (shortened)",
        "valid": "meaning" in rest,
        **rest,
        "requirement": f"CWP-{requirement}",
    }


def _meaning(frame: list[Any]) -> dict[str, Any]:
    name, fields = s.FIELDS[frame[0]]
    values = frame[1 : 1 + len(fields)]
    if name == "PUBLISH":
        values[1] = values[1].get(1, 0)
    if name == "WELCOME":
        values[5] = {key: value for key, value in values[5].items() if key in range(1, 6)}
    return {"frame": name, **dict(zip(fields, map(plain, values), strict=True))}
