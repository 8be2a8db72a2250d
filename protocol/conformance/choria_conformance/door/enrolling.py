"""Sections 18.2, 18.4 and 18.5 at a door: who gets a certificate, and in which order that is judged."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any, Final

import trio
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from choria_conformance.cases import Section
from choria_conformance.certificates import new_key, usage
from choria_conformance.enrolment import (
    Enrol,
    Frame,
    No,
    Token,
    damaged,
    enrol,
    mac,
    mac_of_issued,
    odd_keys,
    signing_request,
)
from choria_conformance.names import fresh_token
from choria_conformance.principals import uris_of
from choria_conformance.verdicts import check, equal

from .lab import DoorLab
from .process import BROKERS

SECTION = Section("door/enrolling")


@SECTION.case("issued", "18.5-6", "18.4-2", "18.2-4", "18.2-5", "13.2-1")
async def issued(lab: DoorLab) -> None:
    token, key = lab.doors.token("exact"), new_key()
    check_certificate(lab, await lab.expect_issued(token, token.pattern, key), token.pattern, key)


def check_certificate(lab: DoorLab, der: bytes, name: str, key: ec.EllipticCurvePrivateKey) -> None:
    """A node's certificate as section 13.2 wants it, for this name and key."""
    found = x509.load_der_x509_certificate(der)
    issuer = x509.load_der_x509_certificate(bytes(lab.doors.anchors[2][0]))
    try:
        found.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        check(False, "the certificate is not the node issuer's")  # noqa: FBT003
    equal([uri for uri in uris_of(der) if uri.lower().startswith("choria:")],
          [f"choria://node/{name}"], "the choria URIs")  # fmt: skip
    check(found.public_key() == key.public_key(), "the certificate is for another key")
    now = dt.datetime.now(tz=dt.UTC)
    check(found.not_valid_before_utc <= now <= found.not_valid_after_utc, "it is not valid now")
    extensions = found.extensions
    basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    check(not basic.ca, "the certificate is an authority's")
    used = extensions.get_extension_for_class(x509.KeyUsage).value
    check(used.digital_signature and not used.key_cert_sign and not used.crl_sign, "the key usage")
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    check(ExtendedKeyUsageOID.CLIENT_AUTH in purposes, "the certificate is not for clients of TLS")
    check(len(der) <= 16384, "the certificate is too large")


@SECTION.case("brokers-of-issued", "18.5-6")
async def brokers(lab: DoorLab) -> None:
    token = lab.doors.token("exact")
    question = enrol(token, token.pattern, signing_request(new_key()))
    answer = await lab.ask(question)
    equal(answer[0], Enrol.ISSUED, "the type of the answer")
    equal(answer[2], list(BROKERS), "the brokers")
    equal(answer[3], mac_of_issued(token, question, answer[1], list(BROKERS)), "the MAC")


@SECTION.case("the-node-issuer-s-key-is-enough", "18.1-6")
async def key_of_nodes(lab: DoorLab) -> None:
    """The CA's folder was given to the door with one key in it; nothing else signs here."""
    token = lab.doors.token("exact")
    await lab.expect_issued(token, token.pattern)
    keys = sorted(path.name for path in lab.doors.ca.rglob("*.key"))
    equal(keys, ["nodes.key"], "the keys beside the door")


def _wrong_macs(token: Token, name: str, request: bytes) -> dict[str, Frame]:
    """Questions that hold no right MAC, each wrong in one way."""
    about: tuple[Any, ...] = ("cwp-enrol/1 request", token.token_id, token.digest, name, request)
    good = enrol(token, name, request)

    def with_mac(value: bytes) -> Frame:
        return [*good[:4], value]

    return {
        "a-bit": with_mac(bytes([good[4][0] ^ 1]) + good[4][1:]),
        "zeros": with_mac(bytes(32)),
        "the-secret-as-key": with_mac(mac(token.secret, *about)),
        "the-secret-itself": with_mac(token.secret),
        "the-key-itself": with_mac(token.key),
        "another-label": with_mac(mac(token.key, "cwp-enrol/1 issued", *about[1:])),
        "another-network": with_mac(mac(token.key, *about[:2], bytes(32), *about[3:])),
        "made-for-another-name": [*good[:2], "other.example.net", *good[3:]],
        "made-for-another-request": [*good[:3], signing_request(new_key()), good[4]],
        "unknown-token": [good[0], fresh_token(), *good[2:]],
    }


_MACS: Final = tuple(_wrong_macs(Token("a", bytes(32)), "a", b"x"))


