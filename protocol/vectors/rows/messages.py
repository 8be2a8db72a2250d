"""Requests, replies and presence without their signatures: SPEC.md sections 13.4 to 13.8."""

from __future__ import annotations

from typing import Any, Final

from . import samples as s
from .encoding import Raw, Row, diag, enc, plain

REQUEST_FIELDS: Final = [
    "id",
    "network",
    "collective",
    "kind",
    "targets",
    "agent",
    "action",
    "inputs",
    "filter",
    "created-ms",
    "ttl-ms",
    "grade",
    "want-certificate",
    "max-reply-bytes",
]
REPLY_FIELDS: Final = [
    "request-id", "request-hash", "network", "sender", "statuscode", "statusmsg", "data", "refusal", "time-ms",
]  # fmt: skip

DISCOVERY: Final[dict[int, Any]] = {
    1: 1, 2: s.REQUEST, 3: s.NETWORK, 4: s.COLLECTIVE, 5: 1, 6: [], 7: "discovery", 8: "ping", 9: {}, 10: {},
    11: s.NOW_MS, 12: 60000, 13: 1, 14: False, 15: 0,
}  # fmt: skip
DIRECTED: Final = DISCOVERY | {
    5: 2,
    6: ["web1.example.net", "web2.example.net"],
    7: "package",
    8: "install",
    9: {"package": "zsh", "ratio": 1.5, "more": [1, {"deep": None}]},
    10: {1: ["/^web/"], 2: [["os.family", "==", "RedHat"]], 3: ["package"], 4: ["role::web"]},
    13: 2,
    14: True,
    15: 65536,
}
REPLY: Final[dict[int, Any]] = {
    1: 1, 2: s.REQUEST, 3: s.HASH, 4: s.NETWORK, 5: "web1.example.net", 6: 0, 7: "OK",
    8: {"pong": 1790000000}, 10: s.NOW_MS + 20,
}  # fmt: skip
QUERY: Final[list[Any]] = [1, s.REQUEST, 1, ""]
PAGE: Final[list[Any]] = [
    2,
    s.REQUEST,
    2,
    [["web1.example.net", s.NOW_MS, 12], ["web2.example.net", s.NOW_MS, None]],
    "web2.example.net",
]


def without(message: dict[int, Any], key: int) -> dict[int, Any]:
    """Return ``message`` without one key."""
    return {other: value for other, value in message.items() if other != key}


def at(items: list[Any], index: int, value: Any) -> list[Any]:
    """Return ``items`` with one changed."""
    return [*items[:index], value, *items[index + 1 :]]


_GOOD: Final[list[tuple[str, str, Any, str]]] = [
    ("discovery", "request", DISCOVERY, "13.5-7"),
    ("directed", "request", DIRECTED, "13.4-2"),
    ("with a compound filter", "request", DISCOVERY | {10: {4: ["apache"], 5: ['fact("cores") > 4']}}, "13.4-12"),
    ("to a service", "request", DISCOVERY | {5: 3, 7: "aaa", 8: "login"}, "13.4-5"),
    ("200 targets", "request", DIRECTED | {6: [f"n{n}" for n in range(200)]}, "13.4-2"),
    ("least and greatest numbers", "request", DISCOVERY | {11: 0, 12: 300000, 15: 4294967295}, "13.4-7"),
    ("unknown keys that may be ignored", "request", DISCOVERY | {0: 1, 16: "x", 127: [1.5]}, "13.4-7"),
    ("pong", "reply", REPLY, "13.5-7"),
    ("not matched", "reply", REPLY | {6: 1, 7: "no", 8: {}, 9: 5}, "13.7-1"),
    ("denied", "reply", REPLY | {6: 1, 7: "by policy", 8: {}, 9: 1}, "13.7-1"),
    ("failed by its own judgement", "reply", REPLY | {6: 3, 7: "missing"}, "13.7-3"),
    ("outputs of all types", "reply", REPLY | {8: {"f": 0.1, "n": None, "l": [b"x", {"1": True}], "i": -5}}, "5-5"),
    ("unknown keys that may be ignored", "reply", REPLY | {0: 1, 127: 1}, "13.5-8"),
    ("first page of who is present", "presence-query", QUERY, "13.8-1"),
    ("later page of who left", "presence-query", [1, s.REQUEST, 2, "web2", "later field"], "13.8-1"),
    ("departed", "presence-page", PAGE, "13.8-3"),
    ("nobody", "presence-page", [2, s.REQUEST, 1, [], ""], "13.8-2"),
    ("1000 entries", "presence-page", at(PAGE, 3, [[f"n{n:04}", n, None] for n in range(1000)]), "13.8-2"),
]  # fmt: skip

