"""Section 13.8: who is here, who has left."""

from __future__ import annotations

import time
from typing import Any

from choria_conformance.cases import Section
from choria_conformance.cbor import decode, encode
from choria_conformance.frames import Kind, Reason, publish, subscribe
from choria_conformance.names import fresh_token
from choria_conformance.verdicts import Failed, check, equal

from .lab import BrokerLab, Member

SECTION = Section("broker/presence")


async def _asker(lab: BrokerLab) -> Member:
    client = await lab.member()
    await client.send(subscribe(f"choria/reply/{client.own_replies}/**"))
    await client.expect_alive()
    return client


async def _page(
    client: Member, kind: int, after: str = "", collective: str = "choria"
) -> list[Any]:
    number = fresh_token()
    reply = client.reply(number.hex())
    query = encode([1, number, kind, after])
    await client.send(publish(f"sys/presence/{collective}", payload=query, reply=reply))
    frame = await client.expect(Kind.DELIVER)
    equal(frame[1], f"{reply}/{client.who.network}/{client.welcome[5]}", "the subject of the page")
    page = decode(frame[4])
    equal(page[:3], [2, number, kind], "type, request and kind of the page")
    return list(page)


async def _all_entries(client: Member, kind: int, after: str = "") -> list[list[Any]]:
    entries: list[list[Any]] = []
    while True:
        page = await _page(client, kind, after)
        entries += page[3]
        if not page[4]:
            return entries
        after = page[4]


@SECTION.case("a-node-is-present", "13.8-1", "13.8-3")
async def present(lab: BrokerLab) -> None:
    node, client = await lab.node(), await _asker(lab)
    entries = [entry for entry in await _all_entries(client, 1) if entry[0] == node.name]
    equal(len(entries), 1, "how often the node is there")
    check(abs(entries[0][1] - time.time_ns() // 1_000_000) < 60_000, f"at-ms is {entries[0][1]}")
    equal(entries[0][2], None, "the reason of a present node")


@SECTION.case("entries-are-sorted-and-once", "13.8-1", "13.8-2")
async def in_order(lab: BrokerLab) -> None:
    for _ in range(3):
        await lab.node()
    client = await _asker(lab)
    for kind in (1, 2):
        page = await _page(client, kind)
        names = [entry[0] for entry in page[3]]
        equal(names, sorted(set(names)), "the names of the page")
        check(len(names) <= 1000, f"{len(names)} entries")


@SECTION.case("entries-after-a-name", "13.8-1")
async def after_a_name(lab: BrokerLab) -> None:
    first, second = sorted([await lab.node(), await lab.node()], key=lambda node: node.name)
    client = await _asker(lab)
    names = [entry[0] for entry in await _all_entries(client, 1, first.name)]
    check(first.name not in names, "the name itself is not after itself")
    check(second.name in names, "a name behind it is missing")


@SECTION.case("clients-are-not-in-it", "13.8-1")
async def nodes_only(lab: BrokerLab) -> None:
    client = await _asker(lab)
    names = [entry[0] for entry in await _all_entries(client, 1)]
    check(client.name not in names, "a client is in the table of nodes")


@SECTION.case("who-left-is-departed-with-its-reason", "13.8-3", "13.8-4")
async def departed(lab: BrokerLab) -> None:
    client, node = await _asker(lab), await lab.node()
    await node.leave()
    entries = {entry[0]: entry for entry in await _all_entries(client, 2)}
    check(node.name in entries, "the node is not among the departed")
    equal(entries[node.name][2], Reason.NORMAL.value, "the reason")
    present = [entry[0] for entry in await _all_entries(client, 1)]
    check(node.name not in present, "the node is still among the present")


@SECTION.case("who-was-lost-has-no-reason", "13.8-3", "3-10")
async def lost(lab: BrokerLab) -> None:
    client, node = await _asker(lab), await lab.node()
    node.stream.reset()
    node.over = True
    for _ in range(100):
        departed = {entry[0]: entry for entry in await _all_entries(client, 2)}
        if node.name in departed:
            equal(departed[node.name][2], None, "the reason")
            return
    raise Failed("a node whose link was reset is not among the departed")


@SECTION.case("who-came-back-is-not-departed", "13.8-4")
async def back(lab: BrokerLab) -> None:
    client, node = await _asker(lab), await lab.node()
    await node.leave()
    folder = node.who.folder.name
    again = await lab.member(folder)
    departed = [entry[0] for entry in await _all_entries(client, 2)]
    check(again.name not in departed, "a node that is present is among the departed")


@SECTION.case("of-its-collective-only", "13.8-1")
async def other_collective(lab: BrokerLab) -> None:
    node, client = await lab.node(collectives=["choria"]), await _asker(lab)
    names = [entry[0] for entry in (await _page(client, 1, collective="dev"))[3]]
    check(node.name not in names, "a node of choria is in the table of dev")


@SECTION.case("a-receipt-counts-the-broker", "13.8-5")
async def counted(lab: BrokerLab) -> None:
    client = await _asker(lab)
    number = fresh_token()
    query, reply = encode([1, number, 1, ""]), client.reply(number.hex())
    await client.send(publish("sys/presence/choria", payload=query, reply=reply, receipt=6))
    frames = [await client.frame(), await client.frame()]
    receipts = [frame for frame in frames if frame[0] == Kind.RECEIPT]
    equal(receipts, [[11, 6, 1, False, []]], "the RECEIPT")


async def _refused(lab: BrokerLab, *subjects: str, payload: bytes, reply: bool = True) -> None:
    client = await _asker(lab)
    field = client.reply(bytes(16).hex()) if reply else None
    await client.send(publish(*subjects, payload=payload, reply=field))
    await client.expect_error(Reason.NOT_PERMITTED)
    await client.expect_alive()


_GOOD = encode([1, bytes(16), 1, ""])


@SECTION.case("without-reply", "13.8-5")
async def without_reply(lab: BrokerLab) -> None:
    await _refused(lab, "sys/presence/choria", payload=_GOOD, reply=False)


@SECTION.case("with-another-subject", "13.8-5")
async def two_subjects(lab: BrokerLab) -> None:
    await _refused(lab, "sys/presence/choria", "choria/agent/x", payload=_GOOD)


@SECTION.case("behind-another-subject", "13.8-5")
async def second_subject(lab: BrokerLab) -> None:
    await _refused(lab, "choria/agent/x", "sys/presence/choria", payload=_GOOD)


for _what, _payload in {
    "no-cbor": b"\xff", "empty": b"", "a-map": encode({1: 1}), "a-page": encode([2, bytes(16), 1, [], ""]),
    "kind-0": encode([1, bytes(16), 0, ""]), "kind-3": encode([1, bytes(16), 3, ""]),
    "short-id": encode([1, bytes(15), 1, ""]), "after-upper-case": encode([1, bytes(16), 1, "N1"]),
    "after-null": encode([1, bytes(16), 1, None]), "too-short": encode([1, bytes(16), 1]),
    "not-minimal": b"\x84\x18\x01" + _GOOD[2:], "trailing": _GOOD + b"\0",
}.items():  # fmt: skip

    async def _bad_query(lab: BrokerLab, payload: bytes = _payload) -> None:
        await _refused(lab, "sys/presence/choria", payload=payload)

    SECTION.add(f"bad-query/{_what}", ["13.8-5"], _bad_query)
