"""Section 18 at an applicant: what it believes, what it says, and what it keeps."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from choria_conformance.authority import make_authority, member
from choria_conformance.cases import Section
from choria_conformance.cbor import encode, framed, head
from choria_conformance.certificates import new_key
from choria_conformance.enrolment import (
    Enrol,
    Frame,
    No,
    enrol,
    mac,
    mac_of_pending,
    token_text,
)
from choria_conformance.verdicts import check, equal

from .door import Asked, Door, anchors_of, door_context, honest, issued
from .lab import NAME, ApplicantLab, Joined

SECTION = Section("applicant/joining")
Answer = Callable[[Asked], Frame | bytes | None]


@SECTION.case("joins", "18.3-1", "18.4-2", "18.6-2", "18.2-1", "18.2-4")
async def joins(lab: ApplicantLab) -> None:
    door = await lab.door()
    joined = await lab.expect_joined(door)
    first, second = (asked.frame for asked in door.asked)
    equal(first[0], Enrol.ASK_ANCHORS, "the first question")
    equal(second[:5], enrol(door.token, NAME, second[3]), "ENROL, its MAC included")
    _check_kept(door, joined)


def _check_kept(door: Door, joined: Joined) -> None:
    certificate = x509.load_der_x509_certificate(joined.certificate or b"")
    check(certificate.public_key() == joined.key.public_key(), "key and certificate do not fit")
    equal((joined.folder / "key.pem").stat().st_mode & 0o077, 0, "the key's mode for others")
    stores = dict(
        zip(("root", "brokers", "nodes", "clients"), anchors_of(door.authority), strict=True)
    )
    for name, wanted in stores.items():
        kept = x509.load_pem_x509_certificates(
            (joined.folder / "trust" / f"{name}.pem").read_bytes()
        )
        ders = [each.public_bytes(Encoding.DER) for each in kept]
        equal(ders, wanted if isinstance(wanted, list) else [wanted], f"trust/{name}.pem")


@SECTION.case("one-connection-after-the-other", "18.3-5", "18.1-3")
async def two_connections(lab: ApplicantLab) -> None:
    door = await lab.door()
    await lab.expect_joined(door)
    equal([asked.number for asked in door.asked], [0, 1], "the connections of the questions")
    equal(door.together, 1, "the number of connections at a time")


@SECTION.case("the-secret-stays-here", "14.4-2", "18.2-2")
async def secret_stays(lab: ApplicantLab) -> None:
    door = await lab.door()
    await lab.expect_joined(door)
    for what, value in (("secret", door.token.secret), ("key", door.token.key)):
        check(value not in door.heard, f"the token's {what} was sent")
        check(value.hex().encode() not in door.heard, f"the token's {what} was sent in hex")
    check(b"cwpe1-" not in door.heard, "the token was sent")
    check(all(len(encode(asked.frame)) <= 4096 for asked in door.asked), "a question is too large")


@SECTION.case("a-new-p-256-key", "18.4-1")
async def new_keys(lab: ApplicantLab) -> None:
    door = await lab.door()
    joined = await lab.expect_joined(door)
    request = x509.load_der_x509_csr(door.enrols()[0][3])
    check(request.is_signature_valid, "the signing request is not signed by its key")
    public = request.public_key()
    check(isinstance(public, ec.EllipticCurvePublicKey), "the key is not P-256")
    check(public == joined.key.public_key(), "the key that was kept is another")
    numbers = joined.key.private_numbers()
    check(numbers.private_value.to_bytes(32, "big") not in door.heard, "the private key was sent")


@SECTION.case("other-anchors-than-the-token-s", "18.3-3")
async def other_anchors(lab: ApplicantLab) -> None:
    """A door of another CA with the same names, whole in itself: nothing is kept, nothing is asked."""
    impostor, digest = make_authority("alpha"), (await lab.door()).token.digest
    context = door_context(lab.broker_of(impostor))
    door = await lab.door(authority=impostor, digest=digest, context=lambda _: context)
    await lab.expect_nothing(door)
    equal(door.enrols(), [], "the ENROLs")


@SECTION.case("issuers-in-other-places", "18.3-2", "18.3-3")
async def other_places(lab: ApplicantLab) -> None:
    """The node issuer as that of clients: the root signed both, and the digest tells."""
    right = anchors_of(lab.authority)
    door = await lab.door(
        anchors=[right[0], right[1], right[2], right[2]], digest=(await lab.door()).token.digest
    )
    await lab.expect_nothing(door)
    equal(door.enrols(), [], "the ENROLs")


@SECTION.case("issuers-that-the-root-did-not-sign", "18.3-4")
async def unsigned_issuers(lab: ApplicantLab) -> None:
    """As the token has them: its CA made a wrong one."""
    right, foreign = anchors_of(lab.authority), anchors_of(make_authority("alpha"))
    door = await lab.door(anchors=[right[0], right[1], foreign[2], right[3]])
    await lab.expect_nothing(door)
    equal(door.enrols(), [], "the ENROLs")


async def _not_a_door(who: str, lab: ApplicantLab) -> None:
    """On the second connection somebody else is there: ENROL is not for them."""
    first, other = door_context(lab.principal("broker")), door_context(lab.principal(who))
    door = await lab.door(context=lambda number: other if number else first)
    await lab.expect_nothing(door)
    equal(door.enrols(), [], "the ENROLs")


for _what, _who in (
    ("another-ca-s", "odd/outsider-broker"), ("an-impostor-ca-s", "odd/impostor-broker"),
    ("a-node-s", "node-1"), ("a-client-s", "client-1"),
):  # fmt: skip
    SECTION.add(f"second-connection/{_what}", ["18.3-5"], partial(_not_a_door, _who))


@SECTION.case("second-connection/another-host", "18.3-5")
async def other_host(lab: ApplicantLab) -> None:
    """A broker, but not of the host that was asked for."""
    first, other = (
        door_context(lab.principal("broker")),
        door_context(lab.principal("broker-elsewhere")),
    )
    door = await lab.door(context=lambda number: other if number else first)
    await lab.expect_nothing(door)
    equal(door.enrols(), [], "the ENROLs")


async def _other_alpn(alpn: str | None, lab: ApplicantLab) -> None:
    context = door_context(lab.principal("broker"), alpn)
    door = await lab.door(context=lambda _: context)
    await lab.expect_nothing(door)
    equal(door.asked, [], "what was asked")


for _what, _alpn in (("none", None), ("of-members", "cwp/1")):
    SECTION.add(f"alpn/{_what}", ["18.1-2"], partial(_other_alpn, _alpn))


@SECTION.case("tls-1.2", "18.1-2")
async def old_tls(lab: ApplicantLab) -> None:
    context = door_context(lab.principal("broker"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    door = await lab.door(context=lambda _: context)
    await lab.expect_nothing(door)
    equal(door.heard, b"", "what was said over TLS 1.2")


def _token_body(door: Door, **changes: Any) -> bytes:
    token = door.token
    items = [1, [door.address], token.digest, token.token_id, token.secret, NAME, "rip", 1]
    for place, value in changes.items():
        items[int(place[1:])] = value
    return encode(items)


# What, from the door to a text that is no token.
NO_TOKEN: Final[dict[str, Callable[[Door], str]]] = {
    "wrong-check": lambda door: token_text(_token_body(door), b"\0\0\0\0"),
    "another-prefix": lambda door: "cwpe2-" + door.token.text([door.address])[6:],
    "version-2": lambda door: token_text(_token_body(door, _0=2)),
    "short-secret": lambda door: token_text(_token_body(door, _4=bytes(31))),
}


async def _no_token(text: Callable[[Door], str], lab: ApplicantLab) -> None:
    door = await lab.door()
    await lab.expect_nothing(door, text(door))
    equal(door.connections, 0, "the number of connections")


for _what, _text in NO_TOKEN.items():
    SECTION.add(f"no-token/{_what}", ["18.2-1"], partial(_no_token, _text))


@SECTION.case("a-name-that-the-token-is-not-for", "18.4-1")
async def other_name(lab: ApplicantLab) -> None:
    door = await lab.door()
    await lab.expect_nothing(door, name="web2.example.net")
    equal(door.enrols(), [], "the ENROLs")


# What, requirement, the answer to ENROL that must not be used.
NOT_USED: Final[dict[str, Answer]] = {
    "wrong-mac": lambda asked: [*issued(asked, asked.door.certificate(asked.frame))[:3], bytes(32)],
    "another-s-mac": lambda asked: [
        *issued(asked, asked.door.certificate(asked.frame))[:3],
        mac(asked.door.token.key, "cwp-enrol/1 pending", asked.door.token.token_id, asked.frame[4], 1)],
    "brokers-changed": lambda asked: [
        Enrol.ISSUED, (right := issued(asked, asked.door.certificate(asked.frame)))[1],
        ["evil.example.net:7422"], right[3]],
    "another-key": lambda asked: issued(asked, asked.door.certificate(asked.frame, key=new_key())),
    "another-name": lambda asked: issued(
        asked, asked.door.certificate(asked.frame, recipe=member("node", "web2.example.net"))),
    "another-role": lambda asked: issued(
        asked, asked.door.certificate(asked.frame, recipe=member("client", NAME))),
    "by-the-client-issuer": lambda asked: issued(
        asked, asked.door.certificate(asked.frame, issuer="clients")),
    "no-certificate": lambda asked: issued(asked, b"no certificate"),
    "65537-bytes": lambda _: head(2, 65537) + bytes(65537),
    "no-frame": lambda _: b"\xff" * 10,
    "cut-off": lambda asked: framed(encode(honest(asked)))[:-1],
}  # fmt: skip
_NUMBERS: Final = {"65537-bytes": "18.1-4", "no-frame": "18.1-3", "cut-off": "18.1-3"}


async def _not_used(answer: Answer, lab: ApplicantLab) -> None:
    def answering(asked: Asked) -> Frame | bytes | None:
        return answer(asked) if asked.frame[0] == Enrol.ENROL else honest(asked)

    door = await lab.door(answering=answering)
    await lab.expect_nothing(door)
    check(door.enrols(), "there was no ENROL")


for _what, _answer in NOT_USED.items():
    SECTION.add(f"not-used/{_what}", [_NUMBERS.get(_what, "18.6-1")], partial(_not_used, _answer))


def _pending(asked: Asked, wait_ms: int, proof: bytes | None = None) -> Frame:
    right = mac_of_pending(asked.door.token, asked.frame, wait_ms)
    return [Enrol.PENDING, wait_ms, right if proof is None else proof]


@SECTION.case("pending-asks-the-same-again", "18.5-8", "18.4-3")
async def pending(lab: ApplicantLab) -> None:
    def answering(asked: Asked) -> Frame:
        first = asked.frame[0] == Enrol.ENROL and len(asked.door.enrols()) < 2
        return _pending(asked, 300) if first else honest(asked)

    door = await lab.door(answering=answering)
    await lab.expect_joined(door)
    first, second = door.enrols()
    check(first == second, "the second ENROL is another")


@SECTION.case("pending-that-is-not-proved", "18.5-6")
async def false_pending(lab: ApplicantLab) -> None:
    """Whoever cannot make the MAC cannot keep an applicant waiting either."""

    def answering(asked: Asked) -> Frame:
        enrols = asked.frame[0] == Enrol.ENROL
        return _pending(asked, 1, bytes(32)) if enrols else honest(asked)

    await lab.expect_nothing(await lab.door(answering=answering))


@SECTION.case("refused-is-not-the-token-s-end", "18.5-7")
async def refused(lab: ApplicantLab) -> None:
    """Anybody in between can say SPENT: the next attempt with the same token may still join."""

    def answering(asked: Asked) -> Frame:
        enrols = asked.frame[0] == Enrol.ENROL
        return [Enrol.REFUSED, No.SPENT, 0, "spent"] if enrols else honest(asked)

    door = await lab.door(answering=answering)
    await lab.expect_nothing(door)
    door.answering = honest
    await lab.expect_joined(door)
