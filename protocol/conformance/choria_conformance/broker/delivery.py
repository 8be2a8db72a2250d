"""Sections 6.9 and 6.10: who gets a message, in which order, and which bytes."""

from __future__ import annotations

from choria_conformance.cases import Section
from choria_conformance.cbor import encode, framed
from choria_conformance.frames import Kind, Reason, publish, subscribe
from choria_conformance.verdicts import equal

from .lab import BrokerLab, subjects_of
from .traffic import agent_of, deliveries, node_on

SECTION = Section("broker/delivery")


@SECTION.case("the-bytes-that-were-published", "6-6", "6.10-1")
async def same_bytes(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    reply, headers = client.reply(), {0: 1, 7: b"\0\1", 63: "text", 127: (1 << 64) - 1}
    await client.send(publish(subject, payload=bytes(range(256)), reply=reply, headers=headers))
    got = await node.expect(Kind.DELIVER)
    equal(got, [10, subject, reply, headers, bytes(range(256))], "the DELIVER")


@SECTION.case("nothing-behind-the-payload-is-passed-on", "6-3", "6.10-1")
async def nothing_behind(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    await client.send([*publish(subject, payload=b"x"), "secret", {1: 2}])
    equal(await node.expect(Kind.DELIVER), [10, subject, None, {}, b"x"], "the DELIVER")


@SECTION.case("options-are-not-passed-on", "6.9-2", "6.10-1")
async def options_stay(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    await client.send(publish(subject, payload=b"x", options={0: "a", 2: [1], 127: {1: 2}}))
    equal(await node.expect(Kind.DELIVER), [10, subject, None, {}, b"x"], "the DELIVER")


@SECTION.case("all-receivers-get-the-same-bytes", "6.10-2", "6.9-8")
async def all_the_same(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    nodes = [await node_on(lab, subject) for _ in range(3)]
    client = await lab.member()
    await client.send(publish(subject, payload=b"to all", reply=client.reply(), headers={5: "h"}))
    got = [await node.expect(Kind.DELIVER) for node in nodes]
    equal(got[1:], got[:1] * 2, "what the others got")


@SECTION.case("a-payload-is-opaque", "5-15", "6-6")
async def opaque(lab: BrokerLab) -> None:
    """Neither its nesting nor its encoding is the frame's matter."""
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    for payload in (b"\x81" * 500 + b"\0", b"\xff" * 100, b"\x9f\xff", bytes(5000)):
        await client.send(publish(subject, payload=payload))
        equal((await node.expect(Kind.DELIVER))[4], payload, "the payload")


@SECTION.case("an-empty-payload", "6.10-1")
async def empty_payload(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    await client.send(publish(subject))
    equal((await node.expect(Kind.DELIVER))[4], b"", "the payload")


@SECTION.case("a-payload-of-the-limit", "11.3-2", "6.9-3")
async def largest_payload(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    payload = bytes(client.limits[1])
    await client.send(publish(subject, payload=payload))
    equal(len((await node.expect(Kind.DELIVER))[4]), len(payload), "the size of the payload")


@SECTION.case("a-payload-over-the-limit", "6.9-3")
async def too_large_payload(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    await client.send(publish(subject, payload=bytes(client.limits[1] + 1)))
    await client.expect_error(Reason.PAYLOAD_TOO_LARGE)
    equal(await deliveries(client, node, subject), [], "what was delivered")


@SECTION.case("a-frame-of-the-limit", "4-4", "6.9-3")
async def largest_frame(lab: BrokerLab) -> None:
    """Exactly limit 2: the link lives, whatever becomes of the payload."""
    client = await lab.member()
    frame = publish(agent_of(lab))
    frame[-1] = bytes(client.limits[2] - len(encode(frame)) - 4)
    equal(len(encode(frame)), client.limits[2], "the test's frame")
    await client.send_bytes(framed(encode(frame)))
    client.sent += 1
    await client.expect_error(Reason.PAYLOAD_TOO_LARGE)
    await client.expect_alive()


@SECTION.case("several-subjects-one-deliver-each", "6.9-9", "6.9-8")
async def several_subjects(lab: BrokerLab) -> None:
    subjects, marker = [agent_of(lab) for _ in range(5)], agent_of(lab)
    node, client = await node_on(lab, *subjects, marker), await lab.member()
    await client.send(publish(*subjects, payload=b"x"))
    frames = await deliveries(client, node, marker)
    equal(sorted(subjects_of(frames)), sorted(subjects), "the subjects that were delivered")


@SECTION.case("as-many-subjects-as-the-limit", "6.9-4", "6.9-1")
async def many_subjects(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    others = [agent_of(lab) for _ in range(client.limits[5] - 1)]
    await client.send(publish(*others, subject, payload=b"x"))
    equal((await node.expect(Kind.DELIVER))[1], subject, "the subject")


@SECTION.case("the-published-subject-not-the-pattern", "6.9-8")
async def published_subject(lab: BrokerLab) -> None:
    kind = lab.word("k")
    watch = await lab.member("client-events")
    await watch.send(subscribe("choria/event/**"))
    await watch.expect_alive()
    node = await lab.node()
    subject = f"choria/event/{kind}/{node.name}"
    await node.send(publish(subject, payload=b"x"))
    frames = await watch.until(lambda frame: frame[0] == Kind.DELIVER and kind in frame[1])
    equal(frames[-1][1], subject, "the subject")


@SECTION.case("order-of-one-publisher", "6.9-10", "6.9-11")
async def order(lab: BrokerLab) -> None:
    subjects = [agent_of(lab) for _ in range(3)]
    node, client = await node_on(lab, *subjects), await lab.member()
    await client.send(*(publish(subjects[i % 3], payload=bytes([i])) for i in range(200)))
    got = [(await node.expect(Kind.DELIVER))[4] for _ in range(200)]
    equal(got, [bytes([i]) for i in range(200)], "the payloads in order")


@SECTION.case("order-behind-a-large-fan-out", "6.9-10", "6.9-11")
async def order_behind(lab: BrokerLab) -> None:
    """A PUBLISH to many subjects, then a small one and a PING: nothing overtakes."""
    subjects = [agent_of(lab) for _ in range(200)]
    node, client = await node_on(lab, *subjects), await lab.member()
    await client.send(publish(*subjects, payload=b"many"), publish(subjects[0], payload=b"one"))
    frames = await node.until(lambda frame: frame[4:5] == [b"one"])
    equal(len(frames), 201, "how many came up to the last")


@SECTION.case("a-message-without-receiver-is-dropped", "6.9-12")
async def dropped(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    client = await lab.member()
    await client.send(publish(subject, payload=b"lost"))
    await client.expect_alive()
    node = await node_on(lab, subject)
    equal(await deliveries(client, node, subject), [], "what came")


@SECTION.case("critical-header", "6.9-2")
async def critical_header(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    await client.send(publish(subject, headers={128: 1}))
    await client.expect_error(Reason.UNSUPPORTED_CRITICAL, index=None)
    equal(await deliveries(client, node, subject), [], "what was delivered")


@SECTION.case("critical-header-largest", "6.9-2")
async def critical_largest(lab: BrokerLab) -> None:
    client = await lab.member()
    await client.send(publish(agent_of(lab), headers={(1 << 64) - 1: b""}))
    await client.expect_error(Reason.UNSUPPORTED_CRITICAL)


@SECTION.case("critical-option", "6.9-2")
async def critical_option(lab: BrokerLab) -> None:
    client = await lab.member()
    await client.send(publish(agent_of(lab), options={128: None}))
    await client.expect_error(Reason.UNSUPPORTED_CRITICAL, index=None)


@SECTION.case("order-of-checks", "6.9-7")
async def order_of_checks(lab: BrokerLab) -> None:
    """Critical before size, size before subject, subject before reply."""
    client = await lab.member()
    large, bad = bytes(client.limits[1] + 1), "choria/event/x/y"
    await client.send(publish(bad, payload=large, headers={128: 1}, reply="choria/agent/x"))
    await client.expect_error(Reason.UNSUPPORTED_CRITICAL)
    await client.send(publish(bad, payload=large, reply="choria/agent/x"))
    await client.expect_error(Reason.PAYLOAD_TOO_LARGE)
    await client.send(publish(agent_of(lab), bad, reply="choria/agent/x"))
    await client.expect_error(Reason.NOT_PERMITTED, index=1)
    await client.send(publish(agent_of(lab), reply="choria/agent/x"))
    await client.expect_error(Reason.NOT_PERMITTED, index=None)


@SECTION.case("a-hundred-receivers-once-each", "6.9-8", "6.7-2")
async def many_links(lab: BrokerLab) -> None:
    kind = lab.word("k")
    watchers = [await lab.member("client-events") for _ in range(20)]
    for watcher in watchers:
        await watcher.send(subscribe(f"choria/event/{kind}/*"))
        await watcher.expect_alive()
    node = await lab.node()
    for payload in (b"1", b"2"):
        await node.send(publish(f"choria/event/{kind}/{node.name}", payload=payload))
    for watcher in watchers:
        got = [(await watcher.expect(Kind.DELIVER))[4] for _ in range(2)]
        equal(got, [b"1", b"2"], "the payloads")


@SECTION.case("errors-of-receivers-are-counted-only", "6.10-3")
async def error_of_receiver(lab: BrokerLab) -> None:
    subject = agent_of(lab)
    node, client = await node_on(lab, subject), await lab.member()
    await client.send(publish(subject))
    await node.expect(Kind.DELIVER)
    await node.send([6, 8, 1, None, "unknown header"])
    await node.expect_alive()
    await client.expect_alive()


@SECTION.case("a-reply-reaches-its-session-only", "7.4-4", "14.1-3")
async def reply_to_session(lab: BrokerLab) -> None:
    one, two, node = await lab.member(), await lab.member(), await lab.node()
    for client in (one, two):
        await client.send(subscribe(f"choria/reply/{client.own_replies}/**"))
        await client.expect_alive()
    await node.send(publish(node.answer(one.reply()), payload=b"answer"))
    got = await one.expect(Kind.DELIVER)
    equal(got[1].split("/")[-2:], [node.who.network, node.name], "the last two tokens")
    await two.expect_alive()
