"""Section 9: receipts, and groups whose members they count."""

from __future__ import annotations

import trio

from choria_conformance.cases import Section
from choria_conformance.frames import Kind, Reason, publish, receipt, subscribe
from choria_conformance.verdicts import check, equal

from .lab import BrokerLab, Member, subjects_of

SECTION = Section("broker/receipts")


async def _on(lab: BrokerLab, *subjects: str) -> Member:
    node = await lab.node()
    await node.send(subscribe(*subjects))
    await node.expect_alive()
    return node


def _agents(lab: BrokerLab, count: int) -> list[str]:
    return [f"choria/agent/{lab.word()}" for _ in range(count)]


@SECTION.case("counts-receivers", "9-4", "9-6")
async def counts(lab: BrokerLab) -> None:
    (subject,) = _agents(lab, 1)
    for _ in range(2):
        await _on(lab, subject)
    client = await lab.member()
    await client.send(publish(subject, receipt=7))
    equal(await client.expect(Kind.RECEIPT), [11, 7, 2, False, []], "the RECEIPT")


@SECTION.case("nobody-there", "9-5", "9-4")
async def nobody(lab: BrokerLab) -> None:
    client = await lab.member()
    await client.send(publish(*_agents(lab, 1), receipt=1))
    equal(await client.expect(Kind.RECEIPT), [11, 1, 0, False, [0]], "the RECEIPT")


@SECTION.case("names-subjects-without-receiver", "9-5", "6.11-1")
async def without(lab: BrokerLab) -> None:
    subjects = _agents(lab, 6)
    await _on(lab, subjects[1], subjects[4])
    client = await lab.member()
    await client.send(publish(*subjects, receipt=(1 << 64) - 1))
    got = await client.expect(Kind.RECEIPT)
    equal(got, [11, (1 << 64) - 1, 2, False, [0, 2, 3, 5]], "the RECEIPT")


@SECTION.case("a-link-counts-once-for-each-subject", "9-4")
async def once_a_subject(lab: BrokerLab) -> None:
    subjects = _agents(lab, 3)
    await _on(lab, *subjects)
    client = await lab.member()
    await client.send(publish(*subjects, receipt=5))
    equal((await client.expect(Kind.RECEIPT))[2], 3, "handed")


@SECTION.case("none-without-option-1", "9-3")
async def none_unasked(lab: BrokerLab) -> None:
    (subject,) = _agents(lab, 1)
    node, client = await _on(lab, subject), await lab.member()
    await client.send(publish(subject))
    await node.expect(Kind.DELIVER)
    await client.expect_alive()


@SECTION.case("exactly-one-for-each-publish", "9-3", "9-8")
async def one_each(lab: BrokerLab) -> None:
    (subject,) = _agents(lab, 1)
    await _on(lab, subject)
    client = await lab.member()
    await client.send(*(publish(subject, receipt=number) for number in range(1, 257)))
    got = [(await client.expect(Kind.RECEIPT))[1] for _ in range(256)]
    equal(sorted(got), list(range(1, 257)), "the ids")
    await client.expect_alive()


@SECTION.case("none-for-a-refused-publish", "9-3", "6.6-1")
async def none_for_refused(lab: BrokerLab) -> None:
    client = await lab.member()
    await client.send(publish("choria/event/x/y", receipt=9))
    await client.expect_error(Reason.NOT_PERMITTED, index=0)
    await client.expect_alive()


@SECTION.case("not-for-nodes", "9-1", "14.1-5")
async def not_for_nodes(lab: BrokerLab) -> None:
    node = await lab.node()
    await node.send(publish(f"choria/event/x/{node.name}", receipt=1))
    await node.expect_error(Reason.NOT_PERMITTED, index=None)