async def _wrong_mac(what: str, lab: DoorLab) -> None:
    """Refused, and the token is as good as before: nothing was stored."""
    token = lab.doors.token("exact")
    name, request = token.pattern, signing_request(new_key())
    await lab.expect_refused(_wrong_macs(token, name, request)[what], No.NOT_PROVED)
    await lab.expect_issued(token, name)


for _what in _MACS:
    SECTION.add(f"wrong-mac/{_what}", ["18.5-1", "18.5-2"], partial(_wrong_mac, _what))


@SECTION.case("unknown-tokens-and-wrong-macs-get-one-answer", "18.5-2")
async def one_answer(lab: DoorLab) -> None:
    token = lab.doors.token("exact")
    wrong = _wrong_macs(token, token.pattern, signing_request(new_key()))
    answers = [
        await lab.expect_refused(wrong[w], No.NOT_PROVED) for w in ("a-bit", "unknown-token")
    ]
    equal(answers[1], answers[0], "the answer to an unknown token beside that to a wrong MAC")


# What, kind of token, the name that is asked for (* stands for the token's own part), whether it fits.
NAMES: Final[tuple[tuple[str, str, str, bool], ...]] = (
    ("exact-other", "exact", "other.example.net", False),
    ("exact-longer", "exact", "{}x", False),
    ("exact-part", "exact", "{:.2}", False),
    ("star-something", "star", "{}a.example.net", True),
    ("star-nothing-and-an-end", "star", "{}9", True),
    ("star-shorter", "star", "{:.2}", False),
    ("star-something-before", "star", "a{}b", False),
)


async def _named(kind: str, name: str, fits: bool, lab: DoorLab) -> None:  # noqa: FBT001
    token = lab.doors.token(kind)
    asked = name.format(token.pattern.rstrip("*"))
    if fits:
        check_certificate(lab, await lab.expect_issued(token, asked, key := new_key()), asked, key)
    else:
        wrong = enrol(token, asked, signing_request(new_key()))
        await lab.expect_refused(wrong, No.WRONG_NAME)


for _what, _kind, _name, _fits in NAMES:
    SECTION.add(f"names/{_what}", ["18.2-6", "18.5-1"], partial(_named, _kind, _name, _fits))


@SECTION.case("names/two-stars", "18.2-6")
async def two_stars(lab: DoorLab) -> None:
    """``*-x0-*``: each star stands for any characters or none, and the whole name is covered."""
    token = lab.doors.token("two-stars")
    middle = token.pattern.strip("*")
    for name in (f"a{middle[:-1]}", middle[1:] + "b", f"a{middle}_b_"):
        wrong = enrol(token, name, signing_request(new_key()))
        answer = await lab.ask(wrong)
        check(answer[0] == Enrol.REFUSED, f"{name} passed for {token.pattern}")
    await lab.expect_issued(token, f"a{middle}b{middle}c")


async def _bad_request(make: Any, lab: DoorLab) -> None:
    """Refused, and the token is not used up."""
    token = lab.doors.token("exact")
    await lab.expect_refused(enrol(token, token.pattern, make()), No.BAD_REQUEST)
    await lab.expect_issued(token, token.pattern)


for _what, _make in {
    "garbage": lambda: b"no signing request",
    "signature-of-another-key": lambda: damaged(signing_request(new_key())),
    "bytes-behind": lambda: signing_request(new_key()) + b"\0",
    "p-384": lambda: signing_request(odd_keys()["p-384"]),
    "rsa": lambda: signing_request(odd_keys()["rsa-2048"]),
    "ed25519": lambda: signing_request(odd_keys()["ed25519"]),
}.items():
    SECTION.add(f"bad-request/{_what}", ["18.5-4", "18.5-1"], partial(_bad_request, _make))


@SECTION.case("what-else-a-signing-request-says", "18.5-4", "18.2-5")
async def ambitious(lab: DoorLab) -> None:
    """Another name and role, a CA, another purpose: nothing of it is read."""
    token, key = lab.doors.token("exact"), new_key()
    request = signing_request(
        key,
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier("choria://client/rip")]),
        x509.BasicConstraints(ca=True, path_length=0),
        usage(issue=True),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        name="choria://broker/b1.example.net",
    )
    der = await lab.expect_issued(token, token.pattern, request=request)
    check_certificate(lab, der, token.pattern, key)


@SECTION.case("again-with-the-same-bytes", "18.5-3", "18.4-3")
async def again(lab: DoorLab) -> None:
    token, request = lab.doors.token("exact"), signing_request(new_key())
    first = await lab.expect_issued(token, token.pattern, request=request)
    second = await lab.expect_issued(token, token.pattern, request=request)
    check(first == second, "the same question got another certificate")


