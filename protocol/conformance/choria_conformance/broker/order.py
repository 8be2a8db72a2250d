"""What is judged before what, and whom rules mean: details that a broker's author has to know."""

from __future__ import annotations

from functools import partial
from typing import Final

import trio

from choria_conformance.cases import Section
from choria_conformance.cbor import encode
from choria_conformance.frames import (
    Frame,
    Kind,
    Reason,
    error,
    goodbye,
    hello,
    publish,
    reserved,
    subscribe,
    wire,
)
from choria_conformance.names import fresh_token
from choria_conformance.peer import Peer
from choria_conformance.principals import member_context
from choria_conformance.tls import TlsStream
from choria_conformance.verdicts import check, equal

from .brokers import Speed
from .lab import BrokerLab, Member
from .traffic import agent_of, node_on

SECTION = Section("broker/order")
_PIECE: Final = 1 << 18
_SUBSCRIPTIONS: Final = 5000


# Section 4: what follows a GOODBYE.


async def _after_goodbye(data: bytes, lab: BrokerLab) -> None:
    """In one piece with it: GOODBYE is answered or not, and nothing else is said of what follows."""
    member = await lab.member()
    await member.send_bytes(wire(goodbye()) + data)
    for frame in await member.until_end():
        equal(frame[0], Kind.GOODBYE, "what came")
        check(frame[1] in (Reason.NORMAL, Reason.ILLEGAL_STATE), f"the reason is {frame[1]}")


for _what, _data in (
    ("a-head-beyond-the-limit", b"\x5a\xff\xff\xff\xff"), ("a-head-of-eight-bytes", b"\x5b" + bytes(8)),
    ("an-empty-body", b"\x40"), ("no-byte-string", b"\xff"), ("a-longer-head", b"\x58\x02\x82\x03"),
    ("an-unknown-type", wire([99])), ("a-publish", wire(publish("choria/agent/x"))),
):  # fmt: skip
    SECTION.add(f"after-goodbye/{_what}", ["4-10", "6.5-1"], partial(_after_goodbye, _data))


# Grants.


@SECTION.case("no-grant-without-the-extension", "2.2-9")
async def service_without_extension(lab: BrokerLab) -> None:
    """``fleet`` is the default of clients alone."""
    service = await lab.member("service-default")
    await service.send(publish("choria/agent/discovery"))
    await service.expect_error(Reason.NOT_PERMITTED, index=0)
    client = await lab.member("client-1")
    await client.send(publish(agent_of(lab)))
    await client.expect_alive()


# Subscriptions.


async def _fill(member: Member) -> list[str]:
    """All subscriptions that the link may hold. Raises Failed if some is refused."""
    most = member.limits[3]
    own = [f"choria/reply/{member.own_replies}/x{i}" for i in range(most)]
    for at in range(0, most, 256):
        await member.send(subscribe(*own[at : at + 256]))
    await member.expect_alive()
    return own


@SECTION.case("permission-before-limit", "6.7-11", "6.7-5")
async def permission_first(lab: BrokerLab) -> None:
    member = await lab.member()
    if member.limits[3] > _SUBSCRIPTIONS:
        return  # the limit is the broker's own; filling it is not what this is about
    own = await _fill(member)
    more = f"choria/reply/{member.own_replies}/more"
    await member.send(subscribe(more, "choria/event/x/y"))
    await member.expect_error(Reason.NOT_PERMITTED, index=1)
    await member.send(subscribe(*own[:200]))
    await member.expect_alive()
    await member.send(subscribe(own[0], more))
    await member.expect_error(Reason.LIMIT, index=None)


@SECTION.case("two-links-of-one-session", "6.7-12")
async def one_session(lab: BrokerLab) -> None:
    session = fresh_token()
    links = [await lab.member(session=session) for _ in range(2)]
    for link in links:
        await link.send(subscribe(f"choria/reply/{link.own_replies}/**"))
        await link.expect_alive()
    node = await lab.node()
    await node.send(publish(node.answer(links[0].reply()), payload=b"both"))
    for link in links:
        equal((await link.expect(Kind.DELIVER))[4], b"both", "the payload")


@SECTION.case("another-s-session-token", "6.7-12")
async def same_token(lab: BrokerLab) -> None:
    """A token is no secret of the broker's: somebody else may have the same, and reads nothing by it."""
    session = fresh_token()
    first, second = await lab.member(session=session), await lab.member("client-2", session=session)
    await second.send(subscribe(f"choria/reply/{first.own_replies}/**"))
    await second.expect_error(Reason.NOT_PERMITTED, index=0)
    await first.expect_alive()


# PUBLISH.


@SECTION.case("subjects-before-the-receipt", "6.9-15", "9-1")
async def subjects_first(lab: BrokerLab) -> None:
    """A node may ask for no receipt; what it may not publish is told first."""
    node = await lab.node()
    good, bad = f"choria/event/x/{node.name}", "choria/event/x/other"
    await node.send(publish(good, bad, receipt=1))
    await node.expect_error(Reason.NOT_PERMITTED, index=1)
    await node.send(publish(good, receipt=1))
    await node.expect_error(Reason.NOT_PERMITTED, index=None)


@SECTION.case("a-query-stands-alone-before-the-receipt", "6.9-15", "13.8-9")
async def query_first(lab: BrokerLab) -> None:
    """Its index is that of the query, whether a receipt is asked or not."""
    client = await lab.member()
    field, query = client.reply(bytes(16).hex()), encode([1, bytes(16), 1, ""])
    for number in (None, 1):
        await client.send(publish("choria/agent/x", "sys/presence/choria", payload=query, reply=field,
                                  receipt=number))  # fmt: skip
        await client.expect_error(Reason.NOT_PERMITTED, index=1)


