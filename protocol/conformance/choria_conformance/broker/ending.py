"""Sections 6.5, 10.2, 10.3 and 11: leaving, draining, duplicates, and members that do not read."""

from __future__ import annotations

import trio

from choria_conformance.cases import Section
from choria_conformance.frames import Frame, Kind, Reason, goodbye, hello, ping, publish, subscribe
from choria_conformance.launch import stop
from choria_conformance.names import fresh_token
from choria_conformance.peer import Ended, Peer
from choria_conformance.principals import member_context
from choria_conformance.tls import Refused, TlsStream
from choria_conformance.verdicts import Failed, check, equal

from .brokers import Speed
from .lab import BrokerLab, Member
from .traffic import agent_of, node_on

SECTION = Section("broker/ending")
_MEBIBYTE = 1 << 20


@SECTION.case("goodbye-is-answered", "6.5-2", "10.3-1")
async def answered(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send(goodbye(Reason.NORMAL, "bye", 5, ["b1", "b2"]))
    await member.expect_goodbye()


@SECTION.case("goodbye-with-every-reason", "6.5-2", "12-2", "12-5")
async def every_reason(lab: BrokerLab) -> None:
    for reason in Reason:
        member = await lab.member()
        await member.send(goodbye(reason))
        await member.expect_goodbye()


@SECTION.case("goodbye-is-answered-with-normal", "6.5-6", should=True)
async def answered_normal(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send(goodbye(Reason.DRAINING))
    await member.expect_goodbye(Reason.NORMAL)


@SECTION.case("reasons-are-those-of-a-broker", "12-1")
async def reasons(lab: BrokerLab) -> None:
    """Every link of this suite checks it of each GOODBYE and ERROR; here are some of both."""
    member = await lab.member()
    await member.send(subscribe("**"), publish("choria/event/x/y"))
    for _ in range(2):
        await member.expect(Kind.ERROR)
    await member.send([99])
    await member.expect(Kind.GOODBYE)


@SECTION.case("what-is-queued-comes-before-goodbye", "6.5-2")
async def queued_first(lab: BrokerLab) -> None:
    """The node says GOODBYE while a megabyte is on its way to it."""
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    await client.send(publish(subject, payload=bytes(client.limits[1])))
    await client.expect_alive()
    await node.send(goodbye())
    frames = await node.until_end()
    equal([frame[0] for frame in frames], [Kind.DELIVER, Kind.GOODBYE], "what came")


@SECTION.case("messages-after-goodbye-go-to-nobody", "6.5-2", "6.7-6")
async def after_goodbye(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    await node.send(goodbye())
    await node.until_end()
    await client.send(publish(subject, receipt=2))
    equal((await client.expect(Kind.RECEIPT))[2], 0, "handed")


@SECTION.case("pong-overtakes-what-is-queued", "10.1-5", "6.3-1")
async def overtakes(lab: BrokerLab) -> None:
    """12 MB wait for a member that does not read; its PING is answered before the last of them."""
    await lab.hold("bulk")
    watch, kind = await lab.member("client-events"), lab.word("k")
    watch.stream.tcp.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 65536)
    await watch.send(subscribe(f"choria/event/{kind}/*"))
    await watch.expect_alive()
    node = await lab.node()
    payload = bytes(min(node.limits[1], _MEBIBYTE))
    for _ in range(12):
        await node.send(publish(f"choria/event/{kind}/{node.name}", payload=payload))
    await node.expect_alive()
    await watch.send(ping(77))
    await trio.sleep(0.2)  # the PING must be there before reading makes room
    frames = await watch.until(lambda frame: frame == [Kind.PONG, 77])
    check(len(frames) < 13, "the PONG came behind everything that was queued")
    for _ in range(13 - len(frames)):
        equal(len((await watch.expect(Kind.DELIVER))[4]), len(payload), "the size of a payload")


@SECTION.case("who-does-not-read-is-ended", "10.2-3", "11.1-3")
async def slow_consumer(lab: BrokerLab) -> None:
    """A node that reads nothing: the publisher goes on, the node's link ends."""
    await lab.hold("bulk")
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    node.stream.tcp.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 65536)
    payload = bytes(min(client.limits[1], _MEBIBYTE))
    handed, number = 1, 0
    while handed and number < 128:
        number += 1
        await client.send(publish(subject, payload=payload, receipt=number))
        handed = (await client.expect(Kind.RECEIPT))[2]
    check(not handed, "128 messages of a megabyte were taken for a member that reads nothing")
    frames = await node.until_end(30)
    reasons = [frame[1] for frame in frames if frame[0] == Kind.GOODBYE]
    check(reasons in ([], [Reason.SLOW_CONSUMER]), f"the GOODBYE has {reasons}")


@SECTION.case("a-slow-reader-gets-whole-frames", "10.2-6", "6.9-10")
async def slow_reader(lab: BrokerLab) -> None:
    """Small reads with pauses, PINGs between: no frame is torn, none is missing."""
    subjects = [agent_of(lab) for _ in range(2)]
    node, client = await node_on(lab, *subjects), await lab.member()
    node.stream.tcp.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4096)
    for number in range(40):
        await client.send(publish(subjects[number % 2], payload=bytes([number]) * 20_000))
    await client.expect_alive()
    got: list[Frame] = []
    asked = answered = 0
    while len(got) < 40 + asked or asked < 20:
        if asked - answered < 2 and asked < 20:
            await node.send(ping(asked))
            asked += 1
        await trio.sleep(0.005)
        got.append(await node.frame())
        answered += got[-1][0] == Kind.PONG
    payloads = [frame[4] for frame in got if frame[0] == Kind.DELIVER]
    equal(payloads, [bytes([n]) * 20_000 for n in range(40)], "the payloads")


