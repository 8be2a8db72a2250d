"""Section 20.2: what a broker says of trust objects. The broker under test need not have one."""

from __future__ import annotations

from typing import Any

from choria_conformance.cases import Section
from choria_conformance.cbor import decode, encode
from choria_conformance.frames import Kind, Reason, publish, subscribe
from choria_conformance.names import fresh_token
from choria_conformance.verdicts import check, equal

from .lab import BrokerLab, Member

SECTION = Section("broker/trust")
_ROLES = ("client-1", "node", "service-1", "relay-1")
_NO_DIGEST = bytes(32)


def _subject(member: Member) -> str:
    return f"sys/trust/{member.who.network}"


async def _linked(lab: BrokerLab, who: str) -> Member:
    """A node's name is lent to one case at a time."""
    return await lab.node() if who == "node" else await lab.member(who)


async def _asker(lab: BrokerLab, who: str) -> Member:
    member = await _linked(lab, who)
    await member.send(subscribe(f"choria/reply/{member.own_replies}/**"))
    await member.expect_alive()
    return member


async def _page(member: Member, digest: bytes, offset: int) -> list[Any]:
    number = fresh_token()
    reply = member.reply(number.hex())
    query = encode([1, number, digest, offset])
    await member.send(publish(_subject(member), payload=query, reply=reply))
    frame = await member.expect(Kind.DELIVER)
    equal(frame[1], f"{reply}/{member.who.network}/{member.welcome[5]}", "the subject of the page")
    page = decode(frame[4])
    equal(page[:2], [2, number], "type and request of the page")
    return list(page)


def _mark(member: Member) -> list[Any] | None:
    return member.welcome[8] if len(member.welcome) > 8 else None


async def _fetch(lab: BrokerLab, who: str) -> None:
    member = await _asker(lab, who)
    first = await _page(member, _NO_DIGEST, 99)
    equal(first[4], 0, "the offset of the first page")
    mark = _mark(member)
    if first[3] == 0:
        equal(mark, None, "the mark of a broker without an object")
        return
    check(mark is not None, "a broker with an object says so in WELCOME")
    data = first[5]
    while len(data) < first[3]:
        page = await _page(member, first[2], len(data))
        equal(page[2:5], [first[2], first[3], len(data)], "digest, size and offset of the page")
        check(0 < len(page[5]) <= 196608, f"{len(page[5])} bytes in a page")
        data += page[5]
    equal(len(data), first[3], "the size of the object")


for _who in _ROLES:

    async def _fetched(lab: BrokerLab, who: str = _who) -> None:
        await _fetch(lab, who)

    async def _listens(lab: BrokerLab, who: str = _who) -> None:
        member = await _linked(lab, who)
        await member.send(subscribe(_subject(member)))
        await member.expect_alive()

    SECTION.add(f"fetch/{_who}", ["20.2-1", "20.2-4", "20.2-6"], _fetched)
    SECTION.add(f"listen/{_who}", ["20.2-3"], _listens)


async def _refused(lab: BrokerLab, *subjects: str, payload: bytes, reply: bool = True) -> None:
    """CWP-20.2-5: refused, and no member hears of it."""
    listener, member = await lab.node(), await _asker(lab, "client-1")
    await listener.send(subscribe(_subject(listener)))
    await listener.expect_alive()
    field = member.reply(bytes(16).hex()) if reply else None
    await member.send(publish(*(subjects or (_subject(member),)), payload=payload, reply=field))
    await member.expect_error(Reason.NOT_PERMITTED)
    await member.expect_alive()
    await listener.expect_alive()


_GOOD = encode([1, bytes(16), _NO_DIGEST, 0])


@SECTION.case("without-reply", "20.2-5")
async def without_reply(lab: BrokerLab) -> None:
    await _refused(lab, payload=_GOOD, reply=False)


@SECTION.case("with-another-subject", "20.2-5")
async def two_subjects(lab: BrokerLab) -> None:
    member = await lab.member("client-1")
    await _refused(lab, _subject(member), "choria/agent/x", payload=_GOOD)


@SECTION.case("of-another-network", "20.2-5", "14.1-1")
async def other_network(lab: BrokerLab) -> None:
    await _refused(lab, "sys/trust/elsewhere", payload=_GOOD)


for _what, _payload in {
    "no-cbor": b"\xff", "empty": b"", "a-map": encode({1: 1}), "presence": encode([1, bytes(16), 1, ""]),
    "news": encode([3, [1, 1, _NO_DIGEST, 9], 0]), "a-page": encode([2, bytes(16), _NO_DIGEST, 0, 0, b""]),
    "short-digest": encode([1, bytes(16), bytes(31), 0]), "negative": encode([1, bytes(16), _NO_DIGEST, -1]),
    "too-short": encode([1, bytes(16), _NO_DIGEST]), "trailing": _GOOD + b"\0",
}.items():  # fmt: skip

    async def _bad_query(lab: BrokerLab, payload: bytes = _payload) -> None:
        await _refused(lab, payload=payload)

    SECTION.add(f"bad-query/{_what}", ["20.2-5"], _bad_query)
