"""A node's end of the link: login, broken brokers, liveness, coming back."""

from __future__ import annotations

import ssl
from functools import partial
from itertools import pairwise
from typing import Any, Final

import trio

from choria_conformance.cases import Section
from choria_conformance.cbor import Raw, encode, framed, head
from choria_conformance.frames import (
    Frame,
    Kind,
    Reason,
    deliver,
    error,
    goodbye,
    ping,
    pong,
    publish,
    receipt,
    reserved,
    subscribe,
    wire,
)
from choria_conformance.patterns import Wish, allowed, read_table
from choria_conformance.principals import broker_context
from choria_conformance.serving import welcome
from choria_conformance.tls import Refused
from choria_conformance.verdicts import Failed, check, equal

from .lab import NodeLab

SECTION = Section("node/link")
TABLE: Final = read_table()

# What, requirement, changes of WELCOME by place, reasons that fit.
WELCOMES: Final[tuple[tuple[str, str, dict[str, Any], tuple[Reason, ...]], ...]] = (
    ("version-2", "6.2-1", {"_1": 2}, (Reason.UNSUPPORTED_VERSION,)),
    ("another-session", "6.2-2", {"_2": bytes(16)}, (Reason.INVALID_FIELD,)),
    ("a-capability-that-was-not-offered", "6.2-2", {"_3": [63]}, (Reason.INVALID_FIELD,)),
    ("another-network", "6.2-3", {"_4": "tokyo"}, (Reason.WRONG_NETWORK,)),
    (
        "another-broker-than-certified",
        "6.2-3",
        {"_5": "b9.example.net"},
        (Reason.IDENTITY_REFUSED,),
    ),
    ("no-limit-1", "11.3-1", {"_6": {2: 1 << 20, 3: 1, 4: 1000, 5: 1}}, (Reason.INVALID_FIELD,)),
    ("limit-1-zero", "11.3-1", {"limits": {1: 0}}, (Reason.INVALID_FIELD,)),
    ("limit-1-too-large", "11.3-1", {"limits": {1: 1 << 25, 2: 1 << 25}}, (Reason.INVALID_FIELD,)),
    ("limit-5-257", "11.3-1", {"limits": {5: 257}}, (Reason.INVALID_FIELD,)),
    ("version-and-network", "6.2-7", {"_1": 2, "_4": "tokyo"}, (Reason.UNSUPPORTED_VERSION,)),
    ("session-and-network", "6.2-7", {"_2": bytes(16), "_4": "tokyo"}, (Reason.INVALID_FIELD,)),
    (
        "network-and-broker",
        "6.2-8",
        {"_4": "tokyo", "_5": "b9"},
        (Reason.WRONG_NETWORK,),
    ),
    ("limit-2-below-limit-1", "6.2-4", {"limits": {2: 1000}}, (Reason.INVALID_FIELD,)),
    ("network-upper-case", "7.1-2", {"_4": "Alpha"}, (Reason.INVALID_FIELD,)),
    ("time-text", "5-12", {"_7": "now"}, (Reason.INVALID_FIELD,)),
)

