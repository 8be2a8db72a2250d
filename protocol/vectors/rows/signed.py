"""The rows of ``envelopes.json``: SPEC.md sections 13.2 and 13.3.

``error`` names the step of CWP-13.6-1 that fails: ``cose`` (shape), ``certificate``, ``signature``.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .authority import (
    AAD_REPLY,
    AAD_REQUEST,
    ES256,
    PS256,
    RS256,
    Holder,
    protected,
    sealed,
    sign,
    thumbprint,
)
from .encoding import Raw, Row, diag, enc, head

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256

_BAD_CERTIFICATES: Final[list[tuple[str, str]]] = [
    ("expired", "13.2-3"),
    ("not yet", "13.2-3"),
    ("for servers", "13.2-1"),
    ("foreign", "13.3-9"),
    ("by the node issuer", "2.2-4"),
    ("node by the client issuer", "2.2-4"),
    ("same issuer name", "2.2-4"),
    ("two URIs", "2.2-2"),
    ("no URI", "2.2-2"),
    ("upper case", "2.2-3"),
    ("percent", "2.2-3"),
    ("path", "2.2-3"),
    ("role unknown", "2.2-1"),
    ("CA", "13.2-1"),
    ("not for signing", "13.2-1"),
    ("critical extension", "13.2-1"),
    ("RSA 1024", "3-7"),
    ("web1", "13.3-9"),
    ("broker", "13.3-9"),
    ("relay", "13.3-9"),
]


class Maker:
    """Signs one payload for one use, well or badly."""

    def __init__(self, holder: Holder, payload: bytes, aad: bytes, algorithm: int = ES256) -> None:
        """Keep what every message of this maker shares."""
        self.holder, self.payload, self.aad, self.algorithm = holder, payload, aad, algorithm
        self.header = protected(holder, algorithm)
        self.chain: dict[int, Any] = {33: holder.der}

    def parts(self, header: Any = None, chain: Any = None) -> list[Any]:
        """The four parts, rightly signed whatever the headers hold."""
        encoded = (
            header if isinstance(header, bytes) else enc(self.header if header is None else header)
        )
        signature = sign(self.holder, encoded, self.payload, self.aad, self.algorithm)
        return [encoded, self.chain if chain is None else chain, self.payload, signature]

    def whole(self, header: Any = None, chain: Any = None) -> bytes:
        """The message of these parts."""
        return sealed(self.parts(header, chain))


def rows(who: dict[str, Holder], request: dict[int, Any], reply: dict[int, Any]) -> list[Row]:
    """Return the rows."""
    asked = Maker(who["rip"], enc(request), AAD_REQUEST)
    discovery = asked.whole()
    answer = enc(reply | {3: hashlib.sha256(discovery).digest()})
    answered = Maker(who["web1"], answer, AAD_REPLY)
    bad = [
        _row(f"signed by {name}", "request", Maker(who[name], enc(request), AAD_REQUEST, _algorithm(name)).whole(),
             number, error="certificate")
        for name, number in _BAD_CERTIFICATES
    ]  # fmt: skip
    return [
        _row("discovery", "request", discovery, "13.3-1", signer="rip", diagnostic=_shown(asked, request, discovery)),
        *_good(who, asked, answered),
        *_bad_shapes(asked, who),
        *bad,
        _row("signed by a client", "reply", Maker(who["rip"], answer, AAD_REPLY).whole(), "13.3-9", error="certificate"),
        _row("signed by a broker", "reply", Maker(who["broker"], answer, AAD_REPLY).whole(), "13.3-9", error="certificate"),
        *_bad_signatures(who, asked, answered),
    ]  # fmt: skip


def _shown(maker: Maker, payload: dict[int, Any], message: bytes) -> str:
    headers = f"<<{diag(maker.header)}>>, {diag(maker.chain)}"
    return f"18([{headers}, <<{diag(payload)}>>, {diag(message[-64:])}])"


def _algorithm(name: str) -> int:
    return PS256 if name == "RSA 1024" else ES256


def _good(who: dict[str, Holder], asked: Maker, answered: Maker) -> list[Row]:
    payload = asked.payload
    r_and_s = asked.parts()[3]
    mirrored = r_and_s[:32] + (_ORDER - int.from_bytes(r_and_s[32:], "big")).to_bytes(32, "big")
    encoded = enc(asked.header)
    return [
        _row("by a service", "request", Maker(who["aaa"], payload, AAD_REQUEST).whole(), "13.3-9", signer="aaa"),
        _row("PS256", "request", Maker(who["puppet"], payload, AAD_REQUEST, PS256).whole(), "13.3-4", signer="puppet"),
        _row("RS256", "request", Maker(who["puppet"], payload, AAD_REQUEST, RS256).whole(), "13.3-4", signer="puppet"),
        _row("content type and unknown labels", "request",
             asked.whole(asked.header | {3: "application/cbor", 99: [1], "x": None}), "13.3-2", signer="rip"),
        _row("(r, n-s) instead of (r, s)", "request", sealed([encoded, asked.chain, payload, mirrored]), "13.6-7", signer="rip"),
        _row("with certificate", "reply", answered.whole(), "13.3-8", signer="web1"),
        _row("with the hash only", "reply", answered.whole(chain={}), "13.3-8", signer="web1"),
        _row("by a service", "reply", Maker(who["aaa"], answered.payload, AAD_REPLY).whole(), "13.3-9", signer="aaa"),
    ]  # fmt: skip


def _bad_shapes(asked: Maker, who: dict[str, Holder]) -> list[Row]:
    parts, header, whole = asked.parts(), asked.header, asked.whole()
    sha1 = {**header, 34: [-14, bytes(20)]}
    short = {**header, 34: [-16, bytes(31)]}
    no_alg = {34: header[34]}
    cases: list[tuple[str, bytes, str]] = [
        ("nothing", b"", "13.3-1"),
        ("without tag", whole[1:], "13.3-1"),
        ("tag 17", sealed(parts, tag=17), "13.3-1"),
        ("tag 98, COSE_Sign", sealed(parts, tag=98), "13.3-1"),
        ("tag 18 in two bytes", b"\xd8\x12" + whole[1:], "13.3-1"),
        ("tagged twice", b"\xd2" + whole, "13.3-1"),
        ("three parts", sealed(parts[:3]), "13.3-1"),
        ("five parts", sealed([*parts, b""]), "13.3-1"),
        ("indefinite array", b"\xd2\x9f" + b"".join(map(enc, parts)) + b"\xff", "13.3-1"),
        ("a byte more", whole + b"\0", "13.3-1"),
        ("a byte less", whole[:-1], "13.3-1"),
        ("detached payload", sealed([*parts[:2], None, parts[3]]), "13.3-1"),
        ("protected header as a map", sealed([header, *parts[1:]]), "13.3-1"),
        ("protected header in another order", asked.whole(_swapped(header)), "13.3-1"),
        ("empty protected header", asked.whole(b""), "13.3-2"),
        ("protected header is an array", asked.whole(enc([1, 2])), "13.3-1"),
        ("unprotected header is an array", sealed([parts[0], [], *parts[2:]]), "13.3-1"),
        ("no alg", asked.whole(no_alg), "13.3-2"),
        ("alg unprotected", asked.whole(no_alg, {1: ES256, **asked.chain}), "13.3-2"),
        ("alg in both headers", asked.whole(None, {1: ES256, **asked.chain}), "13.3-2"),
        ("alg EdDSA", asked.whole({**header, 1: -8}), "13.3-4"),
        ("alg ES384", asked.whole({**header, 1: -35}), "13.3-4"),
        ("alg as text", asked.whole({**header, 1: "ES256"}), "13.3-4"),
        ("no x5t", asked.whole({1: ES256}), "13.3-2"),
        ("x5t unprotected", asked.whole({1: ES256}, {34: header[34], **asked.chain}), "13.3-2"),
        ("x5t by SHA-1", asked.whole(sha1), "13.3-2"),
        ("x5t of 31 bytes", asked.whole(short), "13.3-2"),
        ("x5t of another certificate", asked.whole({**header, 34: [-16, thumbprint(who["rip again"].der)]}), "13.3-7"),
        ("kid unprotected", asked.whole(None, {4: b"rip", **asked.chain}), "13.3-2"),
        ("text label unprotected", asked.whole(None, {"x": 1, **asked.chain}), "13.3-2"),
        ("x5chain as an array", asked.whole(None, {33: [asked.holder.der]}), "13.3-7"),
        ("x5chain of another certificate", asked.whole(None, {33: who["rip again"].der}), "13.3-7"),
        ("x5chain of 16385 bytes", asked.whole(None, {33: bytes(16385)}), "13.2-4"),
        ("crit with an unknown label", asked.whole({**header, 2: [99], 99: 1}), "13.3-3"),
        ("crit with a label that is not there", asked.whole({**header, 2: [99]}), "13.3-3"),
        ("empty crit", asked.whole({**header, 2: []}), "13.3-3"),
        ("crit is no array", asked.whole({**header, 2: 99, 99: 1}), "13.3-3"),
        ("crit unprotected", asked.whole(None, {2: [1], **asked.chain}), "13.3-2"),
        ("a float in the protected header", asked.whole({**header, 99: 1.5}), "5-5"),
        ("signature of 513 bytes", sealed([*parts[:3], bytes(513)]), "13.3-4"),
    ]  # fmt: skip
    return [_row(name, "request", data, number, error="cose") for name, data, number in cases]


def _swapped(header: dict[int, Any]) -> bytes:
    pairs = [enc(key) + enc(value) for key, value in sorted(header.items(), reverse=True)]
    return bytes(Raw(head(5, len(pairs)) + b"".join(pairs)))


def _bad_signatures(who: dict[str, Holder], asked: Maker, answered: Maker) -> list[Row]:
    encoded, chain, payload, signature = asked.parts()
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    other = Maker(who["rip again"], payload, AAD_REQUEST).parts()[3]
    on_rsa = Maker(who["puppet"], payload, AAD_REQUEST, PS256)
    rsa_parts = on_rsa.parts()
    as_reply = Maker(who["rip"], payload, AAD_REPLY).whole()
    as_request = Maker(who["web1"], answered.payload, AAD_REQUEST).whole()
    unbound = Maker(who["rip"], payload, b"").whole()
    cases: list[tuple[str, str, bytes, str]] = [
        ("a bit of the signature flipped", "request", sealed([encoded, chain, payload, flipped]), "13.3-1"),
        ("a byte of the payload changed", "request", sealed([encoded, chain, payload[:-1] + b"\x01", signature]), "13.3-1"),
        ("a protected label added", "request", sealed([enc({**asked.header, 99: 1}), chain, payload, signature]), "13.3-1"),
        ("by another key of the same principal", "request", sealed([encoded, chain, payload, other]), "13.3-7"),
        ("zeros", "request", sealed([encoded, chain, payload, bytes(64)]), "13.3-4"),
        ("in DER", "request", sealed([encoded, chain, payload, encode_dss_signature(r, s)]), "13.3-4"),
        ("of 63 bytes", "request", sealed([encoded, chain, payload, signature[:63]]), "13.3-4"),
        ("empty", "request", sealed([encoded, chain, payload, b""]), "13.3-4"),
        ("a reply's purpose", "request", as_reply, "13.3-6"),
        ("a request's purpose", "reply", as_request, "13.3-6"),
        ("no purpose", "request", unbound, "13.3-6"),
        ("PS256 named with a P-256 key", "request", asked.whole({**asked.header, 1: PS256}), "13.3-4"),
        ("ES256 named with an RSA key", "request", on_rsa.whole({**on_rsa.header, 1: ES256}), "13.3-4"),
        ("RS256 named, PS256 made", "request", on_rsa.whole({**on_rsa.header, 1: RS256}), "13.3-4"),
        ("RSA, a byte short", "request", sealed([*rsa_parts[:3], rsa_parts[3][:-1]]), "13.3-4"),
    ]  # fmt: skip
    return [
        _row(f"signature: {name}", kind, data, number, error="signature")
        for name, kind, data, number in cases
    ]


def _row(name: str, kind: str, data: bytes, requirement: str, **rest: Any) -> Row:
    valid = "signer" in rest
    hashed = {"sha256": hashlib.sha256(data).hexdigest()} if valid else {}
    return {
        "name": f"{kind}: {name}",
        "kind": kind,
        "hex": data.hex(),
        "valid": valid,
        **rest,
        **hashed,
        "requirement": f"CWP-{requirement}",
    }
