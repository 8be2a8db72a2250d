"""Sections 6.7, 6.8 and 7.3: what a subscription is, how often it counts, what it matches."""

from __future__ import annotations

from choria_conformance.cases import Section
from choria_conformance.frames import Kind, Reason, publish, subscribe, unsubscribe
from choria_conformance.verdicts import check, equal

from .lab import BrokerLab
from .traffic import agent_of, deliveries, node_on

SECTION = Section("broker/subscriptions")


@SECTION.case("several-matching-patterns-one-deliver", "6.7-2")
async def once(lab: BrokerLab) -> None:
    kind = lab.word("k")
    watch, node = await lab.member("client-events"), await lab.node()
    patterns = (
        "choria/event/**",
        f"choria/event/{kind}/**",
        f"choria/event/*/{node.name}",
        f"choria/event/{kind}/*",
    )
    await watch.send(subscribe(*patterns))
    await watch.expect_alive()
    for payload in (b"1", b"2"):
        await node.send(publish(f"choria/event/{kind}/{node.name}", payload=payload))
    frames = await watch.until(
        lambda frame: frame[1:2] == [f"choria/event/{kind}/{node.name}"] and frame[4] == b"2"
    )
    mine = [frame[4] for frame in frames if kind in frame[1]]
    equal(mine, [b"1", b"2"], "the payloads that came")


@SECTION.case("subscribing-again-has-no-effect", "6.7-3")
async def again(lab: BrokerLab) -> None:
    subject, marker = agent_of(lab), agent_of(lab)
    node, client = await node_on(lab, subject, marker), await lab.member()
    await node.send(subscribe(subject), subscribe(subject, marker))
    await node.expect_alive()
    await client.send(publish(subject))
    equal(len(await deliveries(client, node, marker)), 1, "how often it came")
    await node.send(unsubscribe(subject))
    await node.expect_alive()
    await client.send(publish(subject))
    equal(await deliveries(client, node, marker), [], "what came after UNSUBSCRIBE")


@SECTION.case("unsubscribed", "6.8-1")
async def unsubscribed(lab: BrokerLab) -> None:
    subject, marker = agent_of(lab), agent_of(lab)
    node, client = await node_on(lab, subject, marker), await lab.member()
    await node.send(unsubscribe(subject))
    await node.expect_alive()
    await client.send(publish(subject))
    equal(await deliveries(client, node, marker), [], "what came")


@SECTION.case("unsubscribing-needs-the-same-pattern-and-group", "6.8-1")
async def other_pattern(lab: BrokerLab) -> None:
    subject, marker = agent_of(lab), agent_of(lab)
    node, client = await node_on(lab, subject, marker), await lab.member()
    await node.send(
        unsubscribe("choria/agent/*", "choria/**", "**"), unsubscribe(subject, group="g")
    )
    await node.expect_alive()
    await client.send(publish(subject))
    equal(len(await deliveries(client, node, marker)), 1, "how often it came")


@SECTION.case("subscriptions-end-with-their-link", "6.7-6")
async def end_with_link(lab: BrokerLab) -> None:
    kind, session = lab.word("k"), bytes(range(16))
    first = await lab.member("client-events", session=session)
    await first.send(subscribe(f"choria/event/{kind}/*"))
    await first.expect_alive()
    await first.leave()
    second = await lab.member("client-events", session=session)
    await second.expect_alive()
    node = await lab.node()
    await node.send(publish(f"choria/event/{kind}/{node.name}"))
    await node.expect_alive()
    equal(await second.settle(), [], "what came on the new link")


@SECTION.case("a-later-message-of-the-link-sees-the-subscription", "6.7-7", "6.9-8")
async def sees_it(lab: BrokerLab) -> None:
    """In one write, and to the publisher itself."""
    await lab.hold("service-1")
    service = await lab.member("service-1")
    subject = f"choria/event/{lab.word('k')}/{service.name}"
    await service.send(
        publish(subject, payload=b"early"), subscribe(subject), publish(subject, payload=b"late")
    )
    equal((await service.expect(Kind.DELIVER))[4], b"late", "the payload")
    await service.expect_alive()


@SECTION.case("only-what-matches", "7.3-1", "6.7-1")
async def only_matches(lab: BrokerLab) -> None:
    """`*` takes one token, `**` one or more; tokens are compared whole."""
    await lab.hold("service-1")
    service, watch = await lab.member("service-1"), await lab.member("client-events")
    a, b = lab.word("a"), lab.word("b")
    await watch.send(subscribe(f"choria/event/{a}/*", f"choria/event/{b}/**", f"choria/event/{a}"))
    await watch.expect_alive()
    wanted = [f"choria/event/{a}/{service.name}", f"choria/event/{b}/{service.name}"]
    unwanted = [
        f"choria/event/{a}x/{service.name}",
        f"choria/submit/{a}/{service.name}",
        f"dev/event/{a}/{service.name}",
    ]
    await service.send(*(publish(subject) for subject in (*unwanted, *wanted)))
    got = [(await watch.expect(Kind.DELIVER))[1] for _ in wanted]
    equal(got, wanted, "the subjects that came")


@SECTION.case("two-stars-need-a-token", "7.3-1")
async def need_a_token(lab: BrokerLab) -> None:
    node, client = await lab.node(), await lab.member()
    await client.send(subscribe(f"choria/reply/{client.own_replies}/**"))
    await client.expect_alive()
    subject = node.answer(client.reply("r9"))
    await node.send(publish(subject, payload=b"answer"))
    equal((await client.expect(Kind.DELIVER))[1], subject, "the subject")


@SECTION.case("collectives-are-apart", "14.1-4", "6.7-1")
async def apart(lab: BrokerLab) -> None:
    word = lab.word()
    node, client = await node_on(lab, f"choria/agent/{word}"), await lab.member()
    await client.send(publish(f"dev/agent/{word}"))
    equal(await deliveries(client, node, f"choria/agent/{word}"), [], "what came")


@SECTION.case("limit-of-subscriptions", "6.7-5", "6.6-1")
async def limit_of_subscriptions(lab: BrokerLab) -> None:
    node, client = await lab.node(), await lab.member()
    most, prefix = node.limits[3], lab.word()
    check(most <= 65536, f"{most} subscriptions are more than this case fills")
    patterns = [f"choria/agent/{prefix}{i}" for i in range(most)]
    for start in range(0, most, 256):
        await node.send(subscribe(*patterns[start : start + 256]))
    await node.expect_alive()
    await node.send(subscribe(f"choria/agent/{prefix}x"))
    await node.expect_error(Reason.LIMIT)
    await node.send(subscribe(patterns[0]))
    await node.expect_alive()
    await node.send(unsubscribe(patterns[-1]), subscribe(f"choria/agent/{prefix}x"))
    await node.expect_alive()
    await client.send(publish(f"choria/agent/{prefix}x", payload=b"x"))
    equal((await node.expect(Kind.DELIVER))[4], b"x", "the payload")


@SECTION.case("256-patterns-in-a-frame", "6.7-1")
async def frame_of_256(lab: BrokerLab) -> None:
    prefix = lab.word()
    node, client = await lab.node(), await lab.member()
    await node.send(subscribe(*(f"choria/agent/{prefix}{i}" for i in range(256))))
    await node.expect_alive()
    await client.send(publish(f"choria/agent/{prefix}255"))
    await node.expect(Kind.DELIVER)
