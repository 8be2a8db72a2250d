"""Section 14: every role, every verb, every class of subjects; and what hostile members try.

The table of the specification says what to expect. Each class is asked for by each role, with the
values of its own link; then come the hostile ones: other names, other inboxes, wildcards.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from choria_conformance.cases import Section
from choria_conformance.frames import Reason, publish, subscribe
from choria_conformance.patterns import Wish, allowed, read_table
from choria_conformance.verdicts import Failed

from .hostile import HOSTILE, INBOX, SESSION
from .lab import BrokerLab, Member

SECTION = Section("broker/permissions")
TABLE: Final = read_table()
WHO: Final = {
    "node": ("node-service", ("service:echo",)),
    "client": ("client-events", ("fleet", "events")),
    "service": ("service-1", ("fleet", "events", "service:echo")),
    "relay": ("relay-1", ("relay:tokyo",)),
}
# Placeholders that are no link's own; those of links are filled in when there is a link.
_OTHERS: Final = {
    "<agent>": "package", "<identity>": "n1.example.net", "<service>": "echo", "<kind>": "facts",
    "<origin>": "alpha", "<inbox>": INBOX, "<session>": SESSION, "<request>": "r1",
    "<network>": "tokyo", "<c>": "choria", "{c}": "choria", "{foreign}": "tokyo", "{service}": "echo",
}  # fmt: skip


def _link_values(member: Member) -> dict[str, str]:
    who = member.who
    return {
        "network": who.network,
        "name": who.name,
        "inbox": who.inbox,
        "session": member.session.hex(),
    }


def _fill(text: str, member: Member) -> str:
    for name, value in _link_values(member).items():
        text = text.replace(f"{{{name}}}", value)
    return text


async def _ask(member: Member, verb: str, text: str, group: str | None) -> None:
    """Send the frame that needs this permission, and nothing else that could be refused."""
    if verb == "subscribe":
        await member.send(subscribe(text, group=group))
        return
    if verb == "publish":
        await member.send(publish(text, reply=None))
        return
    carrier = {
        "node": f"choria/event/facts/{member.name}",
        "service": f"choria/event/facts/{member.name}",
    }.get(member.who.role, "choria/agent/nobody-has-this")
    await member.send(publish(carrier, reply=text))


async def _judge(role: str, verb: str, template: str, group: str, lab: BrokerLab) -> None:
    who, grants = WHO[role]
    await lab.hold(who)
    member = await lab.member(who)
    text = _fill(template, member)
    link = {**_link_values(member), "c": "choria"}
    row = allowed(TABLE, Wish(role, verb, text, link, grants, group))
    if text.startswith("sys/") and row is not None:
        return  # what is behind it is the matter of section 13.8
    await _ask(member, verb, text, group or None)
    if row is None:
        await member.expect_error(Reason.NOT_PERMITTED, index=None if verb == "reply" else 0)
    else:
        frames = await member.settle()
        if any(frame[0] == 6 for frame in frames):
            raise Failed(
                f"{verb} {text} was refused, though a row of section 14.2 allows it: {row}"
            )


def _templates() -> list[tuple[str, str, str]]:
    """Verb, pattern and group of each class, once, with the placeholders of others filled in."""
    found: dict[tuple[str, str, str], None] = {}
    for row in TABLE:
        text, group = row.pattern, row.group
        for name, value in _OTHERS.items():
            text, group = text.replace(name, value), group.replace(name, value)
        found[row.verb, text, group] = None
    return list(found)


for _verb, _template, _group in _templates():
    for _role in WHO:
        _what = f"{_role}/{_verb}-{_template.replace('/', '.').replace('**', 'all')}"
        _what = _what.replace(INBOX, "inbox").replace(SESSION, "session")
        SECTION.add(_what + (f"-in-{_group}" if _group else ""), ["14.1-1", "14.1-2" if _verb != "subscribe" else "14.1-3"],
                    partial(_judge, _role, _verb, _template, _group))  # fmt: skip


async def _is_refused(who: str, verb: str, text: str, group: str | None, lab: BrokerLab) -> None:
    if who == "node-1":
        member = await lab.node()
    else:
        await lab.hold(who)
        member = await lab.member(who)
    text = _fill(text, member)
    if "n2.example.net" in text and member.name == "n2.example.net":
        text = text.replace("n2.example.net", "n1.example.net")
    await _ask(member, verb, text, group)
    await member.expect_error(Reason.NOT_PERMITTED, index=None if verb == "reply" else 0)
    await member.expect_alive()


for _what, _number, _who, _verb, _text, _wanted in HOSTILE:
    _wild = ["7.3-3"] if "*" in _text and _verb == "subscribe" else []
    SECTION.add(f"hostile/{_what}", [*dict.fromkeys((_number, "14.1-1", *_wild))],
                partial(_is_refused, _who, _verb, _text, _wanted))  # fmt: skip


@SECTION.case("one-bad-pattern-refuses-the-frame", "6.6-1", "6.6-2")
async def one_bad_pattern(lab: BrokerLab) -> None:
    node, client = await lab.node(), await lab.member()
    agents = [f"choria/agent/{lab.word()}" for _ in range(2)]
    await node.send(subscribe(agents[0], "choria/agent/*", agents[1], "choria/agent/**"))
    await node.expect_error(Reason.NOT_PERMITTED, index=1)
    await client.send(publish(*agents))
    await client.expect_alive()
    await node.expect_alive()


@SECTION.case("one-bad-subject-refuses-the-frame", "6.6-1", "6.6-2", "6.9-5")
async def one_bad_subject(lab: BrokerLab) -> None:
    node, client = await lab.node(), await lab.member()
    agent = f"choria/agent/{lab.word()}"
    await node.send(subscribe(agent))
    await node.expect_alive()
    await client.send(publish(agent, "choria/event/x/y", "choria/event/x/z"))
    await client.expect_error(Reason.NOT_PERMITTED, index=1)
    await node.expect_alive()


@SECTION.case("errors-count-frames-and-keep-order", "4-6", "6.6-3")
async def errors_in_order(lab: BrokerLab) -> None:
    """Ignored and refused frames count: HELLO is 0."""
    member = await lab.member()
    bad = subscribe("**")
    await member.send(bad, [200], bad, [222, {}], [4, 1], bad)
    for number in (1, 3, 6):
        await member.expect_error(Reason.NOT_PERMITTED, frame=number)


@SECTION.case("nothing-in-the-message-gives-a-right", "14.1-6", "6-7")
async def no_right_by_message(lab: BrokerLab) -> None:
    """Headers and options cannot say who the publisher is."""
    member = await lab.member()
    await member.send(
        publish(
            "choria/event/facts/n1.example.net",
            headers={1: "node", 2: "n1.example.net"},
            options={2: "node"},
        )
    )
    await member.expect_error(Reason.NOT_PERMITTED, index=0)