_BAD: Final[list[tuple[str, str, Any, str]]] = [
    ("no map", "request", [1], "13.4-7"),
    ("a text key", "request", DISCOVERY | {"x": 1}, "13.4-7"),
    ("id of 15 bytes", "request", DISCOVERY | {2: bytes(15)}, "13.4-1"),
    ("network in upper case", "request", DISCOVERY | {3: "Alpha"}, "7.1-2"),
    ("collective sys", "request", DISCOVERY | {4: "sys"}, "7.1-3"),
    ("kind 4", "request", DISCOVERY | {5: 4}, "13.4-3"),
    ("broadcast with a target", "request", DISCOVERY | {6: ["web1"]}, "13.4-2"),
    ("directed to nobody", "request", DIRECTED | {6: []}, "13.4-2"),
    ("201 targets", "request", DIRECTED | {6: [f"n{n}" for n in range(201)]}, "13.4-2"),
    ("a target twice", "request", DIRECTED | {6: ["web1", "web1"]}, "13.4-2"),
    ("a target that is no identity", "request", DIRECTED | {6: ["web1/x"]}, "7.1-1"),
    ("agent with a slash", "request", DISCOVERY | {7: "a/b"}, "7.1-1"),
    ("action with an upper-case letter", "request", DISCOVERY | {8: "Ping"}, "7.1-1"),
    ("inputs as an array", "request", DISCOVERY | {9: []}, "13.4-7"),
    ("inputs with a number as key", "request", DISCOVERY | {9: {1: 2}}, "13.4-7"),
    ("inputs with NaN", "request", DISCOVERY | {9: {"x": Raw(b"\xf9\x7e\x00")}}, "5-5"),
    ("inputs with a tag", "request", DISCOVERY | {9: {"x": Raw(b"\xc1\x00")}}, "5-3"),
    ("filter as an array", "request", DISCOVERY | {10: []}, "13.4-6"),
    ("created in text", "request", DISCOVERY | {11: "now"}, "5-11"),
    ("created as a float", "request", DISCOVERY | {11: 1.5}, "5-11"),
    ("TTL 0", "request", DISCOVERY | {12: 0}, "13.4-7"),
    ("TTL over five minutes", "request", DISCOVERY | {12: 300001}, "13.4-7"),
    ("grade 3", "request", DISCOVERY | {13: 3}, "13.4-7"),
    ("want certificate 1", "request", DISCOVERY | {14: 1}, "5-12"),
    ("greatest reply negative", "request", DISCOVERY | {15: -1}, "13.4-7"),
    *[(f"without key {key}", "request", without(DISCOVERY, key), "13.4-7") for key in range(1, 16)],
    ("hash of 31 bytes", "reply", REPLY | {3: bytes(31)}, "13.5-3"),
    ("sender in upper case", "reply", REPLY | {5: "WEB1"}, "7.1-2"),
    ("status code 6", "reply", REPLY | {6: 6}, "13.7-3"),
    ("refusal with status code 0", "reply", REPLY | {9: 1}, "13.7-1"),
    ("refusal 0", "reply", REPLY | {6: 1, 9: 0}, "13.7-1"),
    ("refusal 14", "reply", REPLY | {6: 1, 9: 14}, "13.7-1"),
    ("refusal null", "reply", REPLY | {6: 1, 9: None}, "13.7-1"),
    ("data as an array", "reply", REPLY | {8: []}, "13.5-8"),
    *[(f"without key {key}", "reply", without(REPLY, key), "13.5-8") for key in (1, 2, 3, 4, 5, 6, 7, 8, 10)],
    ("query of kind 3", "presence-query", at(QUERY, 2, 3), "13.8-1"),
    ("query after a pattern", "presence-query", at(QUERY, 3, "*"), "13.8-1"),
    ("query after null", "presence-query", at(QUERY, 3, None), "13.8-1"),
    ("page where a query belongs", "presence-query", PAGE, "13.8-1"),
    ("query too short", "presence-query", QUERY[:3], "13.8-1"),
    ("page with reason 21", "presence-page", at(PAGE, 3, [["web1", 1, 21]]), "13.8-3"),
    ("page with a short entry", "presence-page", at(PAGE, 3, [["web1", 1]]), "13.8-3"),
    ("page with 1001 entries", "presence-page", at(PAGE, 3, [[f"n{n:04}", n, None] for n in range(1001)]), "13.8-2"),
    ("page with a negative time", "presence-page", at(PAGE, 3, [["web1", -1, None]]), "5-11"),
]  # fmt: skip

_UNSUPPORTED: Final[list[tuple[str, str, Any, str]]] = [
    ("version 2", "request", DISCOVERY | {1: 2}, "13.4-7"),
    ("a critical key", "request", DISCOVERY | {128: 1}, "13.4-7"),
    ("a negative key", "request", DISCOVERY | {-1: 1}, "13.4-7"),
    ("version 2", "reply", REPLY | {1: 2}, "13.5-8"),
    ("a critical key", "reply", REPLY | {128: 1}, "13.5-8"),
]


def rows() -> list[Row]:
    """Return the rows of ``messages.json``."""
    good = [_row(*row, meaning=_meaning(row[1], row[2])) for row in _GOOD]
    bad = [_row(*row, error="INVALID") for row in _BAD]
    return good + bad + [_row(*row, error="UNSUPPORTED") for row in _UNSUPPORTED]


def _row(name: str, kind: str, value: Any, requirement: str, **rest: Any) -> Row:
    text = diag(value)
    return {
        "name": f"{kind}: {name}",
        "kind": kind,
        "hex": enc(value).hex(),
        "diagnostic": text if len(text) < 1000 else f"{text[:80]}... (shortened)",
        "valid": "meaning" in rest,
        **rest,
        "requirement": f"CWP-{requirement}",
    }


def _meaning(kind: str, value: Any) -> dict[str, Any]:
    if kind == "request":
        return {name: plain(value[key]) for key, name in enumerate(REQUEST_FIELDS, 2)}
    if kind == "reply":
        return {name: plain(value.get(key)) for key, name in enumerate(REPLY_FIELDS, 2)}
    last = "after" if kind == "presence-query" else "next"
    if kind == "presence-query":
        return {"request-id": plain(value[1]), "kind": value[2], last: value[3]}
    entries = plain(value[3])
    return {"request-id": plain(value[1]), "kind": value[2], "entries": entries, last: value[4]}