@SECTION.case("not-for-replies", "9-2", "14.1-5")
async def not_for_replies(lab: BrokerLab) -> None:
    await lab.hold("service-1")
    service, client = await lab.member("service-1"), await lab.member()
    await service.send(publish(service.answer(client.reply()), receipt=1))
    await service.expect_error(Reason.NOT_PERMITTED, index=None)


@SECTION.case("not-if-one-subject-is-a-reply", "14.1-5", "9-2")
async def not_if_one(lab: BrokerLab) -> None:
    await lab.hold("service-1")
    service, client = await lab.member("service-1"), await lab.member()
    await service.send(publish(*_agents(lab, 1), service.answer(client.reply()), receipt=1))
    await service.expect_error(Reason.NOT_PERMITTED, index=None)


@SECTION.case("for-services", "9-1")
async def for_services(lab: BrokerLab) -> None:
    await lab.hold("service-1")
    service = await lab.member("service-1")
    await service.send(publish(f"choria/event/{lab.word()}/{service.name}", receipt=3))
    equal((await service.expect(Kind.RECEIPT))[1], 3, "the id")


@SECTION.case("from-who-is-no-relay", "6.11-3")
async def no_relay(lab: BrokerLab) -> None:
    for who in ("client-1", "service-1"):
        await lab.hold(who)
        member = await lab.member(who)
        await member.send(receipt(1))
        await member.expect_error(Reason.NOT_PERMITTED)
    node = await lab.node()
    await node.send(receipt(1, 5))
    await node.expect_error(Reason.NOT_PERMITTED)


async def _echoes(lab: BrokerLab, *who: str) -> list[Member]:
    await lab.hold("group-echo", *who)
    members = [await lab.member(name) for name in who]
    for member in members:
        await member.send(subscribe("choria/service/echo", group="echo"))
        await member.expect_alive()
    return members


@SECTION.case("group/each-message-to-one", "6.7-1", "9-4")
async def to_one(lab: BrokerLab) -> None:
    members = await _echoes(lab, "node-service", "service-1", "service-2")
    client = await lab.member()
    for number in range(1, 31):
        await client.send(publish("choria/service/echo", payload=bytes([number]), receipt=number))
        equal((await client.expect(Kind.RECEIPT))[2:], [1, False, []], "handed, partial, without")
    got: list[bytes] = []
    for member in members:
        got += [frame[4] for frame in await member.settle() if frame[0] == Kind.DELIVER]
    equal(sorted(got), [bytes([n]) for n in range(1, 31)], "the payloads that all got together")


@SECTION.case("group/more-than-one-member-is-picked", "6.7-1", should=True)
async def spread(lab: BrokerLab) -> None:
    members = await _echoes(lab, "node-service", "service-1", "service-2")
    client = await lab.member()
    await client.send(*(publish("choria/service/echo", payload=bytes([n])) for n in range(60)))
    await client.expect_alive()
    busy = [member for member in members if subjects_of(await member.settle())]
    check(len(busy) > 1, "one member got all 60 messages")


@SECTION.case("group/subscribed-twice-is-once", "6.7-3")
async def group_twice(lab: BrokerLab) -> None:
    (member,) = await _echoes(lab, "service-1")
    await member.send(subscribe("choria/service/echo", group="echo"))
    await member.expect_alive()
    client = await lab.member()
    await client.send(publish("choria/service/echo", receipt=1))
    equal((await client.expect(Kind.RECEIPT))[2], 1, "handed")
    equal(len(await member.settle()), 1, "how often it came")


@SECTION.case("group/who-leaves-is-not-picked", "6.7-1", "6.7-6")
async def who_leaves(lab: BrokerLab) -> None:
    first, second = await _echoes(lab, "service-1", "service-2")
    await first.leave()
    client = await lab.member()
    await client.send(*(publish("choria/service/echo", receipt=n) for n in range(1, 21)))
    handed = [(await client.expect(Kind.RECEIPT))[2] for _ in range(20)]
    equal(handed, [1] * 20, "handed")
    equal(len(await second.settle()), 20, "how many came")


