"""Sections 18.1 to 18.3 at a door: its TLS, one question and one answer, whose network it is."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Final

import trio

from choria_conformance.cases import Section
from choria_conformance.cbor import Raw, encode, framed, head
from choria_conformance.enrolment import Enrol, Frame, No, anchors_digest, ask_anchors
from choria_conformance.frames import hello, publish
from choria_conformance.names import fresh_token
from choria_conformance.principals import uris_of
from choria_conformance.tls import Refused
from choria_conformance.verdicts import Failed, check, equal

from .lab import DoorLab, applicant_context, one_frame
from .process import WITHIN_S

SECTION = Section("door/asking")
_SLACK_S: Final = 15.0  # how late a door may be
_ASK: Final = framed(encode(ask_anchors()))

# What, bytes that are no question.
NO_QUESTION: Final[tuple[tuple[str, str, bytes], ...]] = (
    ("no-byte-string", "18.1-3", encode(ask_anchors())),
    ("longer-head", "18.1-3", b"\x58\x02" + encode(ask_anchors())),
    ("empty-body", "18.1-3", b"\x40"),
    ("head-of-eight-bytes", "18.1-4", b"\x5b" + bytes(8)),
    ("4097-bytes", "18.1-4", head(2, 4097) + bytes(4097)),
    ("announces-4-gib", "18.1-4", b"\x5a\xff\xff\xff\xff"),
    ("no-array", "18.1-3", framed(b"\xa0")),
    ("empty-array", "18.1-3", framed(b"\x80")),
    ("indefinite", "18.1-3", framed(b"\x9f\x01\xff")),
    ("float", "18.1-3", framed(encode([1, Raw(b"\xf9\x3c\x00")]))),
    ("byte-behind-the-item", "18.1-3", framed(encode(ask_anchors()) + b"\0")),
    ("type-99", "18.1-3", framed(encode([99]))),
    ("type-as-text", "18.1-3", framed(encode(["1"]))),
    ("publish", "18.1-1", framed(encode(publish("choria/agent/discovery")))),
    ("reserved-type-of-a-link", "18.1-1", framed(encode([200, 1]))),
)

# What, a frame that is an answer or short of a field.
MALFORMED: Final[tuple[tuple[str, Frame], ...]] = (
    ("anchors", [2, b"x", [b"x"], [b"x"], [b"x"]]),
    ("issued", [4, b"x", [], bytes(32)]),
    ("pending", [5, 1, bytes(32)]),
    ("refused", [6, 8, 1, ""]),
    ("enrol-without-mac", [3, bytes(16), "a", b"x"]),
    ("enrol-token-id-15-bytes", [3, bytes(15), "a", b"x", bytes(32)]),
    ("enrol-name-upper-case", [3, bytes(16), "A", b"x", bytes(32)]),
    ("enrol-name-with-a-slash", [3, bytes(16), "a/b", b"x", bytes(32)]),
    ("enrol-request-empty", [3, bytes(16), "a", b"", bytes(32)]),
    ("enrol-request-3073-bytes", [3, bytes(16), "a", bytes(3073), bytes(32)]),
    ("enrol-mac-as-text", [3, bytes(16), "a", b"x", "m" * 32]),
    ("enrol-mac-31-bytes", [3, bytes(16), "a", b"x", bytes(31)]),
)


async def _refused_as_malformed(data: bytes, lab: DoorLab) -> None:
    answer = await lab.answer_to(data)
    equal(answer[:2], [int(Enrol.REFUSED), int(No.MALFORMED)], "the answer")


async def _malformed(question: Frame, lab: DoorLab) -> None:
    await lab.expect_refused(question, No.MALFORMED)


for _what, _number, _data in NO_QUESTION:
    SECTION.add(f"no-question/{_what}", [_number, "18.5-1"], partial(_refused_as_malformed, _data))
for _what, _frame in MALFORMED:
    SECTION.add(f"malformed/{_what}", ["18.5-1"], partial(_malformed, _frame))


@SECTION.case("anchors", "18.3-1", "18.3-2", "18.1-4")
async def anchors(lab: DoorLab) -> None:
    answer = await lab.ask(ask_anchors())
    equal(answer[0], Enrol.ANCHORS, "the type of the answer")
    equal(answer[1:5], lab.doors.anchors, "root and issuers, each in its place")
    equal(anchors_digest(answer[1:5]), lab.doors.digest, "the digest of the anchors")


@SECTION.case("items-behind-the-question-are-ignored", "18.1-4")
async def items_behind(lab: DoorLab) -> None:
    """A question of exactly 4096 bytes, most of them of no meaning."""
    size = 4096 - len(encode(ask_anchors(b""))) - 2
    question = ask_anchors(bytes(size))
    equal(len(encode(question)), 4096, "the size of the question")
    equal((await lab.ask(question))[0], Enrol.ANCHORS, "the type of the answer")


@SECTION.case("one-question-one-answer", "18.1-3")
async def one_question(lab: DoorLab) -> None:
    for behind in (_ASK, b"\xff" * 100, framed(encode(["x"]))):
        answer = await lab.answer_to(_ASK + behind)
        equal(answer[0], Enrol.ANCHORS, f"the answer with {behind[:4].hex()} behind the question")


@SECTION.case("byte-by-byte", "18.1-3")
async def byte_by_byte(lab: DoorLab) -> None:
    stream = await lab.connect()
    await stream.send_bytewise(_ASK)
    heard = b""
    while part := await stream.receive():
        heard += part
    equal(one_frame(heard)[0], Enrol.ANCHORS, "the type of the answer")


@SECTION.case("no-member-s-link", "18.1-1", "18.1-2")
async def no_link(lab: DoorLab) -> None:
    """A HELLO is not welcomed here, nor with a member's ALPN."""
    greeting = framed(encode(hello(fresh_token(), fresh_token())))
    heard = await lab.talk(greeting)
    check(not heard or one_frame(heard)[0] in (Enrol.ANCHORS, Enrol.REFUSED), "HELLO was answered")
    equal(await lab.talk(greeting, applicant_context("cwp/1")), b"", "the answer to cwp/1")