async def _duplicate(lab: BrokerLab, boot: bytes | None = None) -> Member:
    return await lab.member("node-7" if boot else "node-8", boot=boot or fresh_token())


@SECTION.case("duplicate/the-newer-link-wins", "10.3-5", alone=True)
async def newer_wins(lab: BrokerLab) -> None:
    first = await _duplicate(lab)
    second = await _duplicate(lab)
    await first.expect_goodbye(Reason.DUPLICATE_IDENTITY)
    await second.expect_alive()


@SECTION.case("duplicate/after-three-changes-the-older-stays", "10.3-5", alone=True)
async def older_stays(lab: BrokerLab) -> None:
    """Changes before this case count too, so it may be fewer than three here."""
    holder = await _duplicate(lab)
    for _ in range(4):
        stream = await lab.dial("node-8")
        await stream.handshake()
        peer = Member(stream, lab.transcript, "[another machine]", lab.principal("node-8"))
        await peer.send(hello(peer.session, fresh_token()))
        frame = await peer.frame()
        if frame[0] == Kind.GOODBYE:
            equal(frame[1], Reason.DUPLICATE_IDENTITY, "the reason of GOODBYE")
            equal(frame[3], 600_000, "retry-after-ms")
            await holder.expect_alive()
            return
        holder = peer
    raise Failed("four machines took one name from each other within a minute")


@SECTION.case("duplicate/same-boot-moves-the-messages", "10.3-5")
async def same_boot(lab: BrokerLab) -> None:
    await lab.hold("node-7")
    boot, subject = fresh_token(), agent_of(lab)
    old = await _duplicate(lab, boot)
    await old.send(subscribe(subject))
    await old.expect_alive()
    new = await _duplicate(lab, boot)
    await new.send(subscribe(subject))
    await new.expect_alive()
    client = await lab.member()
    await client.send(publish(subject, payload=b"x", receipt=1))
    equal((await client.expect(Kind.RECEIPT))[2], 1, "handed")
    await new.expect(Kind.DELIVER)
    await old.expect_alive()


async def _heard(lab: BrokerLab, client: Member, subject: str, links: list[Member]) -> list[int]:
    """How many of the deliveries of one message each link got; the receipt must count them."""
    word = fresh_token()
    await client.send(publish(subject, payload=word, receipt=1))
    handed = (await client.expect(Kind.RECEIPT))[2]
    counts = []
    for link in links:
        frames = await link.settle()
        counts.append(sum(frame[0] == Kind.DELIVER and frame[4] == word for frame in frames))
    equal(handed, sum(counts), "handed")
    return counts


@SECTION.case("duplicate/no-message-misses-a-moving-node", "10.3-9")
async def moving_node(lab: BrokerLab) -> None:
    """The older link is there for what the newer one has not subscribed."""
    await lab.hold("node-7")
    boot, first, second = fresh_token(), agent_of(lab), agent_of(lab)
    old = await _duplicate(lab, boot)
    await old.send(subscribe(first))
    await old.send(subscribe(second))
    await old.expect_alive()
    client = await lab.member()
    links = [old, await _duplicate(lab, boot)]
    equal(await _heard(lab, client, first, links), [1, 0], "before the newer one subscribed")
    await links[1].send(subscribe(first))
    await links[1].expect_alive()
    equal(await _heard(lab, client, first, links), [0, 1], "what the newer one subscribed")
    equal(await _heard(lab, client, second, links), [1, 0], "what it did not")