@SECTION.case("reply-in-another-collective", "6.9-16")
async def other_collective(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member(collectives=["choria", "dev"])
    field = client.reply(collective="dev")
    await client.send(subscribe(f"dev/reply/{client.own_replies}/**"))
    await client.send(publish(subject, "dev/agent/x", payload=b"ask", reply=field))
    equal((await node.expect(Kind.DELIVER))[2], field, "the reply field")
    await node.send(publish(node.answer(field), payload=b"answer"))
    equal((await client.expect(Kind.DELIVER))[4], b"answer", "the answer")


# Queries: the token of the reply field.


async def _odd_token(token: str, lab: BrokerLab) -> None:
    client = await lab.member()
    query = encode([1, bytes(16), 1, ""])
    await client.send(publish("sys/presence/choria", payload=query, reply=client.reply(token)))
    await client.expect_error(Reason.NOT_PERMITTED, index=None)
    await client.expect_alive()


for _what, _token in (("a-word", "r1"), ("31-digits", "0" * 31), ("33-digits", "0" * 33),
                      ("no-hex", "g" * 32), ("with-a-dash", "0" * 31 + "-")):  # fmt: skip
    SECTION.add(f"query-token/{_what}", ["13.8-9"], partial(_odd_token, _token))


# ERROR, reserved frames.


@SECTION.case("errors-of-every-frame-reason-are-taken", "12-6", "6.6-3")
async def errors_taken(lab: BrokerLab) -> None:
    """Also those that the table gives to brokers alone: nothing is answered."""
    member = await lab.member()
    await member.send(*(error(reason, 0) for reason in (8, 9, 10, 11, 16)))
    await member.expect_alive()


async def _reserved(who: str, lab: BrokerLab) -> None:
    """Random ones between other frames, which go on; they are counted (CWP-4-6)."""
    member = await lab.member(who)
    for _ in range(20):
        await member.send(reserved(), reserved())
        await member.send(subscribe("**"))
        await member.expect_error(Reason.NOT_PERMITTED)
    await member.expect_alive()


for _who in ("client-1", "service-1", "relay-1"):
    SECTION.add(f"reserved-frames/{_who}", ["16.1-2", "6-4", "4-6"], partial(_reserved, _who))


@SECTION.case("reserved-frames/node", "16.1-2", "6-4", "4-6")
async def reserved_of_nodes(lab: BrokerLab) -> None:
    node = await lab.node()
    await node.send(*(reserved() for _ in range(50)), subscribe("**"))
    await node.expect_error(Reason.NOT_PERMITTED, frame=51)


# GOODBYE, duplicates.


@SECTION.case("goodbye-comes-behind-what-is-queued", "10.3-7")
async def behind_the_queue(lab: BrokerLab) -> None:
    """A member that breaks a rule while messages wait for it gets them first."""
    await lab.hold("bulk")
    watch, kind = await lab.member("client-events"), lab.word("k")
    watch.stream.tcp.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 65536)
    await watch.send(subscribe(f"choria/event/{kind}/*"))
    await watch.expect_alive()
    node = await lab.node()
    payload = bytes(min(node.limits[1], _PIECE))
    for _ in range(6):
        await node.send(publish(f"choria/event/{kind}/{node.name}", payload=payload))
    await node.expect_alive()
    await watch.send([99])
    await trio.sleep(0.2)  # the frame must be there before reading makes room
    frames = await watch.until_end()
    equal([frame[0] for frame in frames], [Kind.DELIVER] * 6 + [Kind.GOODBYE], "what came")
    equal(frames[-1][1], Reason.UNKNOWN_FRAME, "the reason")


@SECTION.case("the-older-of-two-links-with-one-boot", "10.3-8", "10.3-5")
async def older_link(lab: BrokerLab) -> None:
    """It may not subscribe any more, and may still publish: answers of what it runs."""
    await lab.hold("node-7")
    boot = fresh_token()
    older, newer = await lab.member("node-7", boot=boot), await lab.member("node-7", boot=boot)
    await older.send(subscribe(agent_of(lab)))
    await older.expect_error(Reason.NOT_PERMITTED, index=None)
    await older.send(publish(f"choria/event/{lab.word()}/{older.name}"))
    await older.expect_alive()
    await newer.expect_alive()


@SECTION.case("a-name-is-free-when-its-holder-left", "10.3-8", "10.3-5")
async def free_again(lab: BrokerLab) -> None:
    """After three changes newcomers are refused; not when nobody holds the name any more."""
    async with lab.brokers.running(Speed.USUAL) as (address, _):
        holder, frame = await _greeting(lab, address)
        for change in range(3):
            equal(frame[0], Kind.WELCOME, f"the answer to HELLO after {change} changes")
            holder, frame = await _greeting(lab, address)
        equal(frame[0], Kind.WELCOME, "the answer to the third change")
        for _ in range(2):
            frame = (await _greeting(lab, address))[1]
            equal(
                frame[:2],
                [int(Kind.GOODBYE), int(Reason.DUPLICATE_IDENTITY)],
                "the answer to one more",
            )
        await holder.leave()
        equal((await _greeting(lab, address))[1][0], Kind.WELCOME, "the answer once it is free")


async def _greeting(lab: BrokerLab, address: tuple[str, int]) -> tuple[Peer, Frame]:
    """A new run of the node, and what HELLO was answered with."""
    tcp = await trio.open_tcp_stream(*address)
    lab.stack.callback(tcp.socket.close)
    stream = TlsStream(tcp, member_context(lab.principal("node-8")), host="localhost")
    await stream.handshake()
    peer = Peer(stream, lab.transcript, "[node-8]")
    await peer.send(hello(fresh_token(), fresh_token()))
    return peer, await peer.frame()
