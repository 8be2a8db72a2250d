"""Sections 6.1 and 6.2: HELLO and WELCOME."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Final

from choria_conformance.cases import Section
from choria_conformance.cbor import encode
from choria_conformance.frames import Frame, Kind, Reason, hello
from choria_conformance.names import fresh_token
from choria_conformance.peer import Peer
from choria_conformance.principals import member_context, uris_of
from choria_conformance.tls import TlsStream
from choria_conformance.verdicts import check, equal

from .lab import BrokerLab

SECTION = Section("broker/login")
_T: Final = bytes(range(16))


def _but(**changes: Any) -> Frame:
    frame = hello(_T, _T)
    for place, value in changes.items():
        frame[int(place[1:])] = value
    return frame


BAD: Final = (
    ("missing-collectives", "6-2", hello(_T, _T)[:6]),
    ("type-alone", "6-2", [1]),
    ("versions-empty", "6-2", _but(_1=[])),
    ("versions-17", "6-2", _but(_1=list(range(1, 18)))),
    ("version-65536", "6-2", _but(_1=[65536])),
    ("version-text", "6-2", _but(_1=["1"])),
    ("version-true", "5-12", _but(_1=[True])),
    ("version-twice", "6-8", _but(_1=[1, 1])),
    ("versions-integer", "6-2", _but(_1=1)),
    ("session-15-bytes", "6-2", _but(_2=bytes(15))),
    ("session-17-bytes", "6-2", _but(_2=bytes(17))),
    ("session-text", "5-12", _but(_2="0123456789abcdef")),
    ("capabilities-33", "6-2", _but(_3=list(range(33)))),
    ("capability-65536", "6-2", _but(_3=[65536])),
    ("capability-negative", "6-2", _but(_3=[-1])),
    ("capability-twice", "6-8", _but(_3=[1, 1])),
    ("boot-15-bytes", "6-2", _but(_4=bytes(15))),
    ("boot-null", "6-2", _but(_4=None)),
    ("software-257-bytes", "6-2", _but(_5="x" * 257)),
    ("software-with-newline", "6-9", _but(_5="a\nb")),
    ("software-bytes", "5-12", _but(_5=b"x")),
    ("collectives-empty", "6-2", _but(_6=[])),
    ("collectives-65", "6-2", _but(_6=[f"c{i}" for i in range(65)])),
    ("collective-upper-case", "7.1-2", _but(_6=["Choria"])),
    ("collective-trailing-dot", "7.1-2", _but(_6=["choria."])),
    ("collective-with-slash", "7.1-2", _but(_6=["choria/x"])),
    ("collective-of-254-bytes", "7.1-1", _but(_6=["c" * 254])),
    ("collective-twice", "6-8", _but(_6=["choria", "choria"])),
    ("collective-sys", "6.1-5", _but(_6=["sys"])),
    ("collective-federation", "7.1-3", _but(_6=["choria", "federation"])),
)
REFUSED: Final = (
    ("version-2-only", "6.1-3", _but(_1=[2]), Reason.UNSUPPORTED_VERSION),
    ("version-0-only", "6.1-3", _but(_1=[0]), Reason.UNSUPPORTED_VERSION),
    ("critical-capability", "6.1-4", _but(_3=[128]), Reason.UNSUPPORTED_CRITICAL),
    ("critical-capability-among-others", "6.1-4", _but(_3=[1, 65535]), Reason.UNSUPPORTED_CRITICAL),
    ("unknown-collective", "6.1-6", _but(_6=["nowhere"]), Reason.NOT_PERMITTED),
    (
        "unknown-collective-among-others",
        "6.1-6",
        _but(_6=["choria", "nowhere"]),
        Reason.NOT_PERMITTED,
    ),
)
TAKEN: Final = (
    ("versions-1-and-others", "6.1-3", _but(_1=[7, 1, 65535])),
    ("ignorable-capabilities", "6.1-4", _but(_3=[0, 1, 63, 80, 127])),
    ("reserved-capabilities", "16.2-1", _but(_3=list(range(64, 80)))),
    ("software-empty", "6-9", _but(_5="")),
    ("software-256-bytes", "6-9", _but(_5="x" * 256)),
    ("software-beyond-ascii", "6-9", _but(_5="\u00e4\U0001f600")),
    ("two-collectives", "6.1-6", _but(_6=["dev", "choria"])),
    ("items-behind-the-fields", "6-3", [*hello(_T, _T), None, {1: [2]}, "x"]),
)


async def _ends(frame: Frame, reason: Reason, lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    await stranger.send(frame)
    await stranger.expect_goodbye(reason)


async def _is_taken(frame: Frame, lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    await stranger.send(frame)
    welcome = await stranger.expect(Kind.WELCOME)
    equal(welcome[1], 1, "the version of WELCOME")
    chosen = set(welcome[3])
    check(chosen <= set(frame[3]), f"capabilities {chosen} are not among HELLO's (CWP-6.2-2)")
    check(not chosen & set(range(64, 80)), f"capabilities {chosen} hold reserved ones (CWP-16.2-1)")
    await stranger.expect_alive()


for _what, _number, _frame in BAD:
    SECTION.add(f"hello/{_what}", [_number], partial(_ends, _frame, Reason.INVALID_FIELD))
for _what, _number, _frame, _reason in REFUSED:
    SECTION.add(f"hello/{_what}", [_number], partial(_ends, _frame, _reason))
for _what, _number, _frame in TAKEN:
    SECTION.add(f"hello/{_what}-is-taken", [_number], partial(_is_taken, _frame))


@SECTION.case("welcome/is-the-first-frame-and-echoes-the-session", "6.2-2", "4-6")
async def echoes(lab: BrokerLab) -> None:
    member = await lab.member()
    equal(member.welcome[2], member.session, "the session of WELCOME")
    equal(member.welcome[1], 1, "the version of WELCOME")


@SECTION.case("welcome/has-the-fields-of-the-cddl", "6-2", "11.3-1")
async def fields(lab: BrokerLab) -> None:
    welcome = (await lab.member()).welcome
    check(len(welcome) >= 8, f"{len(welcome)} items")
    limits = welcome[6]
    equal(sorted(limits)[:5], [1, 2, 3, 4, 5], "the keys of limits")
    for key, most in (
        (1, 1 << 24),
        (2, 16859136),
        (3, (1 << 32) - 1),
        (4, (1 << 32) - 1),
        (5, 256),
    ):
        check(
            type(limits[key]) is int and 1 <= limits[key] <= most, f"limit {key} is {limits[key]}"
        )


@SECTION.case("welcome/frame-limit-has-room-for-a-payload", "6.2-4")
async def room(lab: BrokerLab) -> None:
    limits = (await lab.member()).limits
    check(limits[2] >= limits[1], f"limit 2 is {limits[2]}, limit 1 {limits[1]}")


@SECTION.case("welcome/frame-limit-is-recommended", "6.2-4", should=True)
async def recommended(lab: BrokerLab) -> None:
    limits = (await lab.member()).limits
    equal(limits[2], limits[1] + 81920, "limit 2")


@SECTION.case("welcome/names-the-network", "2.2-6", "6.2-3")
async def network(lab: BrokerLab) -> None:
    member = await lab.member()
    equal(member.welcome[4], member.who.network, "the network of WELCOME")


@SECTION.case("welcome/names-the-broker-as-its-certificate-does", "6.2-3")
async def broker_name(lab: BrokerLab) -> None:
    member = await lab.member()
    equal(
        uris_of(member.stream.certificate()),
        [f"choria://broker/{member.welcome[5]}"],
        "the URIs of the broker's certificate",
    )


@SECTION.case("welcome/tells-the-time-in-milliseconds", "5-11")
async def clock(lab: BrokerLab) -> None:
    at_ms = (await lab.member()).welcome[7]
    now_ms = time.time_ns() // 1_000_000
    check(
        abs(at_ms - now_ms) < 24 * 3600 * 1000, f"time-ms {at_ms} is not within a day of {now_ms}"
    )


@SECTION.case("welcome/fits-a-stranger-s-frame", "11.1-1", "4-4")
async def small(lab: BrokerLab) -> None:
    size = len(encode((await lab.member()).welcome))
    check(size <= 4096, f"WELCOME has {size} bytes")


@SECTION.case("one-session-on-two-links", "10.3-4")
async def one_session(lab: BrokerLab) -> None:
    """A member may open the new link before it ends the old one."""
    first = await lab.member()
    second = await lab.member(session=first.session)
    await first.expect_alive()
    await second.expect_alive()


@SECTION.case("a-new-session-for-each", "6.2-2")
async def a_session_each(lab: BrokerLab) -> None:
    first, second = fresh_token(), fresh_token()
    for session in (first, second):
        member = await lab.member(session=session)
        equal(member.welcome[2], session, "the session of WELCOME")


ORDER: Final = (
    ("version-before-capability", _but(_1=[2], _3=[128]), Reason.UNSUPPORTED_VERSION),
    ("version-before-collective", _but(_1=[2], _6=["nowhere"]), Reason.UNSUPPORTED_VERSION),
    ("capability-before-collective", _but(_3=[200], _6=["nowhere"]), Reason.UNSUPPORTED_CRITICAL),
    ("fields-before-version", _but(_1=[2], _5="a\nb"), Reason.INVALID_FIELD),
)
for _what, _frame, _reason in ORDER:
    SECTION.add(f"hello/order/{_what}", ["6.1-7"], partial(_ends, _frame, _reason))


@SECTION.case("without-server-name-indication", "3-16")
async def no_sni(lab: BrokerLab) -> None:
    stream = TlsStream(await lab.tcp(), member_context(lab.principal("client-1")))
    await stream.handshake()
    peer = Peer(stream, lab.transcript, "[no server name]")
    await peer.send(hello(fresh_token(), fresh_token()))
    await peer.expect(Kind.WELCOME)