async def _not_served(alpn: str | None, lab: DoorLab) -> None:
    equal(await lab.talk(_ASK, applicant_context(alpn)), b"", "the answer")


for _what, _alpn in (
    ("none", None),
    ("another", "h2"),
    ("of-members", "cwp/1"),
    ("of-routes", "cwp-route/1"),
):
    SECTION.add(f"alpn/{_what}", ["18.1-2"], partial(_not_served, _alpn))


@SECTION.case("tls-1.2", "18.1-2")
async def old_tls(lab: DoorLab) -> None:
    context = applicant_context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    equal(await lab.talk(_ASK, context), b"", "the answer over TLS 1.2")


@SECTION.case("the-door-is-a-broker", "18.1-2")
async def broker_certificate(lab: DoorLab) -> None:
    """By the broker issuer, for the host that was asked for; no certificate of ours is needed."""
    context = applicant_context()
    context.load_verify_locations(
        cafile=lab.settings.credentials.of("broker").folder / "trust" / "brokers.pem"
    )
    context.check_hostname, context.verify_mode = True, ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    try:
        stream = await lab.connect(context)
    except Refused as error:
        raise Failed(f"the door is not to be believed: {error}") from error
    (uri,) = uris_of(stream.certificate())
    check(uri.startswith("choria://broker/"), f"the door is {uri}")


async def _slow(begin: bytes, lab: DoorLab) -> None:
    began = trio.current_time()
    stream = await lab.connect()
    if begin:
        await stream.send(begin)
    with trio.move_on_after(WITHIN_S + _SLACK_S):
        while await stream.receive():
            pass
        check(trio.current_time() - began >= WITHIN_S / 2, "the door did not wait at all")
        return
    raise Failed(f"an applicant that says nothing was served for more than {WITHIN_S:g} s")


for _what, _begin in (("silent", b""), ("half-a-question", _ASK[:1])):
    SECTION.add(f"slow/{_what}", ["18.1-5"], partial(_slow, _begin))


@SECTION.case("slow/in-the-handshake", "18.1-5")
async def slow_handshake(lab: DoorLab) -> None:
    tcp = await lab.tcp()
    with trio.move_on_after(WITHIN_S + _SLACK_S):
        while await tcp.receive_some():
            pass
        return
    raise Failed("a connection without a handshake was held too long")


@SECTION.case("questions-of-one-network-are-rationed", "18.1-5", should=True)
async def rationed(lab: DoorLab) -> None:
    answers = [one_frame(await lab.talk(_ASK)) for _ in range(300)]
    busy = [answer for answer in answers if answer[:2] == [Enrol.REFUSED, No.BUSY]]
    check(busy, "300 questions in a row were all answered")
    check(all(answer[2] > 0 for answer in busy), "BUSY does not say when to come again")


@SECTION.case("half-a-question-and-the-end", "18.1-3")
async def half_closed(lab: DoorLab) -> None:
    """Nobody is left to answer; the door serves the next."""
    stream = await lab.connect()
    await stream.send(_ASK[:1])
    await stream.half_close()
    stream.close()
    equal((await lab.ask(ask_anchors()))[0], Enrol.ANCHORS, "the answer to the next applicant")