@SECTION.case("duplicate/other-roles-have-many-links", "10.3-5")
async def other_roles(lab: BrokerLab) -> None:
    members = [await lab.member(boot=fresh_token()) for _ in range(5)]
    for member in members:
        await member.expect_alive()


async def _on_own_broker(lab: BrokerLab, address: tuple[str, int], who: str = "client-1") -> Member:
    tcp = await trio.open_tcp_stream(*address)
    lab.stack.callback(tcp.socket.close)
    stream = TlsStream(tcp, member_context(lab.principal(who)), host="localhost")
    await stream.handshake()
    member = Member(stream, lab.transcript, f"[{who}]", lab.principal(who))
    await member.send(hello(member.session, fresh_token()))
    member.welcome = await member.expect(Kind.WELCOME)
    return member


@SECTION.case("drain/members-are-sent-away", "10.3-1", "10.3-3")
async def drains(lab: BrokerLab) -> None:
    async with lab.brokers.running(Speed.USUAL) as (address, process):
        members = [await _on_own_broker(lab, address) for _ in range(3)]
        node = await _on_own_broker(lab, address, "node-7")
        subject = agent_of(lab)
        await node.send(subscribe(subject))
        await node.expect_alive()
        await members[0].send(publish(subject, payload=b"last"))
        await members[0].expect_alive()
        process.terminate()
        equal((await node.expect(Kind.DELIVER))[4], b"last", "what was queued")
        frames = [await member.expect_goodbye(Reason.DRAINING) for member in (*members, node)]
        check(
            all(0 <= frame[3] <= 600_000 for frame in frames),
            f"retry-after-ms {[f[3] for f in frames]}",
        )
        check(len({frame[3] for frame in frames}) > 1, "retry-after-ms is not spread")
        await stop(process)


@SECTION.case("drain/nobody-new-comes-in", "10.3-3")
async def nobody_new(lab: BrokerLab) -> None:
    async with lab.brokers.running(Speed.USUAL) as (address, process):
        stayer = await _on_own_broker(lab, address)
        process.terminate()
        await stayer.expect(Kind.GOODBYE)
        try:
            late = await _on_own_broker(lab, address)
        except (OSError, Refused, Failed):
            return
        raise Failed(f"{late.label} was welcomed by a broker that drains")


@SECTION.case("drain/the-other-s-goodbye-is-not-waited-for-long", "10.3-2")
async def drain_time(lab: BrokerLab) -> None:
    async with lab.brokers.running(Speed.USUAL) as (address, process):
        member = await _on_own_broker(lab, address)
        process.terminate()
        began = trio.current_time()
        with trio.move_on_after(40):
            try:
                while True:
                    await member.any_frame()
            except (Ended, Refused):
                pass
            check(trio.current_time() - began < 25, "the link was held for much more than 10 s")
            return
        raise Failed("the link was held though it had been said goodbye")


@SECTION.case("many-strangers-do-not-keep-out-others", "11.1-2")
async def strangers(lab: BrokerLab) -> None:
    """200 connections that say nothing; a member comes in all the same."""
    lab.speed = Speed.QUICK
    for _ in range(200):
        await lab.tcp()
    await lab.expect_innocent()


@SECTION.case("many-partial-frames-do-not-keep-out-others", "11.1-3")
async def partial_frames(lab: BrokerLab) -> None:
    lab.speed = Speed.QUICK
    for _ in range(20):
        peer: Peer = await lab.member()
        await peer.send_bytes(b"\x5a\x00\x10\x00\x00" + bytes(100))
    await lab.expect_innocent()


@SECTION.case("refusals-without-end", "6.6-5", "6.6-3")
async def many_refusals(lab: BrokerLab) -> None:
    """1500 refused frames: each gets its ERROR in order, or the link ends with FLOOD."""
    member = await lab.member()
    await member.send(*([subscribe("**")] * 1500))
    for number in range(1, 1501):
        frame = await member.frame()
        if frame[0] == Kind.GOODBYE:
            equal(frame[1], Reason.FLOOD, "the reason of GOODBYE")
            check(number > 1000, f"FLOOD after {number - 1} refusals")
            return
        equal(frame[:3], [6, Reason.NOT_PERMITTED, number], "the ERROR")
