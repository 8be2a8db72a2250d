"""Trust objects on their way: queries, pages, news, and the shape of objects. SPEC.md section 20."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from . import samples as s
from .encoding import Row, diag, enc

DIGEST: Final = hashlib.sha256(b"object").digest()
MARK: Final[list[Any]] = [2, 7, DIGEST, 4096]
QUERY: Final[list[Any]] = [1, s.REQUEST, DIGEST, 0]
PAGE: Final[list[Any]] = [2, s.REQUEST, DIGEST, 4096, 0, b"a part of it"]
NEWS: Final[list[Any]] = [3, MARK, 0]
OBJECT: Final[dict[int, Any]] = {1: 1, 2: s.NETWORK, 3: [b"bundle"], 4: [b"list"]}
LARGEST: Final = 16777216

VALID: Final[list[tuple[str, str, Any, str]]] = [
    ("first query", "trust-query", QUERY, "20.2-4"),
    ("query for a later part", "trust-query", [1, s.REQUEST, DIGEST, 196608], "20.2-4"),
    ("query with a later item", "trust-query", [*QUERY, "later"], "20.2-4"),
    ("first page", "trust-page", PAGE, "20.2-6"),
    ("last page", "trust-page", [2, s.REQUEST, DIGEST, 4096, 4095, b"x"], "20.2-6"),
    ("there is none", "trust-page", [2, s.REQUEST, bytes(32), 0, 0, b""], "20.2-6"),
    ("page with a later item", "trust-page", [*PAGE, None], "20.2-6"),
    ("news", "trust-news", NEWS, "20.2-3"),
    ("news for ten minutes", "trust-news", [3, MARK, 600000], "20.2-3"),
    ("news with a later item", "trust-news", [*NEWS, {1: 2}], "20.2-3"),
    ("object", "trust-object", OBJECT, "20.1-1"),
    ("object without bundles", "trust-object", {1: 1, 2: s.NETWORK, 4: []}, "20.1-1"),
    ("object with a later key", "trust-object", OBJECT | {127: [1, "later"]}, "20.1-1"),
]

INVALID: Final[list[tuple[str, str, Any, str]]] = [
    ("query of a short digest", "trust-query", [1, s.REQUEST, DIGEST[:31], 0], "20.2-4"),
    ("query without an offset", "trust-query", QUERY[:3], "20.2-4"),
    ("query beyond every object", "trust-query", [1, s.REQUEST, DIGEST, LARGEST + 1], "20.2-4"),
    ("query before the beginning", "trust-query", [1, s.REQUEST, DIGEST, -1], "20.2-4"),
    ("page where a query belongs", "trust-query", PAGE, "20.2-4"),
    ("query for presence", "trust-query", [1, s.REQUEST, 1, ""], "20.2-4"),
    ("page of text", "trust-page", [*PAGE[:5], "text"], "20.2-6"),
    ("page with more than there is", "trust-page", [2, s.REQUEST, DIGEST, 4, 0, b"12345"], "20.2-6"),
    ("page with a size of true", "trust-page", [2, s.REQUEST, DIGEST, True, 0, b""], "5-12"),
    ("news without a mark", "trust-news", [3, None, 0], "20.2-3"),
    ("news of an empty object", "trust-news", [3, [2, 7, DIGEST, 0], 0], "20.2-3"),
    ("news with a negative number", "trust-news", [3, [2, -7, DIGEST, 1], 0], "20.2-3"),
    ("news with a mark of five", "trust-news", [3, [*MARK, 1], 0], "20.2-3"),
    ("news for too long", "trust-news", [3, MARK, 600001], "20.2-3"),
    ("object of version 2", "trust-object", OBJECT | {1: 2}, "20.1-1"),
    ("object with a critical key", "trust-object", OBJECT | {128: 0}, "20.1-1"),
    ("object with a negative key", "trust-object", OBJECT | {-1: 0}, "20.1-1"),
    ("object without lists", "trust-object", {1: 1, 2: s.NETWORK}, "20.1-1"),
    ("object with 9 bundles", "trust-object", OBJECT | {3: [b"b"] * 9}, "20.1-1"),
    ("object with 49 lists", "trust-object", OBJECT | {4: [b"l"] * 49}, "20.1-1"),
    ("object with an empty list", "trust-object", OBJECT | {4: [b""]}, "20.1-1"),
    ("object that is an array", "trust-object", [1, s.NETWORK], "20.1-1"),
]  # fmt: skip


def rows() -> list[Row]:
    """Return all rows."""
    made = [(row, True) for row in VALID] + [(row, False) for row in INVALID]
    return [_row(*row, valid=valid) for row, valid in made]


def _row(name: str, kind: str, value: Any, number: str, *, valid: bool) -> Row:
    body = enc(value)
    shown = {} if len(body) > 4096 else {"diagnostic": diag(value)}
    return {
        "kind": kind, "name": name, "requirement": f"CWP-{number}", "hex": body.hex(), "valid": valid,
    } | shown  # fmt: skip
