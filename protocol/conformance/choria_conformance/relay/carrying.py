"""Section 14.3 at a relay, with ROUTED and receipts (6.12, 9), and its ends of two links."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import trio

from choria_conformance.cases import Section
from choria_conformance.cbor import Raw, encode, framed
from choria_conformance.frames import Frame, Kind, Reason, ping, pong, receipt, reserved
from choria_conformance.patterns import Wish, allowed, read_table
from choria_conformance.serving import welcome
from choria_conformance.verdicts import Failed, check, equal

from .lab import WITHIN_S, RelayLab, Side, reply_prefix

SECTION = Section("relay/carrying")
AGENT: Final = "choria/agent/discovery"
TABLE: Final = read_table()


def _over(side: Side, subject: str = AGENT) -> str:
    return f"federation/{side.other}/{subject}"


@SECTION.case("a-link-to-each-network", "6.1-1", "14.3-1", "14.3-2")
async def subscribes(lab: RelayLab) -> None:
    """In the group of the other network, and nothing that the table does not give to relays."""
    for side in await lab.relay():
        await side.expect_quiet()
        group = f"relay-{side.other}"
        wanted = {(f"federation/{side.other}/**", group), (f"choria/reply/{side.other}/**", group)}
        check(wanted <= set(side.subscribed), f"only {side.subscribed} is subscribed")
        link = {"c": "choria", "network": side.network}
        for pattern, held in side.subscribed:
            wish = Wish("relay", "subscribe", pattern, link, (f"relay:{side.other}",), held or "")
            check(allowed(TABLE, wish), f"{pattern} in group {held} is not a relay's to subscribe")


@SECTION.case("a-request-goes-over", "14.3-1", "6.12-3")
async def request_over(lab: RelayLab) -> None:
    """Without ``federation/<n>/``; reply field, headers and payload as they are, both ways."""
    sides = await lab.relay()
    for near, far in (sides, sides[::-1]):
        prefix, headers = reply_prefix(near.network), {3: b"h", 70: "text"}
        payload = b"\xd2" + bytes(range(256)) + near.network.encode()
        await near.link.send(
            near.routed(_over(near), payload=payload, reply=prefix, headers=headers)
        )
        frame = await far.published()
        equal(frame[1], [AGENT], "the subjects")
        equal(frame[3], prefix, "the reply field")
        equal(frame[4], headers, "the headers")
        equal(frame[5], payload, "the payload")
        check(1 not in frame[2], "a receipt was asked for that nobody wants")


async def _carried(subject: str, lab: RelayLab) -> None:
    near, far = await lab.relay()
    await near.link.send(near.routed(_over(near, subject), reply=reply_prefix(near.network)))
    equal((await far.published())[1], [subject], "the subjects")


for _what, _subject in (
    ("node", "choria/node/n1.example.net"),
    ("service", "choria/service/echo"),
    ("presence", "sys/presence/choria"),
):
    SECTION.add(f"goes-over/{_what}", ["14.3-1"], partial(_carried, _subject))


@SECTION.case("a-reply-comes-back", "14.3-2")
async def reply_back(lab: RelayLab) -> None:
    """On the subject on which it came: who answered is told by the last two tokens."""
    near, far = await lab.relay()
    subject = f"{reply_prefix(near.network)}/{far.network}/n1.example.net"
    await far.link.send(far.routed(subject, payload=b"\xa0"))
    frame = await near.published()
    equal([frame[1], frame[3], frame[5]], [[subject], None, b"\xa0"], "subjects, reply and payload")


@SECTION.case("once-within-300-s", "14.3-3")
async def once(lab: RelayLab) -> None:
    near, far = await lab.relay()
    for _ in range(3):
        await near.link.send(near.routed(_over(near), payload=b"the same"))
    await far.published()
    await far.expect_quiet()


@SECTION.case("once-for-each-subject", "14.3-3")
async def once_each(lab: RelayLab) -> None:
    """The payload alone does not tell: another subject is another message."""
    near, far = await lab.relay()
    found = set()
    for name in ("n1", "n2"):
        await near.link.send(near.routed(_over(near, f"choria/node/{name}"), payload=b"the same"))
        found.update((await far.published())[1])
    equal(found, {"choria/node/n1", "choria/node/n2"}, "the subjects")


@SECTION.case("other-headers-do-not-make-it-new", "14.3-3")
async def once_whatever(lab: RelayLab) -> None:
    """Known by the payload's hash: what anybody may change on the way does not count."""
    near, far = await lab.relay()
    await near.link.send(near.routed(_over(near), payload=b"the same", headers={1: 1}))
    await far.published()
    await near.link.send(near.routed(_over(near), payload=b"the same", headers={1: 2}))
    await far.expect_quiet()


