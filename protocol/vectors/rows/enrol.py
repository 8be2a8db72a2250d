"""Enrolment: frames, tokens, keys and MACs of SPEC.md section 18."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Final

from .encoding import Row, diag, enc

TOKEN_ID: Final = bytes(range(16))
SECRET: Final = bytes(range(32, 64))
DIGEST: Final = hashlib.sha256(b"anchors").digest()
MAC: Final = hashlib.sha256(b"mac").digest()
REQUEST: Final = bytes.fromhex("3003020101")  # opaque here; a real one is PKCS #10
NAME: Final = "web1.example.net"
DOORS: Final = ["b1.example.net:7424", "[2001:db8::1]:7424"]
BROKERS: Final = ["b1.example.net:7422"]
TOKEN: Final[list[Any]] = [1, DOORS, DIGEST, TOKEN_ID, SECRET, "web*.example.net", "rip", 0]
ENROL: Final[list[Any]] = [3, TOKEN_ID, NAME, REQUEST, MAC]
ISSUED: Final[list[Any]] = [4, b"certificate", BROKERS, MAC]
ANCHORS: Final[list[Any]] = [2, b"root", [b"brokers"], [b"nodes"], [b"clients"]]


def hkdf(salt: bytes, secret: bytes, info: bytes) -> bytes:
    """RFC 5869 for one block of output."""
    extracted = hmac.digest(salt, secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def token_text(token: list[Any]) -> str:
    """CWP-18.2-1"""
    body = enc(token)
    data = body + hashlib.sha256(body).digest()[:4]
    return "cwpe1-" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def rows() -> list[Row]:
    """Return all rows."""
    return [*_valid(), *_invalid(), *_tokens(), *_bad_tokens(), *_proofs()]


def _frame(name: str, requirement: str, body: bytes, *, valid: bool, value: Any = None) -> Row:
    row = {"kind": "frame", "name": name, "requirement": requirement, "hex": body.hex()}
    shown = {"diagnostic": diag(value)} if value is not None else {}
    return row | {"valid": valid} | shown


def _valid() -> list[Row]:
    samples: list[tuple[str, str, list[Any]]] = [
        ("ask-anchors", "CWP-18.3-1", [1]),
        ("anchors", "CWP-18.3-1", ANCHORS),
        ("anchors of three issuers of nodes", "CWP-18.3-1", [2, b"r", [b"b"], [b"x", b"y", b"z"], [b"c"]]),
        ("anchors with issuers of logins", "CWP-21.1-7", [*ANCHORS, [b"logins"]]),
        ("anchors with a later item", "CWP-21.1-7", [*ANCHORS, "later"]),
        ("anchors with an empty list, a later item", "CWP-21.1-7", [*ANCHORS, []]),
        ("enrol", "CWP-18.4-2", ENROL),
        ("issued", "CWP-18.5-6", ISSUED),
        ("issued without brokers", "CWP-18.5-6", [4, b"certificate", [], MAC]),
        ("pending", "CWP-18.5-8", [5, 3000, MAC]),
        ("refused", "CWP-18.5-7", [6, 4, 0, "the token was used already"]),
        ("refused for a while", "CWP-18.5-7", [6, 8, 5000, ""]),
        ("ask-anchors with a later item", "CWP-18.3-1", [1, {1: "later"}]),
        ("enrol with a later item", "CWP-18.4-2", [*ENROL, None]),
        ("renew", "CWP-18.7-2", [7, b"request"]),
        ("renew with a later item", "CWP-18.7-2", [7, b"request", "later"]),
        ("renewed", "CWP-18.7-7", [8, b"certificate", b"issuer"]),
        ("refused because it was taken back", "CWP-18.7-3", [6, 9, 0, ""]),
        ("refused because it is no node", "CWP-18.7-3", [6, 10, 0, ""]),
        ("the longest refusal", "CWP-18.5-7", [6, 1, 4294967295, "x" * 256]),
    ]  # fmt: skip
    return [_frame(name, number, enc(v), valid=True, value=v) for name, number, v in samples]


def _with(frame: list[Any], at: int, value: Any) -> list[Any]:
    return [*frame[:at], value, *frame[at + 1 :]]


def _invalid() -> list[Row]:
    wrong: list[tuple[str, str, Any]] = [
        ("no array", "CWP-18.1-3", {1: 1}),
        ("an empty array", "CWP-18.1-3", []),
        ("a type that is text", "CWP-18.1-3", ["1"]),
        ("a type that is true", "CWP-18.1-3", [True]),
        ("type 0", "CWP-18.1-3", [0]),
        ("type 99", "CWP-18.1-3", [99]),
        ("anchors without clients", "CWP-18.3-1", ANCHORS[:4]),
        ("anchors with no issuer of nodes", "CWP-18.3-1", _with(ANCHORS, 3, [])),
        ("anchors with an empty certificate", "CWP-18.3-1", _with(ANCHORS, 1, b"")),
        ("anchors with a certificate as text", "CWP-18.3-1", _with(ANCHORS, 1, "root")),
        ("anchors with 17 issuers", "CWP-18.3-1", _with(ANCHORS, 2, [b"b"] * 17)),
        ("enrol with a short token id", "CWP-18.4-2", _with(ENROL, 1, TOKEN_ID[:15])),
        ("enrol with a long token id", "CWP-18.4-2", _with(ENROL, 1, TOKEN_ID + b"x")),
        ("enrol with a name in upper case", "CWP-18.4-1", _with(ENROL, 2, "WEB1")),
        ("enrol with a pattern for a name", "CWP-18.4-1", _with(ENROL, 2, "web*")),
        ("enrol with an empty name", "CWP-18.4-1", _with(ENROL, 2, "")),
        ("enrol with an empty signing request", "CWP-18.4-1", _with(ENROL, 3, b"")),
        ("enrol with a signing request of 3073 bytes", "CWP-18.1-4", _with(ENROL, 3, bytes(3073))),
        ("enrol with a short MAC", "CWP-18.4-2", _with(ENROL, 4, MAC[:31])),
        ("enrol without a MAC", "CWP-18.4-2", ENROL[:4]),
        ("issued with a broker without a port", "CWP-18.5-6", _with(ISSUED, 2, ["b1"])),
        ("issued with a broker on port 0", "CWP-18.5-6", _with(ISSUED, 2, ["b1:0"])),
        ("issued with a line end in a broker", "CWP-18.5-6", _with(ISSUED, 2, ["b1:7422\n"])),
        ("issued with 17 brokers", "CWP-18.5-6", _with(ISSUED, 2, ["b1:7422"] * 17)),
        ("pending with a negative time", "CWP-18.5-8", [5, -1, MAC]),
        ("pending with a time of 33 bits", "CWP-18.5-8", [5, 1 << 32, MAC]),
        ("refused for reason 0", "CWP-18.5-7", [6, 0, 0, ""]),
        ("refused for reason 99", "CWP-18.5-7", [6, 99, 0, ""]),
        ("renew without a request", "CWP-18.7-2", [7]),
        ("renew with an empty request", "CWP-18.7-2", [7, b""]),
        ("renew with a request of 4001 bytes", "CWP-18.7-2", [7, bytes(4001)]),
        ("renew with a request as text", "CWP-18.7-2", [7, "request"]),
        ("renewed without an issuer", "CWP-18.7-7", [8, b"certificate"]),
        ("renewed with an empty certificate", "CWP-18.7-7", [8, b"", b"issuer"]),
        ("refused with 257 bytes of text", "CWP-18.5-7", [6, 1, 0, "x" * 257]),
        ("refused with a control character", "CWP-18.5-7", [6, 1, 0, "\x1b[2J"]),
    ]
    made = [_frame(name, number, enc(v), valid=False, value=v) for name, number, v in wrong]
    return [
        *made,
        _frame("no bytes", "CWP-18.1-3", b"", valid=False),
        _frame("two items", "CWP-18.1-3", enc([1]) + enc([1]), valid=False),
        _frame("a float", "CWP-18.1-3", bytes.fromhex("8201f93c00"), valid=False),
        _frame("an indefinite array", "CWP-18.1-3", bytes.fromhex("9f01ff"), valid=False),
    ]


def _token(name: str, requirement: str, token: list[Any], *, valid: bool) -> Row:
    row: Row = {
        "kind": "token", "name": name, "requirement": requirement,
        "text": token_text(token), "valid": valid, "diagnostic": diag(token),
    }  # fmt: skip
    return row | ({"hex": enc(token).hex()} if valid else {})


def _tokens() -> list[Row]:
    return [
        _token("a token", "CWP-18.2-1", TOKEN, valid=True),
        _token("a token for one name", "CWP-18.2-6", _with(TOKEN, 5, NAME), valid=True),
        _token("a token for any name", "CWP-18.2-6", _with(TOKEN, 5, "*"), valid=True),
        _token("a token that allows everything", "CWP-18.2-1", _with(TOKEN, 7, 1), valid=True),
        _token("a token with a later item", "CWP-18.2-1", [*TOKEN, "later"], valid=True),
        _token("a token of version 2", "CWP-18.2-1", _with(TOKEN, 0, 2), valid=False),
        _token("a token without doors", "CWP-18.2-1", _with(TOKEN, 1, []), valid=False),
        _token("a token with nine stars", "CWP-18.2-6", _with(TOKEN, 5, "*" * 9), valid=False),
        _token("a token with a long secret", "CWP-18.2-1", _with(TOKEN, 4, bytes(33)), valid=False),
        _token("a token of no operator", "CWP-18.2-1", _with(TOKEN, 6, ""), valid=False),
        _token("a token of rights 2", "CWP-18.2-1", _with(TOKEN, 7, 2), valid=False),
    ]


def _bad_tokens() -> list[Row]:
    good = token_text(TOKEN)
    texts = {
        "no token": "hello",
        "an empty token": "cwpe1-",
        "a token cut short": good[:-1],
        "a token with one character changed": good[:20] + ("A" if good[20] != "A" else "B") + good[21:],
        "a token with padding": good + "=",
        "a token with another prefix": good.replace("cwpe1-", "cwpe2-"),
        "a token with a space inside": good[:30] + " " + good[30:],
        "a token in base64's other alphabet": good.replace("-", "+").replace("_", "/"),
    }  # fmt: skip
    return [
        {"kind": "token", "name": name, "requirement": "CWP-18.2-1", "text": text, "valid": False}
        for name, text in texts.items()
    ]


def _proofs() -> list[Row]:
    key = hkdf(TOKEN_ID, SECRET, b"cwp-enrol/1")
    request_input = enc(["cwp-enrol/1 request", TOKEN_ID, DIGEST, NAME, REQUEST])
    request = hmac.digest(key, request_input, "sha256")
    issued_input = enc(["cwp-enrol/1 issued", TOKEN_ID, request, b"certificate", BROKERS])
    pending_input = enc(["cwp-enrol/1 pending", TOKEN_ID, request, 3000])
    anchors = hashlib.sha256(enc(ANCHORS[1:])).digest()
    return [
        {
            "kind": "key", "name": "the key of a token", "requirement": "CWP-18.2-4",
            "token-id": TOKEN_ID.hex(), "secret": SECRET.hex(), "key": key.hex(),
        },
        {
            "kind": "digest", "name": "the digest of anchors", "requirement": "CWP-18.3-2",
            "hex": enc(ANCHORS).hex(), "digest": anchors.hex(),
        },
        {
            "kind": "digest", "name": "the digest of anchors with issuers of logins", "requirement": "CWP-21.1-7",
            "hex": enc([*ANCHORS, [b"logins"]]).hex(),
            "digest": hashlib.sha256(enc([*ANCHORS[1:], [b"logins"]])).hexdigest(),
        },
        {
            "kind": "request-mac", "name": "the MAC of an ENROL", "requirement": "CWP-18.4-2",
            "key": key.hex(), "token-id": TOKEN_ID.hex(), "anchors-digest": DIGEST.hex(),
            "principal": NAME, "signing-request": REQUEST.hex(), "input": request_input.hex(), "mac": request.hex(),
        },
        {
            "kind": "issued-mac", "name": "the MAC of an ISSUED", "requirement": "CWP-18.5-6",
            "key": key.hex(), "token-id": TOKEN_ID.hex(), "request-mac": request.hex(),
            "certificate": b"certificate".hex(), "brokers": BROKERS, "input": issued_input.hex(),
            "mac": hmac.digest(key, issued_input, "sha256").hex(),
        },
        {
            "kind": "pending-mac", "name": "the MAC of a PENDING", "requirement": "CWP-18.5-6",
            "key": key.hex(), "token-id": TOKEN_ID.hex(), "request-mac": request.hex(),
            "retry-after-ms": 3000, "input": pending_input.hex(),
            "mac": hmac.digest(key, pending_input, "sha256").hex(),
        },
        *_fits(),
    ]  # fmt: skip


def _fits() -> list[Row]:
    pairs = [
        ("web1", "web1", True), ("web1", "web10", False), ("web*", "web", True), ("web*", "web1.example.net", True),
        ("web*.example.net", "web.example.net", True), ("web*.example.net", "web1.example.org", False),
        ("*", "anything", True), ("ab*ba", "aba", False), ("a*b*c", "a1b2c", True), ("a*b*c", "a1c2b", False),
        ("*web", "web1", False), ("**", "x", True),
    ]  # fmt: skip
    return [
        {
            "kind": "fits", "name": f"{pattern} and {name}", "requirement": "CWP-18.2-6",
            "pattern": pattern, "principal": name, "fits": fits,
        }
        for pattern, name, fits in pairs
    ]  # fmt: skip
