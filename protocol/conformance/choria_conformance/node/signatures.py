"""Sections 13.2 and 13.3 at a node: whose signature counts, and every wrong shape of an envelope."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from choria_conformance.cases import Section
from choria_conformance.cbor import Raw, Tag, encode, head
from choria_conformance.cose import (
    ES256,
    PS256,
    REPLY,
    REQUEST,
    RS256,
    Signing,
    parts,
    raw_signature,
    sign,
    thumbprint,
    to_be_signed,
)
from choria_conformance.messages import Refusal
from choria_conformance.verdicts import Skipped

from .lab import NodeLab

SECTION = Section("node/signatures")

# What, requirement, how it is signed otherwise. Never answered.
SILENT: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("signed-as-a-reply", "13.3-6", {"aad": REPLY}),
    ("signed-without-aad", "13.3-6", {"aad": b""}),
    ("no-algorithm", "13.3-2", {"protected": {1: None}}),
    ("no-thumbprint", "13.3-2", {"protected": {34: None}}),
    ("algorithm-of-rsa", "13.3-4", {"protected": {1: PS256}}),
    ("algorithm-eddsa", "13.3-4", {"protected": {1: -8}}),
    ("algorithm-as-text", "13.3-4", {"protected": {1: "ES256"}}),
    ("thumbprint-sha-1", "13.3-2", {"protected": {34: [-14, bytes(20)]}}),
    ("thumbprint-of-another", "13.3-7", {"protected": {34: [-16, bytes(32)]}}),
    ("thumbprint-bytes", "13.3-2", {"protected": {34: bytes(32)}}),
    ("crit-unknown-label", "13.3-3", {"protected": {2: [1000], 1000: 1}}),
    ("crit-known-labels", "13.3-3", {"protected": {2: [1000]}}),
    ("crit-empty", "13.3-3", {"protected": {2: []}}),
    ("crit-no-array", "13.3-3", {"protected": {2: 1}}),
    ("algorithm-unprotected", "13.3-2", {"protected": {1: None}, "unprotected": {1: ES256}}),
    ("algorithm-in-both", "13.3-2", {"unprotected": {1: ES256}}),
    (
        "thumbprint-unprotected",
        "13.3-2",
        {"protected": {34: None}, "unprotected": {34: [-16, bytes(32)]}},
    ),
    ("unknown-label-unprotected", "13.3-2", {"unprotected": {1000: 1}}),
    ("key-id-unprotected", "13.3-2", {"unprotected": {4: b"rip"}}),
    ("chain-in-the-protected-header-too", "13.3-2", {"protected": {33: b"x"}}),
    ("chain-as-an-array", "13.3-1", {"unprotected": {33: [b"x", b"y"]}}),
    ("chain-empty", "13.3-1", {"unprotected": {33: b""}}),
    ("chain-no-certificate", "13.3-7", {"unprotected": {33: b"no certificate"}}),
    ("duplicate-label-in-the-protected-header", "13.3-1", {}),
)

# Who signs what no node may believe.
SIGNERS: Final = (
    ("node-2", "13.3-9"), ("relay-1", "13.3-9"), ("broker", "13.3-9"), ("odd/expired", "13.2-3"),
    ("odd/not-yet", "13.2-3"), ("odd/two-uris", "2.2-2"), ("odd/no-uri", "2.2-2"),
    ("odd/upper-case", "2.2-3"), ("odd/node-by-clients", "2.2-4"), ("odd/client-by-nodes", "2.2-4"),
    ("odd/member-by-brokers", "2.2-5"), ("odd/authority", "13.2-1"), ("odd/may-not-sign", "13.2-1"),
    ("odd/for-servers", "13.2-1"), ("odd/critical-unknown", "13.2-1"), ("odd/grants-truncated", "13.2-5"),
    ("odd/outsider-client", "13.3-9"), ("odd/impostor-client", "2.2-4"),
    ("odd/any-purpose", "13.2-8"), ("odd/upper-case-scheme", "2.2-8"), ("odd/issued-by-a-member", "13.2-2"),
)  # fmt: skip


async def _silent(signing: dict[str, Any], lab: NodeLab) -> None:
    what = lab.ask()
    await lab.expect_silent(lab.signed(what, **signing), lab.reply_field(what))


for _what, _number, _signing in SILENT[:-1]:
    SECTION.add(f"silent/{_what}", [_number, "13.6-1"], partial(_silent, _signing))


def _four(lab: NodeLab, what: dict[Any, Any]) -> list[Any]:
    who = lab.principal("client-1")
    return parts(encode(what), Signing(who.key, who.der))


def _resigned(lab: NodeLab, what: dict[Any, Any], protected: bytes) -> bytes:
    """An envelope whose protected header is these bytes, and the signature covers them."""
    who, payload = lab.principal("client-1"), encode(what)
    signature = raw_signature(who.key, ES256, to_be_signed(protected, REQUEST, payload))
    return encode(Tag(18, [protected, {33: who.der}, payload, signature]))


def _header(lab: NodeLab) -> dict[int, Any]:
    return {1: ES256, 34: thumbprint(lab.principal("client-1").der)}


def _shape(make: Any) -> Any:
    async def run(lab: NodeLab) -> None:
        what = lab.ask()
        await lab.expect_silent(make(lab, what), lab.reply_field(what))

    return run


def _pieces(change: Any) -> Any:
    """From the four right items to a wrong envelope."""
    return _shape(lambda lab, what: change(_four(lab, what)))


SHAPES: Final = {
    "without-tag": ("13.3-1", _pieces(encode)),
    "tag-17": ("13.3-1", _pieces(lambda four: encode(Tag(17, four)))),
    "tag-98": ("13.3-1", _pieces(lambda four: encode(Tag(98, four)))),
    "two-tags": ("13.3-1", _pieces(lambda four: encode(Tag(18, Tag(18, four))))),
    "tag-in-a-longer-form": ("5-1", _pieces(lambda four: b"\xd8\x12" + encode(four))),
    "three-items": ("13.3-1", _pieces(lambda four: encode(Tag(18, four[:3])))),
    "five-items": ("13.3-1", _pieces(lambda four: encode(Tag(18, [*four, None])))),
    "detached-payload": ("13.3-1", _pieces(lambda four: encode(Tag(18, [four[0], four[1], None, four[3]])))),
    "payload-as-text": ("13.3-1", _pieces(lambda four: encode(Tag(18, [four[0], four[1], "x", four[3]])))),
    "byte-behind": ("5-8", _pieces(lambda four: encode(Tag(18, four)) + b"\0")),
    "cut-off": ("5-8", _pieces(lambda four: encode(Tag(18, four))[:-1])),
    "indefinite-array": ("13.3-1", _pieces(lambda four: b"\xd2\x9f" + b"".join(map(encode, four)) + b"\xff")),
    "longer-array-head": ("13.3-1", _pieces(lambda four: b"\xd2" + head(4, 4, size=1) + b"".join(map(encode, four)))),
    "signature-in-der": ("13.3-4", _pieces(lambda four: encode(Tag(18, [*four[:3], b"\x30" + bytes(70)])))),
    "signature-of-zeros": ("13.6-1", _pieces(lambda four: encode(Tag(18, [*four[:3], bytes(64)])))),
    "signature-cut-off": ("13.3-4", _pieces(lambda four: encode(Tag(18, [*four[:3], four[3][:-1]])))),
    "signature-empty": ("13.6-1", _pieces(lambda four: encode(Tag(18, [*four[:3], b""])))),
    "payload-changed": ("13.6-1", _pieces(lambda four: encode(Tag(18, [four[0], four[1], four[2][:-1] + b"\x01", four[3]])))),
    "protected-changed": ("13.6-1", _pieces(lambda four: encode(Tag(18, [encode({1: ES256, 34: [-16, bytes(32)]}), *four[1:]])))),
    "protected-empty": ("13.3-2", _pieces(lambda four: encode(Tag(18, [b"", *four[1:]])))),
    "protected-as-map": ("13.3-1", _pieces(lambda four: encode(Tag(18, [{1: ES256}, *four[1:]])))),
    "unprotected-with-a-key-twice": ("13.3-1", _pieces(
        lambda four: encode(Tag(18, [four[0], Raw(b"\xa2" + (encode(33) + encode(four[1][33])) * 2), four[2], four[3]])))),
    "bare-request": ("13.1-1", _shape(lambda lab, what: encode(what))),
    "nothing": ("13.1-1", _shape(lambda lab, what: b"")),
    "protected-out-of-order": ("13.3-1", _shape(lambda lab, what: _resigned(
        lab, what, b"\xa2" + encode(34) + encode(_header(lab)[34]) + encode(1) + encode(ES256)))),
    "protected-with-a-label-twice": ("13.3-1", _shape(lambda lab, what: _resigned(
        lab, what, b"\xa3" + (encode(1) + encode(ES256)) * 2 + encode(34) + encode(_header(lab)[34])))),
    "protected-with-a-longer-head": ("13.3-1", _shape(lambda lab, what: _resigned(
        lab, what, b"\xb8\x02" + encode(_header(lab))[1:]))),
    "protected-with-bytes-behind": ("13.3-1", _shape(lambda lab, what: _resigned(
        lab, what, encode(_header(lab)) + b"\0"))),
    "protected-with-a-byte-string-label": ("13.3-10", _shape(lambda lab, what: _resigned(
        lab, what, encode({**_header(lab), b"x": 1})))),
    "protected-with-a-float": ("5-5", _shape(lambda lab, what: _resigned(
        lab, what, encode({**_header(lab), 1000: 1.5})))),
}  # fmt: skip
for _what, (_number, _run) in SHAPES.items():
    SECTION.add(f"shape/{_what}", [_number] if _number == "13.6-1" else [_number, "13.6-1"], _run)


async def _signer(who: str, lab: NodeLab) -> None:
    what = lab.ask()
    principal = lab.principal(who)
    field = (
        lab.reply_field(what)
        if principal.folder.parent.name == "odd"
        else lab.reply_field(what, who)
    )
    await lab.expect_silent(lab.signed(what, who), field)


for _who, _number in SIGNERS:
    SECTION.add(f"signer/{_who.replace('odd/', '')}", [_number, "13.6-1"] if _number != "13.6-1" else [_number],
                partial(_signer, _who))  # fmt: skip


@SECTION.case("protected-label-nobody-knows", "13.3-2")
async def unknown_protected(lab: NodeLab) -> None:
    what = lab.ask()
    envelope = lab.signed(what, protected={1000: ["anything"], "text": 1, 3: "application/cbor"})
    await lab.expect_answer(what, envelope)


@SECTION.case("somebody-s-signature-with-another-s-certificate", "13.3-9", "13.6-1")
async def other_key(lab: NodeLab) -> None:
    what = lab.ask()
    eve, rip = lab.principal("client-2"), lab.principal("client-1")
    await lab.expect_silent(sign(encode(what), Signing(eve.key, rip.der)), lab.reply_field(what))


@SECTION.case("services-may-call", "13.3-9")
async def service_calls(lab: NodeLab) -> None:
    """Proved, then judged by policy: DENIED is an answer, silence is not."""
    await lab.expect_answer(lab.ask(), caller="service-1", wants=Refusal.DENIED)


@SECTION.case("without-certificate-from-a-stranger", "13.3-8")
async def no_chain(lab: NodeLab) -> None:
    what = lab.ask()
    envelope = lab.signed(what, "client-events", chain=False)
    await lab.expect_silent(envelope, lab.reply_field(what, "client-events"))


async def _rsa(algorithm: int, wants: Refusal | None, lab: NodeLab) -> None:
    what = lab.ask()
    caller = "odd/rsa-2048"
    envelope = lab.signed(what, caller, algorithm=algorithm)
    await lab.expect_answer(what, envelope, caller=caller, wants=wants)


for _what, _algorithm in (("ps256", PS256), ("rs256", RS256)):
    SECTION.add(f"rsa/{_what}", ["13.3-4"], partial(_rsa, _algorithm, Refusal.DENIED))


@SECTION.case("rsa/as-es256", "13.3-4", "13.6-1")
async def rsa_as_es256(lab: NodeLab) -> None:
    what = lab.ask()
    envelope = lab.signed(what, "odd/rsa-2048", protected={1: ES256})
    await lab.expect_silent(envelope, lab.reply_field(what, "odd/rsa-2048"))


@SECTION.case("rsa/ps256-with-another-salt", "13.3-4")
async def other_salt(lab: NodeLab) -> None:
    what, who = lab.ask(), lab.principal("odd/rsa-2048")
    if not isinstance(who.key, rsa.RSAPrivateKey):
        raise Skipped("odd/rsa-2048 has no RSA key")
    four = parts(encode(what), Signing(who.key, who.der))
    salted = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=20)
    four[3] = who.key.sign(to_be_signed(four[0], REQUEST, four[2]), salted, hashes.SHA256())
    await lab.expect_silent(encode(Tag(18, four)), lab.reply_field(what, "odd/rsa-2048"))
