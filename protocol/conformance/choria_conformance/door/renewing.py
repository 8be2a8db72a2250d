"""Section 18.7 at a door: who gets the successor of its certificate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from choria_conformance.cases import Section
from choria_conformance.certificates import new_key
from choria_conformance.cose import REQUEST, Signing, sign
from choria_conformance.enrolment import Enrol, Frame, No, damaged, signing_request
from choria_conformance.verdicts import check, equal

from .enrolling import check_certificate
from .lab import DoorLab

SECTION = Section("door/renewing")
RENEW_AAD: Final = b"cwp-enrol/1 renew"
MOST: Final = 4


def renew(der: bytes, key: ec.EllipticCurvePrivateKey, asked: bytes, **signing: Any) -> Frame:
    """RENEW; ``signing`` changes how its request is signed."""
    return [Enrol.RENEW, sign(asked, Signing(key, der, **{"aad": RENEW_AAD, **signing}))]


async def a_node(lab: DoorLab) -> tuple[str, bytes, ec.EllipticCurvePrivateKey]:
    """Name, certificate and key of a node that the door has just made."""
    token, key = lab.doors.token("exact"), new_key()
    return token.pattern, await lab.expect_issued(token, token.pattern, key), key


async def expect_renewed(lab: DoorLab, question: Frame) -> bytes:
    """The new certificate."""
    answer = await lab.ask(question)
    check(answer[0] == Enrol.RENEWED, f"{answer[:4]} came where RENEWED was expected")
    equal(answer[2], bytes(lab.doors.anchors[2][0]), "the issuer")
    return bytes(answer[1])


@SECTION.case("renewed", "18.7-2", "18.7-4", "18.7-5")
async def renewed(lab: DoorLab) -> None:
    name, der, key = await a_node(lab)
    new = new_key()
    question = renew(der, key, signing_request(new))
    first = await expect_renewed(lab, question)
    check_certificate(lab, first, name, new)
    equal(await expect_renewed(lab, question), first, "the certificate, asked for again")


@SECTION.case("greedy-signing-request", "18.7-4")
async def greedy(lab: DoorLab) -> None:
    name, der, key = await a_node(lab)
    new = new_key()
    wanted = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("choria://client/rip")])
    rights = x509.BasicConstraints(ca=True, path_length=None)
    asked = signing_request(new, wanted, rights, name="other.example.net")
    check_certificate(lab, await expect_renewed(lab, renew(der, key, asked)), name, new)


@SECTION.case("five-times", "18.7-5")
async def five_times(lab: DoorLab) -> None:
    _, der, key = await a_node(lab)
    for _ in range(MOST):
        await expect_renewed(lab, renew(der, key, signing_request(new_key())))
    await lab.expect_refused(renew(der, key, signing_request(new_key())), No.SPENT)


def _other_key(der: bytes, _key: ec.EllipticCurvePrivateKey) -> Frame:
    return renew(der, new_key(), signing_request(new_key()))


def _other_use(der: bytes, key: ec.EllipticCurvePrivateKey) -> Frame:
    return renew(der, key, signing_request(new_key()), aad=REQUEST)


def _no_chain(der: bytes, key: ec.EllipticCurvePrivateKey) -> Frame:
    return renew(der, key, signing_request(new_key()), chain=False)


UNPROVED: Final[dict[str, Callable[[bytes, ec.EllipticCurvePrivateKey], Frame]]] = {
    "another-key-signs": _other_key,
    "signed-for-another-use": _other_use,
    "without-its-certificate": _no_chain,
}


async def unproved(
    make: Callable[[bytes, ec.EllipticCurvePrivateKey], Frame], lab: DoorLab
) -> None:
    _, der, key = await a_node(lab)
    await lab.expect_refused(make(der, key), No.NOT_PROVED)


for _name, _make in UNPROVED.items():
    SECTION.add(f"unproved/{_name}", ["18.7-2", "18.7-3"], partial(unproved, _make))


@SECTION.case("damaged-signing-request", "18.7-3", "18.5-4")
async def bad_request(lab: DoorLab) -> None:
    _, der, key = await a_node(lab)
    await lab.expect_refused(renew(der, key, damaged(signing_request(new_key()))), No.BAD_REQUEST)


@SECTION.case("an-operator-s-certificate", "18.7-3")
async def wrong_role(lab: DoorLab) -> None:
    client = lab.settings.credentials.of("client-1")
    key: Any = client.key
    await lab.expect_refused(renew(client.der, key, signing_request(new_key())), No.WRONG_ROLE)