# What, requirement, bytes after WELCOME, reason.
BROKEN: Final[tuple[tuple[str, str, Any, Reason], ...]] = (
    ("longer-head", "4-2", b"\x58\x03\x82\x03\x07", Reason.MALFORMED),
    ("no-byte-string", "4-2", b"\x82\x03\x07", Reason.MALFORMED),
    ("empty-body", "4-3", b"\x40", Reason.MALFORMED),
    ("too-large", "4-4", head(2, (1 << 20) + 81921), Reason.FRAME_TOO_LARGE),
    ("eight-byte-head", "4-4", b"\x5b", Reason.FRAME_TOO_LARGE),
    ("longer-integer", "5-1", framed(b"\x82\x03\x18\x07"), Reason.MALFORMED),
    ("indefinite", "5-1", framed(b"\x9f\x03\x07\xff"), Reason.MALFORMED),
    ("keys-twice", "5-2", [200, Raw(b"\xa2\x01\x00\x01\x00")], Reason.MALFORMED),
    ("tag", "5-3", [200, Raw(b"\xc0\x60")], Reason.MALFORMED),
    ("undefined", "5-4", [200, Raw(b"\xf7")], Reason.MALFORMED),
    ("float", "5-5", [200, Raw(b"\xf9\x3c\x00")], Reason.MALFORMED),
    ("bad-utf-8", "5-7", [200, Raw(b"\x61\xff")], Reason.MALFORMED),
    ("byte-behind", "5-8", framed(b"\x82\x03\x07\x00"), Reason.MALFORMED),
    ("too-deep", "5-9", [200, Raw(b"\x81" * 16 + b"\0")], Reason.MALFORMED),
    ("no-array", "6-1", framed(b"\xa0"), Reason.MALFORMED),
    ("unknown-type", "6-4", [99], Reason.UNKNOWN_FRAME),
    ("type-13", "6-5", [13, 1], Reason.UNKNOWN_FRAME),
    ("ping-without-token", "6-2", [3], Reason.INVALID_FIELD),
    ("deliver-on-a-pattern", "7.2-1", deliver("choria/agent/*"), Reason.INVALID_FIELD),
    (
        "deliver-with-text-payload",
        "5-12",
        [10, "choria/agent/x", None, {}, "x"],
        Reason.INVALID_FIELD,
    ),
    (
        "deliver-with-65-headers",
        "6-10",
        deliver("a/b", headers=dict.fromkeys(range(65), 0)),
        Reason.INVALID_FIELD,
    ),
    ("receipt-descending", "6.11-1", [11, 1, 0, False, [1, 0]], Reason.INVALID_FIELD),
    (
        "routed-descending",
        "6.12-2",
        [12, "b1", 0, 0, 0, [[1, "a/b"], [0, "a/c"]], [], None, {}, b""],
        Reason.INVALID_FIELD,
    ),
    (
        "routed-subject-twice",
        "6-8",
        [12, "b1", 0, 0, 0, [[0, "a/b"], [1, "a/b"]], [], None, {}, b""],
        Reason.INVALID_FIELD,
    ),
    (
        "a-head-beyond-the-limit-after-goodbye",
        "4-10",
        wire(goodbye()) + b"\x5a\xff\xff\xff\xff",
        Reason.NORMAL,
    ),
    ("no-frame-after-goodbye", "4-10", wire(goodbye()) + b"\xff\xff", Reason.NORMAL),
    ("error-of-scope-link", "12-2", error(Reason.MALFORMED), Reason.INVALID_FIELD),
    ("error-about-a-frame-never-sent", "6.6-4", error(8, 1 << 40), Reason.INVALID_FIELD),
    ("error-with-control-character", "6-9", error(8, 0, None, "a\x1bb"), Reason.INVALID_FIELD),
    (
        "second-welcome",
        "8.4-1",
        [2, 1, bytes(16), [], "alpha", "b1", {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, 0],
        Reason.ILLEGAL_STATE,
    ),
    (
        "hello-from-a-broker",
        "8.4-1",
        [1, [1], bytes(16), [], bytes(16), "", ["choria"]],
        Reason.ILLEGAL_STATE,
    ),
    ("subscribe-from-a-broker", "8.4-1", subscribe("choria/agent/x"), Reason.ILLEGAL_STATE),
    ("publish-from-a-broker", "8.4-1", publish("choria/agent/x"), Reason.ILLEGAL_STATE),
)

# What, requirement, a frame in place of WELCOME, reason.
BEFORE: Final = (
    ("ping", "8.4-1", ping(1), Reason.ILLEGAL_STATE),
    ("deliver", "8.4-1", deliver("choria/agent/x"), Reason.ILLEGAL_STATE),
    ("reserved", "6-4", [200], Reason.ILLEGAL_STATE),
    ("unknown", "6-4", [99], Reason.UNKNOWN_FRAME),
    ("4097-bytes", "4-4", head(2, 4097), Reason.FRAME_TOO_LARGE),
)

TAKEN: Final = (
    ("reserved-frames", "6-4", [[n, {1: [b"x"]}] for n in (192, 200, 223)]),
    ("items-behind-the-fields", "6-3", [[4, 5, "more", None]]),
    ("a-pong-nobody-asked-for", "6.4-1", [pong(99)]),
    ("a-receipt-nobody-awaits", "6.11-2", [receipt(99, 3)]),
    ("a-message-for-nobody", "6.9-12", [deliver("choria/agent/nobody", b"x")]),
    (
        "garbage-in-a-payload",
        "13.6-2",
        [deliver("choria/agent/discovery", b"\xff" * 100, "choria/reply/x/y")],
    ),
)


async def _refuses_welcome(
    changes: dict[str, Any], reasons: tuple[Reason, ...], lab: NodeLab
) -> None:
    port = await lab.fresh()
    link = await port.accept()
    hello = await link.expect(Kind.HELLO)
    await link.send(welcome(hello, port.broker, **dict(changes)))
    await link.expect_goodbye(*reasons)


async def _ends(data: Any, reason: Reason, lab: NodeLab) -> None:
    _, link = await lab.fresh_link()
    await link.send(data)
    await _expect_last(link, reason)


async def _before_welcome(data: Any, reason: Reason, lab: NodeLab) -> None:
    port = await lab.fresh()
    link = await port.accept()
    await link.expect(Kind.HELLO)
    await link.send(data)
    await link.expect_goodbye(reason)


async def _takes(frames: list[Frame], lab: NodeLab) -> None:
    _, link = await lab.fresh_link()
    await link.send(*frames)
    await _settled(link)


async def _expect_last(link: Any, *reasons: Reason) -> None:
    """GOODBYE with this reason; SUBSCRIBEs that were on their way may come before."""
    frames = await link.until_end()
    last = [frame[1] for frame in frames if frame[0] == Kind.GOODBYE]
    check(
        last and last[-1] in reasons,
        f"it ended with GOODBYE {last}, expected {[r.name for r in reasons]}",
    )


async def _settled(link: Any) -> list[Frame]:
    frames: list[Frame] = await link.settle()
    bad = [frame for frame in frames if frame[0] not in (Kind.SUBSCRIBE, Kind.ERROR, Kind.PUBLISH)]
    equal(bad, [], "what else came")
    return frames


for _what, _number, _changes, _reasons in WELCOMES:
    SECTION.add(f"welcome/{_what}", [_number], partial(_refuses_welcome, _changes, _reasons))
for _what, _number, _data, _reason in BROKEN:
    SECTION.add(f"broken/{_what}", [_number], partial(_ends, _data, _reason))
for _what, _number, _data, _reason in BEFORE:
    SECTION.add(f"before-welcome/{_what}", [_number], partial(_before_welcome, _data, _reason))
for _what, _number, _frames in (
    *TAKEN,
    ("random-reserved-frames", "16.1-2", [reserved() for _ in range(50)]),
):
    SECTION.add(f"taken/{_what}", [_number], partial(_takes, _frames))


@SECTION.case("hello-is-first-and-alone", "6.1-1", "8.4-2")
async def hello_first(lab: NodeLab) -> None:
    port = await lab.fresh()
    link = await port.accept()
    hello = await link.expect(Kind.HELLO)
    check(len(encode(hello)) <= 4096, "HELLO is too large")
    check(1 in hello[1], "version 1 is not among the versions")
    equal([len(hello[2]), len(hello[4])], [16, 16], "the sizes of session and boot")
    check("choria" in hello[6], f"the collectives are {hello[6]}")
    with trio.move_on_after(0.7):
        frame = await link.any_frame()
        raise Failed(f"frame {frame[0]} came before WELCOME")
    await link.send(welcome(hello, port.broker))
    await lab.subscribed(link)


@SECTION.case("session-and-boot-are-new-in-a-new-run", "6.1-2")
async def new_tokens(lab: NodeLab) -> None:
    tokens = []
    for _ in range(2):
        link = await (await lab.fresh()).accept()
        hello = await link.expect(Kind.HELLO)
        tokens += [hello[2], hello[4]]
    equal(len(set(tokens)), 4, "the number of different tokens")


@SECTION.case("subscribes-what-it-may-and-no-more", "6.7-4", "11.3-3")
async def subscribes(lab: NodeLab) -> None:
    _, link = await lab.fresh_link()
    await lab.expect_answer(lab.ask("discovery"))  # so it has said all that it subscribes
    who, patterns = lab.who, lab.shared.subscribed
    check(f"choria/node/{who.name}" in patterns, "its own subject is missing")
    check("choria/agent/discovery" in patterns, "discovery is missing")
    values = {
        "network": who.network,
        "name": who.name,
        "inbox": who.inbox,
        "session": "x",
        "c": "choria",
    }
    bad = [p for p in patterns if allowed(TABLE, Wish("node", "subscribe", p, values)) is None]
    equal([p for p in bad if "/reply/" not in p], [], "what section 14 does not allow")
    await _settled(link)


@SECTION.case("welcome/one-byte-at-a-time", "4-5")
async def bytewise(lab: NodeLab) -> None:
    port = await lab.fresh()
    link = await port.accept()
    hello = await link.expect(Kind.HELLO)
    await link.send_bytes(framed(encode(welcome(hello, port.broker))), bytewise=True)
    await lab.subscribed(link)


@SECTION.case("welcome/with-more-than-we-know", "6.2-5", "6-3")
async def more_welcome(lab: NodeLab) -> None:
    port = await lab.fresh()
    link = await port.accept()
    hello = await link.expect(Kind.HELLO)
    frame = welcome(hello, port.broker, limits={6: "x", 0: [1], 1 << 63: None})
    await link.send([*frame, "more", {1: 2}])
    await lab.subscribed(link)


@SECTION.case("welcome/the-clock-is-not-believed", "6.2-6")
async def clock(lab: NodeLab) -> None:
    """A broker a year ahead: requests are judged by the node's own clock, not by WELCOME's."""
    _, link = await lab.fresh_link(_7=1)
    await _settled(link)


@SECTION.case("ping-is-answered", "6.3-1")
async def ping_answered(lab: NodeLab) -> None:
    _, link = await lab.fresh_link()
    for token in (0, 23, 1 << 40, (1 << 64) - 1):
        await link.send(ping(token))
        frames = await link.until(lambda frame: frame[0] == Kind.PONG)
        equal(frames[-1], pong(token), "the PONG")


@SECTION.case("goodbye-is-answered-and-the-link-closed", "6.5-2")
async def goodbye_answered(lab: NodeLab) -> None:
    _, link = await lab.fresh_link()
    await link.send(goodbye(Reason.NORMAL))
    frames = await link.until_end()
    kinds = [frame[0] for frame in frames if frame[0] != Kind.SUBSCRIBE]
    equal(kinds, [Kind.GOODBYE], "what came after GOODBYE")


@SECTION.case("unknown-reason-of-goodbye", "12-2")
async def unknown_reason(lab: NodeLab) -> None:
    _, link = await lab.fresh_link()
    await link.send(goodbye(21))
    await link.until_end()


@SECTION.case("it-says-goodbye-when-it-stops", "10.3-1")
async def says_goodbye(lab: NodeLab) -> None:
    _, link = await lab.fresh_link()
    await _settled(link)
    await trio.sleep(0.5)  # a program that has just linked may not listen for signals yet
    if lab.process is None:
        raise Failed("no process")
    lab.process.terminate()
    await _expect_last(link, Reason.NORMAL, Reason.DRAINING)


@SECTION.case("a-lost-link-is-opened-again-with-the-same-session", "6.7-6", "3-11")
async def comes_back(lab: NodeLab) -> None:
    port, link = await lab.fresh_link()
    first = link.hello
    await link.stream.half_close()
    await link.until_end()
    again = await port.welcomed()
    equal(again.hello[2], first[2], "the session")
    equal(again.hello[4], first[4], "the boot")
    await lab.subscribed(again)


@SECTION.case("a-reset-link-is-opened-again", "3-10")
async def after_reset(lab: NodeLab) -> None:
    port, link = await lab.fresh_link()
    link.stream.reset()
    again = await port.welcomed()
    await lab.subscribed(again)


@SECTION.case("draining-and-retry-after", "10.3-6", "10.3-4")
async def retry_after(lab: NodeLab) -> None:
    port, link = await lab.fresh_link()
    began = trio.current_time()
    await link.send(goodbye(Reason.DRAINING, "later", 1500))
    await link.until_end()
    again = await port.welcomed()
    waited = trio.current_time() - began
    check(waited >= 1.4, f"it came back after {waited:.2f} s, retry-after-ms was 1500")
    equal(again.hello[2], link.hello[2], "the session")


@SECTION.case("names-in-goodbye-are-not-addresses", "6.5-4")
async def no_new_addresses(lab: NodeLab) -> None:
    """It comes back to the address that it was configured with."""
    port, link = await lab.fresh_link()
    await link.send(goodbye(Reason.DRAINING, "", 0, ["localhost", "evil.example.net"]))
    await link.until_end()
    await lab.subscribed(await port.welcomed())


@SECTION.case("full-jitter-between-attempts", "10.3-6")
async def jitter(lab: NodeLab) -> None:
    """Connections that are closed at once: five attempts take some time, and not the same each."""
    port = await lab.fresh()
    times = []
    for _ in range(5):
        tcp = await port.tcp()
        times.append(trio.current_time())
        tcp.socket.close()
    waits = [b - a for a, b in pairwise(times)]
    check(sum(waits) > 0.2, f"the waits were {[round(w, 3) for w in waits]} s")
    check(max(waits) < 21, "it waited more than 20 s")


@SECTION.case("silence-is-pinged-and-ends-the-link", "10.1-3", "10.1-4", "6.3-2")
async def silence(lab: NodeLab) -> None:
    _, link = await lab.fresh_link(limits={4: 500})
    link.answers_pings = False
    began, pings = trio.current_time(), 0
    await link.send([200, "its interval begins now"])
    with trio.fail_after(30):
        while (frame := await link.any_frame())[0] != Kind.GOODBYE:
            pings += frame[0] == Kind.PING
    equal(frame[1], Reason.TIMEOUT, "the reason")
    equal(pings, 2, "the number of PINGs without PONG")
    check(trio.current_time() - began >= 1.2, "it ended before three intervals of silence")


@SECTION.case("any-frame-is-life", "10.1-2")
async def life(lab: NodeLab) -> None:
    _, link = await lab.fresh_link(limits={4: 1000})
    for _ in range(8):
        await trio.sleep(0.5)
        await link.send([200, "alive"])
    await _settled(link)


@SECTION.case("a-critical-header-gets-an-error", "6.10-3", should=True)
async def critical_header(lab: NodeLab) -> None:
    _, link = await lab.fresh_link()
    await link.send(deliver("choria/agent/discovery", b"x", None, {128: 1}))
    await link.until(lambda frame: frame[:2] == [Kind.ERROR, Reason.UNSUPPORTED_CRITICAL])


async def _no_hello(lab: NodeLab, context: ssl.SSLContext, broker: str = "broker") -> None:
    """The node must not say HELLO on such a connection."""
    port = await lab.fresh(broker)
    for _ in range(2):
        try:
            link = await port.accept(context)
            frames = await link.until_end()
        except Refused:
            continue
        equal(frames, [], "what the node said")


@SECTION.case("broker/without-alpn", "3-3")
async def without_alpn(lab: NodeLab) -> None:
    context = broker_context(lab.principal("broker"))
    context.set_alpn_protocols(["h2"])
    await _no_hello(lab, context)


@SECTION.case("broker/tls-1.2", "3-1")
async def tls_1_2(lab: NodeLab) -> None:
    context = broker_context(lab.principal("broker"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    await _no_hello(lab, context)


for _who, _number in (("odd/outsider-broker", "3-5"), ("odd/impostor-broker", "3-5"), ("client-1", "2.2-5"),
                      ("node-1", "2.2-5"), ("odd/member-by-brokers", "2.2-4"), ("odd/broker-by-clients", "2.2-4")):  # fmt: skip

    async def _wrong_broker(lab: NodeLab, who: str = _who) -> None:
        await _no_hello(lab, broker_context(lab.principal(who)), who)

    _name = f"broker/{_who.replace('odd/', '')}"
    SECTION.add(_name, [*dict.fromkeys((_number, "3-5", "3-15", "6.5-5"))], _wrong_broker)


@SECTION.case("broker/no-client-certificate-asked", "3-1")
async def offers(lab: NodeLab) -> None:
    """The node presents its certificate and offers cwp/1 alone."""
    port = await lab.fresh()
    link = await port.accept()
    equal(link.stream.tls.selected_alpn_protocol(), "cwp/1", "the ALPN protocol")
    equal(link.stream.certificate(), lab.principal("node-2").der, "the certificate")