@SECTION.case("not-to-a-third-network", "14.3-3", "14.3-9")
async def third_network(lab: RelayLab) -> None:
    near, far = await lab.relay()
    await near.link.send(
        near.routed(_over(near, f"federation/paris/{AGENT}")),
        near.routed(f"federation/paris/{AGENT}"),
        near.routed(_over(near, f"federation/{near.network}/{AGENT}")),
    )
    await far.expect_quiet()
    await near.expect_quiet()


@SECTION.case("a-reply-for-a-third-network-stays", "14.3-3", "14.3-9")
async def third_reply(lab: RelayLab) -> None:
    """What came from a relay of the far network is not for us to pass on."""
    near, far = await lab.relay()
    await far.link.send(far.routed(f"{reply_prefix('paris')}/{far.network}/n1"))
    await near.expect_quiet()


@SECTION.case("receipt", "6.12-4", "14.3-1", "9-4")
async def receipts(lab: RelayLab) -> None:
    """What the far network's RECEIPT says, with the indices of the pairs."""
    near, far = await lab.relay()
    subjects = [_over(near, f"choria/node/n{i}") for i in range(3)]
    await near.link.send(near.routed(*subjects, indices=(4, 7, 9), receipt=77))
    frame = await far.published()
    equal(frame[1], [f"choria/node/n{i}" for i in range(3)], "the subjects")
    await far.link.send(receipt(frame[2][1], 2, [1]))
    equal((await near.expect(Kind.RECEIPT))[:5], [11, 77, 2, False, [7]], "the RECEIPT")


@SECTION.case("receipt-that-is-partial", "6.12-4", "14.3-1")
async def partial_receipt(lab: RelayLab) -> None:
    near, far = await lab.relay()
    await near.link.send(near.routed(_over(near), receipt=5))
    frame = await far.published()
    await far.link.send(receipt(frame[2][1], 3, partial=True))
    equal((await near.expect(Kind.RECEIPT))[:5], [11, 5, 3, True, []], "the RECEIPT")


@SECTION.case("receipt-in-time-although-none-came", "6.12-4", "9-7")
async def late_receipt(lab: RelayLab) -> None:
    near, far = await lab.relay()
    began = trio.current_time()
    await near.link.send(near.routed(_over(near), receipt=6, remaining_ms=800))
    await far.published()
    frame = await near.expect(Kind.RECEIPT)
    equal(frame[:5], [11, 6, 0, True, []], "the RECEIPT: whom nobody knows is in no index")
    check(trio.current_time() - began < 2, "the RECEIPT came too late")


@SECTION.case("no-receipt-where-none-is-asked", "6.12-4")
async def no_receipt(lab: RelayLab) -> None:
    near, far = await lab.relay()
    await near.link.send(near.routed(_over(near)))
    await far.published()
    await near.expect_quiet()


@SECTION.case("many-in-a-row", "14.3-1", "6.9-10")
async def many(lab: RelayLab) -> None:
    """In order, and none is lost while both sides live."""
    near, far = await lab.relay()
    count = 200
    await near.link.send(*(near.routed(_over(near), payload=b"%d" % i) for i in range(count)))
    seen = [(await far.published())[5] for _ in range(count)]
    equal(seen, [b"%d" % i for i in range(count)], "the payloads")


@SECTION.case("unknown-critical-header", "6.10-3", "6.9-2")
async def critical_header(lab: RelayLab) -> None:
    near, far = await lab.relay()
    await near.link.send(near.routed(_over(near), headers={128: 1}))
    await far.expect_quiet()
    await near.expect_quiet(Kind.ERROR)


@SECTION.case("reserved-frames-between-messages", "6-4", "16.1-2", "4-6")
async def reserved_frames(lab: RelayLab) -> None:
    """On both links; PONG goes on, and so do messages."""
    sides = await lab.relay()
    for near, far in (sides, sides[::-1]):
        for number in (192, 207, 223):
            await near.link.send(reserved(), [number], reserved())
            await far.link.send(reserved(), [number])
            await near.link.send(near.routed(_over(near), payload=b"%d" % number))
            equal((await far.published())[5], b"%d" % number, "the payload")
        await near.link.settle()


@SECTION.case("ping-is-answered", "6.3-1")
async def pings(lab: RelayLab) -> None:
    for side in await lab.relay():
        await side.link.send(ping(7), ping(8))
        for token in (7, 8):
            equal(await side.expect(Kind.PONG), pong(token), "the answer")


