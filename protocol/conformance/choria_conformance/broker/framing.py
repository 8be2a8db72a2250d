"""Section 4: heads, lengths, cuts."""

from __future__ import annotations

from functools import partial

from choria_conformance.cases import Section
from choria_conformance.cbor import encode, framed, head
from choria_conformance.frames import (
    Kind,
    Reason,
    goodbye,
    hello,
    ping,
    pong,
    publish,
    subscribe,
    wire,
)
from choria_conformance.names import fresh_token
from choria_conformance.verdicts import equal

from .lab import BrokerLab

SECTION = Section("broker/framing")

# What, requirement, bytes after WELCOME, reason.
HEADS = (
    ("body-with-longer-head-1", "4-2", b"\x58\x03\x82\x03\x07", Reason.MALFORMED),
    ("body-with-longer-head-2", "4-2", b"\x59\x00\x03\x82\x03\x07", Reason.MALFORMED),
    ("body-with-longer-head-4", "4-2", b"\x5a\x00\x00\x00\x03\x82\x03\x07", Reason.MALFORMED),
    ("head-1-for-23", "4-2", b"\x58\x17" + bytes(23), Reason.MALFORMED),
    ("head-2-for-255", "4-2", b"\x59\x00\xff" + bytes(255), Reason.MALFORMED),
    ("head-4-for-65535", "4-2", b"\x5a\x00\x00\xff\xff", Reason.MALFORMED),
    (
        "head-8-however-short",
        "4-4",
        b"\x5b" + bytes(7) + b"\x03\x82\x03\x07",
        Reason.FRAME_TOO_LARGE,
    ),
    ("head-8-alone", "4-4", b"\x5b", Reason.FRAME_TOO_LARGE),
    ("head-8-largest", "4-4", b"\x5b" + b"\xff" * 8, Reason.FRAME_TOO_LARGE),
    ("empty-body", "4-3", b"\x40", Reason.MALFORMED),
    ("indefinite-string", "4-2", b"\x5f\x43\x82\x03\x07\xff", Reason.MALFORMED),
    ("array-without-head", "4-2", b"\x82\x03\x07", Reason.MALFORMED),
    ("text-string", "4-2", b"\x63\x82\x03\x07", Reason.MALFORMED),
    ("integer", "4-2", b"\x00", Reason.MALFORMED),
    ("negative-integer", "4-2", b"\x20", Reason.MALFORMED),
    ("map", "4-2", b"\xa0", Reason.MALFORMED),
    ("tag", "4-2", b"\xc0\x43\x82\x03\x07", Reason.MALFORMED),
    ("simple-value", "4-2", b"\xf6", Reason.MALFORMED),
    ("break", "4-2", b"\xff", Reason.MALFORMED),
    ("reserved-information-28", "4-2", b"\x5c", Reason.MALFORMED),
    ("reserved-information-29", "4-2", b"\x5d", Reason.MALFORMED),
    ("reserved-information-30", "4-2", b"\x5e", Reason.MALFORMED),
    ("http", "4-2", b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n", Reason.MALFORMED),
)


async def _ends_open(data: bytes, reason: Reason, lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send_bytes(data)
    await member.expect_goodbye(reason)


for _what, _number, _data, _reason in HEADS:
    SECTION.add(_what, [_number], partial(_ends_open, _data, _reason))


@SECTION.case("one-byte-over-the-limit", "4-4", "11.1-1")
async def one_byte_over(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send_bytes(head(2, member.limits[2] + 1))
    await member.expect_goodbye(Reason.FRAME_TOO_LARGE)


@SECTION.case("hello-one-byte-over", "4-4", "11.1-1")
async def hello_over(lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    await stranger.send_bytes(head(2, 4097))
    await stranger.expect_goodbye(Reason.FRAME_TOO_LARGE)


@SECTION.case("hello-of-4096-bytes", "11.1-1", "6-3")
async def hello_of_4096(lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    frame = hello(fresh_token(), fresh_token())
    filler = bytes(4096 - len(encode(frame)) - 3)  # a byte string of this size has a head of 3
    data = encode([*frame, filler])
    equal(len(data), 4096, "the test's HELLO")
    await stranger.send_bytes(framed(data))
    await stranger.expect(Kind.WELCOME)


@SECTION.case("frames-in-one-piece", "4-5")
async def in_one_piece(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send(*(ping(token) for token in (1, 2)))
    got = [await member.expect(Kind.PONG) for _ in range(2)]
    equal(got, [pong(1), pong(2)], "what came")


@SECTION.case("frames-byte-by-byte", "4-5")
async def bytewise(lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    session = fresh_token()
    await stranger.send_bytes(wire(hello(session, fresh_token())), bytewise=True)
    await stranger.expect(Kind.WELCOME)
    await stranger.send_bytes(wire(ping(7), [200, "grease"], goodbye()), bytewise=True)
    await stranger.expect(Kind.PONG)
    await stranger.expect_goodbye(Reason.NORMAL)


@SECTION.case("nothing-after-a-violation", "4-8", "8.4-3", "6.3-4")
async def nothing_after(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send_bytes(framed(b"\xff") + wire(ping(5)))
    await member.expect_goodbye(Reason.MALFORMED)


@SECTION.case("frames-before-a-violation-have-their-effect", "4-8")
async def before_counts(lab: BrokerLab) -> None:
    node = await lab.node()
    client = await lab.member()
    subject = f"choria/agent/{lab.word()}"
    await node.send(subscribe(subject))
    await node.expect_alive()
    await client.send_bytes(wire(publish(subject, payload=b"before")) + b"\x40")
    await client.expect_goodbye(Reason.MALFORMED)
    equal((await node.expect(Kind.DELIVER))[4], b"before", "the payload")


@SECTION.case("a-violation-has-no-effect", "4-8")
async def no_effect(lab: BrokerLab) -> None:
    """A PUBLISH that is right but for its last field: nobody gets it."""
    node = await lab.node()
    client, other = await lab.member(), await lab.member()
    subject = f"choria/agent/{lab.word()}"
    await node.send(subscribe(subject))
    await node.expect_alive()
    await client.send([9, [subject], {}, None, {}, "text is no payload"], publish(subject))
    await client.expect_goodbye(Reason.INVALID_FIELD)
    await other.send(publish(subject, payload=b"after"))
    equal((await node.expect(Kind.DELIVER))[4], b"after", "the payload")
