"""Section 13.5 at a client: which replies it believes. One node of two answers wrongly in each case."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from choria_conformance.cases import Section
from choria_conformance.cbor import Raw, encode
from choria_conformance.cose import REQUEST
from choria_conformance.frames import Frame, deliver
from choria_conformance.messages import Refusal
from choria_conformance.verdicts import check, equal

from .lab import Answering, ClientLab, Spoken

SECTION = Section("client/replies")


def _moved(spoken: Spoken) -> list[Frame]:
    """The right reply on the subject of another node."""
    frame = spoken.signed()
    frame[1] = f"{spoken.asked.prefix}/{spoken.who.network}/n9.example.net"
    return [frame]


def _elsewhere(spoken: Spoken) -> list[Frame]:
    frame = spoken.signed()
    token = spoken.asked.prefix.rpartition("/")[2]
    frame[1] = frame[1].replace(token, "ab" * 16)
    return [frame]


def _with_header(spoken: Spoken) -> list[Frame]:
    frame = spoken.signed()
    frame[3] = {128: 1}
    return [frame]


def _negative_key(spoken: Spoken) -> list[Frame]:
    changes: dict[str, Any] = {"_-1": 1}
    return [spoken.signed(**changes)]


def _garbage(spoken: Spoken) -> list[Frame]:
    return [
        deliver(spoken.subject, payload)
        for payload in (b"", b"\xff", b"\xa0", b"\xd2\x80", encode([1]))
    ]


# What, requirement, how the first node answers. None of it may be believed.
FORGED: Final[tuple[tuple[str, str, Answering], ...]] = (
    ("unsigned", "13.5-2", lambda s: [s.bare()]),
    ("unsigned-denial", "13.5-2", lambda s: [s.bare(_6=1, _7="no", _9=Refusal.DENIED.value)]),
    ("unsigned-failure", "13.5-2", lambda s: [s.bare(_6=5, _7="broken")]),
    ("another-request-s-id", "13.5-3", lambda s: [s.signed(_2=bytes(16))]),
    ("another-request-s-hash", "13.5-3", lambda s: [s.signed(_3=bytes(32))]),
    ("another-sender", "13.5-3", lambda s: [s.signed(_5="n2.example.net", _7="forged")]),
    ("another-network", "13.5-3", lambda s: [s.signed(_4="tokyo")]),
    ("on-another-node-s-subject", "6.10-4", _moved),
    ("on-another-request-s-subject", "13.5-3", _elsewhere),
    ("signed-as-a-request", "13.3-6", lambda s: [s.signed(signing={"aad": REQUEST})]),
    ("signed-without-aad", "13.3-6", lambda s: [s.signed(signing={"aad": b""})]),
    ("version-2", "13.5-8", lambda s: [s.signed(_1=2)]),
    ("critical-key", "13.5-8", lambda s: [s.signed(_128=1)]),
    ("negative-key", "13.5-8", _negative_key),
    ("without-status", "13.5-8", lambda s: [s.signed(_6=None)]),
    ("status-6", "13.5-8", lambda s: [s.signed(_6=6)]),
    ("status-true", "5-12", lambda s: [s.signed(_6=True)]),
    ("refusal-14", "13.7-1", lambda s: [s.signed(_6=1, _9=14)]),
    ("refusal-with-status-0", "13.7-1", lambda s: [s.signed(_6=0, _9=1)]),
    ("nan-in-the-data", "5-5", lambda s: [s.signed(_8={"x": Raw(b"\xf9\x7e\x00")})]),
    ("longer-integer-in-the-data", "5-1", lambda s: [s.signed(_8={"x": Raw(b"\x18\x01")})]),
    ("algorithm-of-rsa", "13.3-4", lambda s: [s.signed(signing={"protected": {1: -37}})]),
    (
        "thumbprint-of-another",
        "13.3-7",
        lambda s: [s.signed(signing={"protected": {34: [-16, bytes(32)]}})],
    ),
    (
        "unknown-label-unprotected",
        "13.3-2",
        lambda s: [s.signed(signing={"unprotected": {4: b"x"}})],
    ),
    ("crit-unknown-label", "13.3-3", lambda s: [s.signed(signing={"protected": {2: [9], 9: 1}})]),
    ("critical-header", "6.10-3", _with_header),
    ("garbage", "13.1-5", _garbage),
)

# Who signs what the first node says. None of it may be believed.
SIGNERS: Final = (
    ("node-2", "13.5-3"), ("client-1", "13.5-3"), ("broker", "13.3-9"), ("odd/outsider-node", "13.3-9"),
    ("odd/impostor-node", "2.2-4"), ("odd/node-by-clients", "2.2-4"), ("relay-1", "13.5-3"),
    ("odd/service-as-node", "13.5-9"),
)  # fmt: skip


async def _is_dropped(answering: Answering, lab: ClientLab) -> None:
    believed = await lab.believes(answering)
    name = lab.principal("node-1").name
    check(name not in believed, f"it was believed: {believed.get(name)}")


async def _signer_dropped(who: str, lab: ClientLab) -> None:
    signer = lab.principal(who)
    await _is_dropped(lambda spoken: [spoken.signed(signer)], lab)


for _what, _number, _answering in FORGED:
    SECTION.add(f"dropped/{_what}", ["13.5-3"] if _number == "13.5-3" else [_number, "13.5-3"],
                partial(_is_dropped, _answering))  # fmt: skip
for _who, _number in SIGNERS:
    SECTION.add(
        f"dropped/signed-by-{_who.replace('odd/', '')}", [_number], partial(_signer_dropped, _who)
    )


@SECTION.case("believed/signed", "13.5-3")
async def signed(lab: ClientLab) -> None:
    believed = await lab.believes(lambda spoken: [spoken.signed()])
    equal(believed[lab.principal("node-1").name]["statuscode"], 0, "the status code")


@SECTION.case("believed/unknown-ignorable-key", "13.5-8")
async def ignorable(lab: ClientLab) -> None:
    believed = await lab.believes(lambda spoken: [spoken.signed(_11="x", _127=[1], _0=None)])
    check(lab.principal("node-1").name in believed, "a reply with an ignorable key was dropped")


@SECTION.case("believed/signed-denial", "13.7-1")
async def denial(lab: ClientLab) -> None:
    believed = await lab.believes(lambda spoken: [spoken.signed(_6=1, _7="policy", _9=1)])
    equal(believed[lab.principal("node-1").name]["statuscode"], 1, "the status code")


@SECTION.case("believed/failure-by-its-own-judgement", "13.7-3")
async def own_failure(lab: ClientLab) -> None:
    believed = await lab.believes(lambda spoken: [spoken.signed(_6=5, _7="disk full")])
    equal(believed[lab.principal("node-1").name]["statuscode"], 5, "the status code")


@SECTION.case("believed/protected-label-nobody-knows", "13.3-2")
async def unknown_label(lab: ClientLab) -> None:
    believed = await lab.believes(lambda spoken: [spoken.signed(signing={"protected": {999: 1}})])
    check(lab.principal("node-1").name in believed, "it was dropped")


@SECTION.case("a-second-reply-replaces-nothing", "13.5-4")
async def second(lab: ClientLab) -> None:
    believed = await lab.believes(lambda s: [s.signed(_7="first"), s.signed(_6=5, _7="second")])
    equal(believed[lab.principal("node-1").name]["statusmsg"], "first", "the message")


@SECTION.case("a-forged-reply-before-the-right-one-spoils-nothing", "13.5-4", "13.5-3")
async def forged_first(lab: ClientLab) -> None:
    believed = await lab.believes(lambda s: [s.bare(_6=5, _7="forged"), s.signed(_7="right")])
    equal(believed[lab.principal("node-1").name]["statusmsg"], "right", "the message")


@SECTION.case("a-node-that-was-not-asked", "13.5-9", "13.5-4")
async def not_asked(lab: ClientLab) -> None:
    other = lab.principal("node-3")

    def answering(spoken: Spoken) -> list[Frame]:
        return [spoken.signed(), Spoken(other, spoken.asked).signed()]

    believed = await lab.believes(answering)
    check(other.name not in believed, "a node that was no target was counted")


@SECTION.case("not-matched-is-no-failure", "13.7-1")
async def not_matched(lab: ClientLab) -> None:
    """In discovery, by link grade: the node is not called."""
    network = await lab.network(
        discovering=lambda s: [s.bare(_6=1, _7="no", _9=Refusal.NOT_MATCHED.value)]
    )
    believed = await lab.call(network)
    called = [asked for asked in network.asked if asked.what[7] == "rpcutil"]
    check(
        network.nodes[0].name not in {name for asked in called for name in asked.what[6]},
        "it was called",
    )
    check(network.nodes[1].name in believed, "the other node was not believed")


@SECTION.case("an-unknown-certificate-is-fetched-or-dropped", "13.3-8")
async def without_chain(lab: ClientLab) -> None:
    """The client may ask agent certificate; what it gets proves itself by its hash."""

    def answering(spoken: Spoken) -> list[Frame]:
        if spoken.asked.what[7] == "certificate":
            return [spoken.bare(_8={"certificate": spoken.who.der})]
        return [spoken.signed(signing={"chain": False})]

    believed = await lab.believes(answering)
    equal(
        believed.get(lab.principal("node-1").name, {"grade": "signed"})["grade"],
        "signed",
        "the grade",
    )


@SECTION.case("a-certificate-that-is-another-s-does-not-prove", "13.3-8", "13.3-7")
async def wrong_certificate(lab: ClientLab) -> None:
    other = lab.principal("odd/impostor-node")

    def answering(spoken: Spoken) -> list[Frame]:
        if spoken.asked.what[7] == "certificate":
            return [spoken.bare(_8={"certificate": other.der})]
        return [spoken.signed(other, {"chain": False})]

    await _is_dropped(answering, lab)


@SECTION.case("a-receipt-is-no-answer", "9-10")
async def receipt_only(lab: ClientLab) -> None:
    """Two links got the message, one node answered: the other is missing, and the exit code says so."""
    believed = await lab.believes(lambda _: [])
    check(lab.principal("node-1").name not in believed, "a node that said nothing was counted")
    check(lab.returncode != 0, "the exit code is 0 though a node is missing")


async def _large(payload_bytes: int, size: int, lab: ClientLab) -> None:
    limits = {1: payload_bytes, 2: payload_bytes + 81920}
    believed = await lab.believes(
        lambda spoken: [spoken.signed(_8={"log": "x" * size})], limits=limits
    )
    equal(len(believed), 2, "the number of nodes that were believed")


for _what, _payload_bytes, _size in (
    ("a-megabyte", 1 << 20, (1 << 20) - 2000),
    ("three-megabytes-where-four-are-allowed", 4 << 20, 3 << 20),
):
    SECTION.add(f"large/{_what}", ["13.1-6", "11.3-2"], partial(_large, _payload_bytes, _size))