# What, requirement, bytes or a frame on a link that is open, reason.
BROKEN: Final[tuple[tuple[str, str, Any, Reason], ...]] = (
    ("pairs-descending", "6.12-2", [12, "b1", 0, 0, 0, [[1, "a/b"], [0, "a/c"]], [], None, {}, b""],
     Reason.INVALID_FIELD),
    ("pairs-twice", "6.12-2", [12, "b1", 0, 0, 0, [[1, "a/b"], [1, "a/c"]], [], None, {}, b""],
     Reason.INVALID_FIELD),
    ("no-pairs", "6-2", [12, "b1", 0, 0, 0, [], [], None, {}, b""], Reason.INVALID_FIELD),
    ("origin-upper-case", "7.1-2", [12, "B1", 0, 0, 0, [[0, "a/b"]], [], None, {}, b""],
     Reason.INVALID_FIELD),
    ("publish-from-a-broker", "8.4-1", [9, ["a/b"], {}, None, {}, b""], Reason.ILLEGAL_STATE),
    ("unknown-type", "6-4", [99], Reason.UNKNOWN_FRAME),
    ("interest", "6-5", [13, 1], Reason.UNKNOWN_FRAME),
    ("float", "5-5", [200, Raw(b"\xf9\x3c\x00")], Reason.MALFORMED),
    ("longer-head", "4-2", b"\x58\x03" + encode(pong(7)), Reason.MALFORMED),
    ("byte-behind", "5-8", framed(encode(pong(7)) + b"\0"), Reason.MALFORMED),
)  # fmt: skip


async def _broken(data: Any, reason: Reason, lab: RelayLab) -> None:
    _, far = await lab.relay()
    await far.link.send(data)
    await far.link.expect_goodbye(reason)


for _what, _number, _data, _reason in BROKEN:
    SECTION.add(f"broken/{_what}", [_number], partial(_broken, _data, _reason))


async def _welcome(changes: dict[str, Any], reason: Reason, lab: RelayLab) -> None:
    _, far = await lab.ports()
    link = await far.accept()
    hello = await link.expect(Kind.HELLO)
    await link.send(welcome(hello, far.broker, **changes))
    await link.expect_goodbye(reason)


for _what, _number, _changes, _reason in (
    ("the-other-network", "6.2-3", {"_4": "alpha"}, Reason.WRONG_NETWORK),
    ("another-broker", "6.2-3", {"_5": "b9.example.net"}, Reason.IDENTITY_REFUSED),
    ("another-session", "6.2-2", {"_2": bytes(16)}, Reason.INVALID_FIELD),
):
    SECTION.add(f"welcome/{_what}", [_number], partial(_welcome, _changes, _reason))


@SECTION.case("one-network-comes-again", "6.7-6", "10.3-4", "14.3-1")
async def comes_again(lab: RelayLab) -> None:
    """The far broker drains: the relay links again, subscribes again and carries on."""
    near, far = await lab.relay()
    await far.link.send([5, Reason.DRAINING, "", 0, []])
    await far.link.until_end()
    again = await far.port.welcomed()
    missing = {f"federation/{far.other}/**", f"choria/reply/{far.other}/**"}
    while missing:
        missing -= set((await again.expect(Kind.SUBSCRIBE, within_s=WITHIN_S))[1])
    await near.link.send(near.routed(_over(near), payload=b"later"))
    frames = await again.until(lambda frame: frame[0] != Kind.SUBSCRIBE)
    equal([frames[-1][0], frames[-1][5:]], [Kind.PUBLISH.value, [b"later"]], "what came")


@SECTION.case("publishes-nothing-beyond-the-table", "14.3-9", "8.4-2")
async def within_the_table(lab: RelayLab) -> None:
    """Of what a broker could be made to send, only what section 14 lets relays publish goes over."""
    near, far = await lab.relay()
    odd = ("choria/event/alarm/n1", "choria/registration/facts/n1", "sys/admin/choria", "sys/trust/x",
           f"choria/reply/{far.network}/i/s/r/{far.network}/n1", "choria/agent")  # fmt: skip
    await near.link.send(*(near.routed(_over(near, subject)) for subject in odd))
    await trio.sleep(0.5)
    for frame in await far.link.settle():
        _check_permitted(frame, near, far)


def _check_permitted(frame: Frame, near: Side, far: Side) -> None:
    link = {"c": "choria", "network": far.network, "name": "to-home"}
    for subject in frame[1] if frame[0] == Kind.PUBLISH else ():
        wish = Wish("relay", "publish", subject, link, (f"relay:{near.network}",))
        if allowed(TABLE, wish) is None:
            raise Failed(f"the relay published on {subject}, which no row allows")