@SECTION.case("relay/gets-routed-and-its-receipt-counts", "6.12-1", "9-4", "6.12-4")
async def routed(lab: BrokerLab) -> None:
    await lab.hold("relay-1")
    relay, client = await lab.member("relay-1"), await lab.member()
    await relay.send(subscribe("federation/tokyo/**", group="relay-tokyo"))
    await relay.expect_alive()
    subjects = [f"federation/tokyo/choria/agent/{lab.word()}" for _ in range(3)]
    await client.send(publish(*subjects, payload=b"abroad", reply=client.reply(), receipt=4))
    frame = await relay.expect(Kind.ROUTED)
    equal(frame[1], relay.welcome[5], "the origin")
    check(0 < frame[4] <= 1700, f"remaining-ms is {frame[4]}, each hop gets 300 ms less than 2000")
    equal(frame[5], [[i, subject] for i, subject in enumerate(subjects)], "the pairs")
    equal(frame[6], ["relay-tokyo"], "the groups")
    equal(frame[7:10], [client.reply(), {}, b"abroad"], "reply, headers and payload")
    await relay.send(receipt(frame[3], 41, [1]))
    equal(await client.expect(Kind.RECEIPT), [11, 4, 41, False, [1]], "the RECEIPT")


@SECTION.case("relay/that-does-not-answer-is-partial", "9-6", "9-7")
async def partial_receipt(lab: BrokerLab) -> None:
    await lab.hold("relay-1")
    relay, client = await lab.member("relay-1"), await lab.member()
    await relay.send(subscribe("federation/tokyo/**", group="relay-tokyo"))
    await relay.expect_alive()
    began = trio.current_time()
    await client.send(publish(f"federation/tokyo/choria/agent/{lab.word()}", receipt=8))
    await relay.expect(Kind.ROUTED)
    got = await client.expect(Kind.RECEIPT)
    equal(got, [11, 8, 0, True, []], "the RECEIPT")
    check(trio.current_time() - began < 2.5, "it took longer than 2000 ms")


@SECTION.case("relay/sequence-counts", "6.12-1", "6.12-3")
async def sequence(lab: BrokerLab) -> None:
    await lab.hold("relay-1")
    relay, client = await lab.member("relay-1"), await lab.member()
    await relay.send(subscribe("federation/tokyo/**", group="relay-tokyo"))
    await relay.expect_alive()
    for _ in range(3):
        await client.send(publish("federation/tokyo/choria/agent/x", headers={9: "kept"}))
    frames = [await relay.expect(Kind.ROUTED) for _ in range(3)]
    equal([frame[2] for frame in frames], [0, 1, 2], "the sequence")
    equal([frame[3] for frame in frames], [0, 0, 0], "the receipt ids")
    equal([frame[8] for frame in frames], [{9: "kept"}] * 3, "the headers")


@SECTION.case("relay/a-receipt-nobody-awaits-is-ignored", "6.11-2")
async def not_awaited(lab: BrokerLab) -> None:
    await lab.hold("relay-1")
    relay = await lab.member("relay-1")
    await relay.send(receipt(4711, 3))
    await relay.expect_alive()


@SECTION.case("relay/open-receipts-are-limited", "9-8")
async def open_receipts(lab: BrokerLab) -> None:
    """256 may be open; more may be refused with LIMIT, and each gets one of the two."""
    await lab.hold("relay-1")
    relay, client = await lab.member("relay-1"), await lab.member()
    await relay.send(subscribe("federation/tokyo/**", group="relay-tokyo"))
    await relay.expect_alive()
    await client.send(
        *(publish("federation/tokyo/choria/agent/x", receipt=n) for n in range(1, 258))
    )
    await client.expect_error(Reason.LIMIT, index=None)
    got = [await client.expect(Kind.RECEIPT) for _ in range(256)]
    equal(sorted(frame[1] for frame in got), list(range(1, 257)), "the ids")