@SECTION.case("again-with-another-key", "18.5-3")
async def another_key(lab: DoorLab) -> None:
    token = lab.doors.token("exact")
    await lab.expect_issued(token, token.pattern)
    await lab.expect_refused(enrol(token, token.pattern, signing_request(new_key())), No.SPENT)


@SECTION.case("again-with-another-name", "18.5-3")
async def another_name(lab: DoorLab) -> None:
    token, request = lab.doors.token("star"), signing_request(new_key())
    begin = token.pattern.rstrip("*")
    await lab.expect_issued(token, f"{begin}a", request=request)
    await lab.expect_refused(enrol(token, f"{begin}b", request), No.SPENT)


@SECTION.case("six-at-once", "18.5-3")
async def at_once(lab: DoorLab) -> None:
    """Whoever is first: exactly one of six keys wins."""
    token = lab.doors.token("exact")
    answers: list[Frame] = []

    async def one() -> None:
        answers.append(await lab.ask(enrol(token, token.pattern, signing_request(new_key()))))

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(one)
    won = [answer for answer in answers if answer[0] == Enrol.ISSUED]
    lost = [answer[:2] for answer in answers if answer[0] != Enrol.ISSUED]
    equal(len(won), 1, "the number of certificates for one token")
    equal(lost, [[int(Enrol.REFUSED), int(No.SPENT)]] * 5, "the answers to the others")


@SECTION.case("ended", "18.5-1")
async def ended(lab: DoorLab) -> None:
    token = lab.doors.token("expired")
    question = enrol(token, f"{token.pattern.rstrip('*')}a", signing_request(new_key()))
    await lab.expect_refused(question, No.EXPIRED)


@SECTION.case("name-taken", "18.5-5", "18.5-1")
async def taken(lab: DoorLab) -> None:
    """A token for a pattern takes nobody's place; refused so, it is still good for another name."""
    first, second = lab.doors.twins()
    name = f"{first.pattern.rstrip('*')}a"
    await lab.expect_issued(first, name)
    await lab.expect_refused(enrol(second, name, signing_request(new_key())), No.NAME_TAKEN)
    await lab.expect_issued(second, f"{name}b")


@SECTION.case("a-token-for-one-name-may-replace", "18.5-5")
async def replaced(lab: DoorLab) -> None:
    first, second = lab.doors.twins("exact-twin")
    await lab.expect_issued(first, first.pattern)
    await lab.expect_issued(second, first.pattern)


@SECTION.case("order/end-before-taken", "18.5-1")
async def end_first(lab: DoorLab) -> None:
    good, ended_token = lab.doors.token("expired-twin"), lab.doors.token("expired")
    name = f"{ended_token.pattern.rstrip('*')}a"
    await lab.expect_issued(good, name)
    await lab.expect_refused(enrol(ended_token, name, signing_request(new_key())), No.EXPIRED)


@SECTION.case("order/mac-before-name", "18.5-1")
async def mac_first(lab: DoorLab) -> None:
    token = lab.doors.token("exact")
    wrong = enrol(token, "other.example.net", signing_request(new_key()), _4=bytes(32))
    await lab.expect_refused(wrong, No.NOT_PROVED)


@SECTION.case("order/name-before-request", "18.5-1")
async def name_first(lab: DoorLab) -> None:
    token = lab.doors.token("exact")
    await lab.expect_refused(enrol(token, "other.example.net", b"none"), No.WRONG_NAME)


@SECTION.case("order/request-before-use", "18.5-1")
async def request_first(lab: DoorLab) -> None:
    token = lab.doors.token("exact")
    await lab.expect_issued(token, token.pattern)
    await lab.expect_refused(enrol(token, token.pattern, b"none"), No.BAD_REQUEST)


@SECTION.case("order/request-before-the-end", "18.5-1")
async def request_before_end(lab: DoorLab) -> None:
    token = lab.doors.token("expired")
    await lab.expect_refused(enrol(token, f"{token.pattern.rstrip('*')}a", b"none"), No.BAD_REQUEST)


@SECTION.case("approval", "18.5-6", "18.5-8")
async def approval(lab: DoorLab) -> None:
    """PENDING, and the same bytes again get it again; another key comes too late."""
    token = lab.doors.token("approve")
    question = enrol(token, token.pattern, signing_request(new_key()))
    await lab.expect_pending(token, question)
    await lab.expect_pending(token, question)
    await lab.expect_refused(enrol(token, token.pattern, signing_request(new_key())), No.SPENT)
