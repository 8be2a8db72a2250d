"""Sections 13.4 to 13.7 at a node: what it answers, what it refuses, what it never answers."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any, Final

import trio

from choria_conformance.cases import Section
from choria_conformance.cbor import Raw, decode, encode
from choria_conformance.cose import other_signature
from choria_conformance.frames import Frame, Kind, deliver
from choria_conformance.messages import Map, Refusal, now_ms
from choria_conformance.names import fresh_token
from choria_conformance.peer import Peer
from choria_conformance.verdicts import check, equal

from .lab import SILENCE_S, NodeLab

SECTION = Section("node/requests")
_DAY_MS: Final = 86_400_000

# What, requirement, changes of the request, refusal (None: it is run).
JUDGED: Final[tuple[tuple[str, str, dict[str, Any], Refusal | None], ...]] = (
    ("is-run", "13.5-1", {}, None),
    ("unknown-ignorable-key", "13.4-7", {"_16": [1, {"a": None}]}, None),
    ("unknown-key-0", "13.4-7", {"_0": "x"}, None),
    ("unknown-key-127", "13.4-7", {"_127": 1.5}, None),
    ("unknown-critical-key", "13.4-7", {"_128": 1}, Refusal.UNSUPPORTED),
    ("unknown-largest-key", "13.4-7", {"_18446744073709551615": 1}, Refusal.UNSUPPORTED),
    ("negative-key", "13.4-7", {"_-1": 1}, Refusal.UNSUPPORTED),
    ("version-2", "13.4-7", {"_1": 2}, Refusal.UNSUPPORTED),
    ("version-0", "13.4-7", {"_1": 0}, Refusal.UNSUPPORTED),
    ("unknown-agent", "13.6-1", {"_7": "nobody-has-this"}, Refusal.UNKNOWN_AGENT),
    ("unknown-action", "13.6-1", {"_8": "nobody-has-this"}, Refusal.UNKNOWN_ACTION),
    ("missing-input", "13.6-1", {"_8": "get_fact"}, Refusal.INVALID_INPUT),
    ("unknown-input", "13.6-1", {"_9": {"nobody-has-this": 1}}, Refusal.INVALID_INPUT),
    (
        "input-of-another-type",
        "13.6-1",
        {"_8": "get_fact", "_9": {"fact": 7}},
        Refusal.INVALID_INPUT,
    ),
    ("another-network", "13.4-4", {"_3": "tokyo"}, Refusal.NOT_ADDRESSED),
    ("another-collective", "13.4-4", {"_4": "dev"}, Refusal.NOT_ADDRESSED),
    ("another-target", "13.4-4", {"_6": ["n2.example.net"]}, Refusal.NOT_ADDRESSED),
    ("broadcast-on-a-node-s-subject", "13.4-3", {"_5": 1, "_6": []}, Refusal.NOT_ADDRESSED),
    ("service-on-a-node-s-subject", "13.4-3", {"_5": 3, "_6": []}, Refusal.NOT_ADDRESSED),
    (
        "two-hundred-targets",
        "13.4-2",
        {"_6": ["n1.example.net", *(f"x{i}" for i in range(199))]},
        None,
    ),
    ("filter-that-does-not-match", "13.6-1", {"_10": {1: ["somebody-else"]}}, Refusal.NOT_MATCHED),
    ("filter-that-matches", "13.4-6", {"_10": {1: ["somebody-else", "n1.example.net"]}}, None),
    ("filter-by-expression", "13.4-6", {"_10": {1: ["/^n1[.]/"]}}, None),
    ("filter-by-agent", "13.4-6", {"_10": {3: ["rpcutil"]}}, None),
    (
        "filter-all-must-hold",
        "13.4-6",
        {"_10": {1: ["n1.example.net"], 3: ["nobody-has-this"]}},
        Refusal.NOT_MATCHED,
    ),
    (
        "filter-by-a-missing-fact",
        "13.4-6",
        {"_10": {2: [["nobody.has.this", "!=", "x"]]}},
        Refusal.NOT_MATCHED,
    ),
    ("filter-with-an-unknown-key", "13.4-6", {"_10": {9: ["x"]}}, Refusal.INVALID_INPUT),
    ("filter-with-an-unknown-critical-key", "13.4-6", {"_10": {200: ["x"]}}, Refusal.INVALID_INPUT),
    (
        "filter-with-an-unknown-operator",
        "13.4-10",
        {"_10": {2: [["a", "=", "b"]]}},
        Refusal.INVALID_INPUT,
    ),
    ("filter-with-a-bad-expression", "13.4-10", {"_10": {1: ["/(/"]}}, Refusal.INVALID_INPUT),
    ("filter-of-another-type", "13.4-10", {"_10": {1: "n1.example.net"}}, Refusal.INVALID_INPUT),
    (
        "filter-with-257-conditions",
        "13.4-10",
        {"_10": {1: [f"x{i}" for i in range(257)]}},
        Refusal.INVALID_INPUT,
    ),
    ("filter-with-empty-lists", "13.4-11", {"_10": {1: [], 2: [], 3: [], 4: []}}, None),
    ("compound-true", "13.4-13", {"_10": {5: ["true"]}}, None),
    ("compound-false", "13.4-13", {"_10": {5: ["1 > 2"]}}, Refusal.NOT_MATCHED),
    ("compound-unreadable", "13.4-13", {"_10": {5: ["(("]}}, Refusal.INVALID_INPUT),
    ("compound-unknown-plugin", "13.4-14", {"_10": {5: ["gone()"]}}, Refusal.NOT_MATCHED),
    ("compound-impossible-plugin", "13.4-14", {"_10": {5: ["Gone()"]}}, Refusal.INVALID_INPUT),
    ("compound-neither", "13.4-13", {"_10": {5: ["1 + 1"]}}, Refusal.NOT_MATCHED),
    (
        "version-before-fields",
        "13.4-9",
        {"_1": 2, "_7": None, "_9": None, "_13": "x"},
        Refusal.UNSUPPORTED,
    ),
    (
        "critical-key-before-fields",
        "13.4-9",
        {"_200": 0, "_6": 7, "_12": None},
        Refusal.UNSUPPORTED,
    ),
    ("expired", "13.6-6", {"_11": now_ms() - _DAY_MS}, Refusal.EXPIRED),
    ("from-the-future", "13.6-6", {"_11": now_ms() + _DAY_MS}, Refusal.FROM_THE_FUTURE),
    (
        "reply-that-does-not-fit",
        "13.5-6",
        {"_8": "agent_inventory", "_15": 600},
        Refusal.RESULT_TOO_LARGE,
    ),
)

# What, requirement, changes of the request: no request at all, never answered.
NO_REQUEST: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("without-version", "13.4-7", {"_1": None}),
    ("without-network", "13.4-7", {"_3": None}),
    ("without-agent", "13.4-7", {"_7": None}),
    ("without-inputs", "13.4-7", {"_9": None}),
    ("without-filter", "13.4-7", {"_10": None}),
    ("without-max-reply", "13.4-7", {"_15": None}),
    ("kind-0", "13.6-1", {"_5": 0}),
    ("kind-4", "13.6-1", {"_5": 4}),
    ("directed-without-target", "13.4-2", {"_6": []}),
    ("targets-twice", "13.4-2", {"_6": ["n1.example.net", "n1.example.net"]}),
    ("201-targets", "13.4-2", {"_6": ["n1.example.net", *(f"x{i}" for i in range(200))]}),
    ("broadcast-with-target", "13.4-2", {"_5": 1}),
    ("ttl-0", "13.6-1", {"_12": 0}),
    ("ttl-over-300000", "13.6-1", {"_12": 300_001}),
    ("grade-3", "13.6-1", {"_13": 3}),
    ("want-certificate-1", "5-12", {"_14": 1}),
    ("id-text", "5-12", {"_2": "0123456789abcdef"}),
    ("agent-upper-case", "7.1-2", {"_7": "RPCUtil"}),
    ("agent-with-slash", "7.1-1", {"_7": "rpcutil/ping"}),
    ("network-upper-case", "7.1-2", {"_3": "Alpha"}),
    ("filter-no-map", "13.4-10", {"_10": []}),
    ("inputs-array", "13.6-1", {"_9": []}),
    ("nan-in-inputs", "5-5", {"_9": {"x": Raw(b"\xf9\x7e\x00")}}),
    ("longer-float-in-inputs", "5-5", {"_9": {"x": Raw(b"\xfb\x3f\xf8\0\0\0\0\0\0")}}),
    ("longer-integer-in-inputs", "5-1", {"_9": {"x": Raw(b"\x18\x01")}}),
    ("tag-in-inputs", "5-3", {"_9": {"x": Raw(b"\xc0\x60")}}),
    ("too-deep", "5-9", {"_9": {"x": Raw(b"\x81" * 20 + b"\0")}}),
    ("too-many-items", "5-9", {"_16": [0] * 4096}),
)


async def _is_judged(changes: dict[str, Any], wants: Refusal | None, lab: NodeLab) -> None:
    what = lab.ask(**changes)
    refused = None if wants in (None, Refusal.NOT_MATCHED) else "signed"
    await lab.expect_answer(
        what, wants=wants, graded=refused or ("signed" if wants is None else "")
    )


async def _is_silent(changes: dict[str, Any], lab: NodeLab) -> None:
    what = lab.ask(**changes)
    number = what[2] if isinstance(what.get(2), bytes) else fresh_token()
    field = lab.reply_field({2: number})
    await lab.expect_silent(lab.signed(what), field)


for _what, _number, _changes, _wants in JUDGED:
    _numbers = [_number, "13.7-1"] if _wants else [_number]
    SECTION.add(f"{_what}", [*_numbers, "7.4-4"], partial(_is_judged, _changes, _wants))
for _what, _number, _changes in NO_REQUEST:
    SECTION.add(f"no-request/{_what}", [_number, "13.6-1"], partial(_is_silent, _changes))


@SECTION.case("discovery-by-link-grade", "13.5-7", "13.5-2", "13.1-2")
async def discovery(lab: NodeLab) -> None:
    answer = await lab.expect_answer(lab.ask("discovery", "ping"))
    check(type(answer[8].get("pong")) is int, f"the data is {answer[8]}")


@SECTION.case("discovery-by-broadcast", "13.5-7", "13.4-3")
async def by_broadcast(lab: NodeLab) -> None:
    what = lab.ask("discovery", "ping", _5=1, _6=[])
    await lab.expect_answer(what, subject="choria/agent/discovery")


@SECTION.case("discovery-signed-when-asked", "13.5-2")
async def signed_when_asked(lab: NodeLab) -> None:
    await lab.expect_answer(lab.ask("discovery", "ping", _13=2), graded="signed")


@SECTION.case("directed-request-on-an-agent-s-subject", "13.4-3", "13.4-4")
async def directed_on_agent(lab: NodeLab) -> None:
    await lab.expect_answer(lab.ask(), subject="choria/agent/rpcutil", wants=Refusal.NOT_ADDRESSED)


@SECTION.case("broadcast-for-another-agent", "13.4-3", "13.4-4")
async def other_agent(lab: NodeLab) -> None:
    what = lab.ask("discovery", "ping", _5=1, _6=[])
    await lab.expect_answer(what, subject="choria/agent/rpcutil", wants=Refusal.NOT_ADDRESSED)


@SECTION.case("certificate-when-wanted", "13.3-8")
async def with_certificate(lab: NodeLab) -> None:
    what = lab.ask(_14=True)
    prefix = lab.reply_field(what)
    frames = await lab.answer_to(lab.signed(what), prefix)
    equal(len(frames), 1, "the number of answers")
    lab.judged(frames[0], prefix, "signed")
    equal(decode(frames[0][5]).value[1], {33: lab.who.der}, "the unprotected header")


@SECTION.case("no-certificate-when-not-wanted", "13.3-8", should=True)
async def without_certificate(lab: NodeLab) -> None:
    what = lab.ask()
    frames = await lab.answer_to(lab.signed(what), lab.reply_field(what))
    equal(decode(frames[0][5]).value[1], {}, "the unprotected header")


@SECTION.case("certificate-of-the-node", "13.3-12", "13.3-8")
async def certificate_get(lab: NodeLab) -> None:
    answer = await lab.expect_answer(lab.ask("certificate", "get"))
    equal(answer[8], {"certificate": lab.who.der}, "the data")


@SECTION.case("denied-by-policy", "13.6-1", "13.7-1")
async def denied(lab: NodeLab) -> None:
    await lab.expect_answer(lab.ask(), caller="client-2", wants=Refusal.DENIED)


@SECTION.case("denied-without-fleet", "13.6-1", "2.2-7")
async def without_fleet(lab: NodeLab) -> None:
    await lab.expect_answer(lab.ask(), caller="client-plain", wants=Refusal.DENIED)


@SECTION.case("denied-before-the-filter", "13.6-3")
async def before_filter(lab: NodeLab) -> None:
    """Whoever may not ask learns nothing: a filter that does not match is DENIED too."""
    what = lab.ask(_10={1: ["somebody-else"]})
    await lab.expect_answer(what, caller="client-2", wants=Refusal.DENIED)


@SECTION.case("denied-before-agent-and-action", "13.6-1")
async def before_agent(lab: NodeLab) -> None:
    what = lab.ask("nobody-has-this", "nothing")
    await lab.expect_answer(what, caller="client-2", wants=Refusal.DENIED)


@SECTION.case("expired-before-denied", "13.6-1")
async def expired_first(lab: NodeLab) -> None:
    what = lab.ask(_11=now_ms() - _DAY_MS)
    await lab.expect_answer(what, caller="client-2", wants=Refusal.EXPIRED)


@SECTION.case("expired-by-its-own-ttl", "13.6-6")
async def own_ttl(lab: NodeLab) -> None:
    what = lab.ask(_11=now_ms() - 10_000, _12=5_000)
    await lab.expect_answer(what, wants=Refusal.EXPIRED)


@SECTION.case("within-the-skew", "13.6-6", should=True)
async def within_skew(lab: NodeLab) -> None:
    """A clock 20 s ahead is normal; a node may be stricter than 60 s."""
    await lab.expect_answer(lab.ask(_11=now_ms() + 20_000))


@SECTION.case("beyond-the-greatest-skew", "13.6-6")
async def beyond_skew(lab: NodeLab) -> None:
    await lab.expect_answer(lab.ask(_11=now_ms() + 70_000), wants=Refusal.FROM_THE_FUTURE)


@SECTION.case("created-at-2-64", "13.6-6")
async def far_future(lab: NodeLab) -> None:
    await lab.expect_answer(lab.ask(_11=(1 << 64) - 1), wants=Refusal.FROM_THE_FUTURE)


@SECTION.case("two-refusals-for-two-requests", "13.5-1", "13.4-1")
async def two_requests(lab: NodeLab) -> None:
    for _ in range(2):
        await lab.expect_answer(lab.ask(), caller="client-2", wants=Refusal.DENIED)


async def _twice(lab: NodeLab, what: Map, second: bytes, caller: str = "client-1") -> None:
    """The request, then these bytes under the same id: the first is answered, the second is not."""
    field = lab.reply_field(what, caller)
    token = what[2].hex()
    first = lab.signed(what, caller)
    equal(len(await lab.answers_to([(first, field, None)], token)), 1, "the number of answers")
    equal(
        await lab.answers_to([(second or first, field, None)], token),
        [],
        "the answers to the second",
    )


@SECTION.case("replay/the-same-bytes", "13.6-9", "13.5-1")
async def same_bytes(lab: NodeLab) -> None:
    await _twice(lab, lab.ask(), b"")


@SECTION.case("replay/twice-at-once", "13.6-9", "13.5-1")
async def at_once(lab: NodeLab) -> None:
    what = lab.ask()
    first, field = lab.signed(what), lab.reply_field(what)
    got = await lab.answers_to([(first, field, None)] * 5, what[2].hex())
    equal(len(got), 1, "the number of answers to five copies")


@SECTION.case("replay/another-signature", "13.6-7")
async def malleable(lab: NodeLab) -> None:
    """ECDSA: s and n - s both verify. The guard goes by the id, not by a hash."""
    what = lab.ask()
    first, field = lab.signed(what), lab.reply_field(what)
    equal(len(await lab.answers_to([(first, field, None)], what[2].hex())), 1, "the answers")
    again = await lab.answers_to([(other_signature(first), field, None)], what[2].hex())
    equal(again, [], "the answers to the other signature")


@SECTION.case("replay/signed-again", "13.6-7", "13.4-1")
async def signed_again(lab: NodeLab) -> None:
    what = lab.ask()
    await _twice(lab, what, lab.signed(what))


@SECTION.case("replay/same-id-for-another-action", "13.6-9", "13.6-7")
async def same_id(lab: NodeLab) -> None:
    what = lab.ask()
    await _twice(lab, what, lab.signed({**what, 8: "agent_inventory"}))


@SECTION.case("replay/same-id-of-another-caller", "13.6-7")
async def other_caller(lab: NodeLab) -> None:
    """The key is (network, role, name, id): another caller's id is another request."""
    what = lab.ask()
    await lab.expect_answer(what)
    await lab.expect_answer(what, caller="client-2", wants=Refusal.DENIED)


@SECTION.case("replay/a-refusal-is-said-once", "13.6-5", "13.6-12")
async def refusal_once(lab: NodeLab) -> None:
    await _twice(lab, lab.ask(), b"", "client-2")


@SECTION.case("replay/on-another-subject", "13.6-9", "13.4-4")
async def other_subject(lab: NodeLab) -> None:
    """A hostile broker delivers what was run once more, as if it were a broadcast."""
    what = lab.ask()
    first, field = lab.signed(what), lab.reply_field(what)
    equal(len(await lab.answers_to([(first, field, None)], what[2].hex())), 1, "the answers")
    again = await lab.answers_to([(first, field, "choria/agent/rpcutil")], what[2].hex())
    signed_run = [frame for frame in again if b"\x09\x04" not in frame[5]]
    equal(signed_run, [], "the answers that say anything but NOT_ADDRESSED")


# What, the reply field as a template.
AIMED: Final = (
    ("no-reply-field", None),
    ("another-inbox", "choria/reply/{network}/{other}/{session}/{id}"),
    ("another-network", "choria/reply/tokyo/{inbox}/{session}/{id}"),
    ("another-request", "choria/reply/{network}/{inbox}/{session}/{session}"),
    ("another-collective", "dev/reply/{network}/{inbox}/{session}/{id}"),
    ("an-agent", "choria/agent/rpcutil"),
    ("a-token-less", "choria/reply/{network}/{inbox}/{session}"),
    ("a-token-more", "choria/reply/{network}/{inbox}/{session}/{id}/x"),
    ("id-in-upper-case-is-no-token", "choria/reply/{network}/{inbox}/{session}/r1"),
)


async def _aimed(template: str | None, lab: NodeLab) -> None:
    what = lab.ask()
    who, other = lab.principal("client-1"), lab.principal("client-2")
    values = {
        "network": lab.network,
        "inbox": who.inbox,
        "other": other.inbox,
        "session": fresh_token().hex(),
    }
    field = template.format(id=what[2].hex(), **values) if template else None
    token = what[2].hex() if field is None or what[2].hex() in field else field.rpartition("/")[2]
    equal(await lab.answers_to([(lab.signed(what), field, None)], token), [], "the answers")


for _what, _template in AIMED:
    SECTION.add(f"re-aimed/{_what}", ["7.4-5", "13.6-1"], partial(_aimed, _template))


@SECTION.case("re-aimed/and-not-addressed", "13.6-1", "7.4-5")
async def aimed_and_unaddressed(lab: NodeLab) -> None:
    """NOT_ADDRESSED is silent if the reply field is not the signer's."""
    what = lab.ask(_3="tokyo")
    other = lab.reply_field(what, "client-2")
    await lab.expect_silent(lab.signed(what), other)


@SECTION.case("re-aimed/relayed-by-another-caller", "13.1-4", "7.4-5")
async def relayed(lab: NodeLab) -> None:
    """Eve publishes what rip signed, with her own reply field."""
    what = lab.ask()
    await lab.expect_silent(lab.signed(what), lab.reply_field(what, "client-2"))


@SECTION.case("hash-of-all-bytes-from-the-tag", "13.1-3")
async def hash_of_bytes(lab: NodeLab) -> None:
    what = lab.ask(_16="something")
    envelope = lab.signed(what)
    answer = await lab.expect_answer(what, envelope)
    equal(answer[3], hashlib.sha256(envelope).digest(), "the request hash")


@SECTION.case("a-critical-header-is-not-acted-on", "6.10-3")
async def critical_header(lab: NodeLab) -> None:
    what = lab.ask()
    token = what[2].hex()
    await lab.shared.link()
    async with lab.shared.answers(token) as channel:
        await lab.deliver(lab.signed(what), lab.reply_field(what), headers={128: 1})
        await lab._marker()  # noqa: SLF001
        equal(channel.statistics().current_buffer_used, 0, "the number of answers")


@SECTION.case("an-ignorable-header-is-ignored", "6.10-3")
async def ignorable_header(lab: NodeLab) -> None:
    what = lab.ask()
    await lab.shared.link()
    async with lab.shared.answers(what[2].hex()) as channel:
        await lab.deliver(lab.signed(what), lab.reply_field(what), headers={1: "node", 127: 3})
        await lab._marker()  # noqa: SLF001
        equal(channel.statistics().current_buffer_used, 1, "the number of answers")


@SECTION.case("floats-in-inputs-are-read", "5-5")
async def floats(lab: NodeLab) -> None:
    what = lab.ask(_9={"x": 1.5, "y": 1e300})
    await lab.expect_answer(what, wants=Refusal.INVALID_INPUT)


@SECTION.case("payload-that-is-no-map", "13.4-7")
async def no_map(lab: NodeLab) -> None:
    number = fresh_token()
    for payload in (encode([1, 2]), b"", b"\xff", encode({"a": 1})):
        await lab.expect_silent(lab.signed(payload), lab.reply_field({2: number}))


@SECTION.case("replay/after-a-restart", "13.6-7")
async def after_restart(lab: NodeLab) -> None:
    """The guard is kept: what ran before the restart does not run after it."""
    port, folder = await lab.port(), lab.folder()
    who = lab.principal("node-2")
    what = lab.ask(_6=[who.name])
    envelope, field = lab.signed(what), lab.reply_field(what)
    for times in (1, 0):
        async with lab.running(port, folder):
            link = await port.welcomed()
            await link.until(
                lambda frame: frame[0] == Kind.SUBSCRIBE and f"choria/node/{who.name}" in frame[1]
            )
            await link.send(deliver(f"choria/node/{who.name}", envelope, field))
            answers = await _answers(lab, link, field) if times else []
            answers += await _answers(lab, link, field, behind=lab.ask("discovery", _6=[who.name]))
            equal(len(answers), times, "the number of answers")


async def _answers(
    lab: NodeLab, link: Peer, field: str, behind: dict[int, Any] | None = None
) -> list[Frame]:
    """What comes on a reply field: up to the first, or up to the answer to one more request."""
    last = field
    if behind is not None:
        await trio.sleep(SILENCE_S)
        last = lab.reply_field(behind)
        await link.send(deliver(f"choria/node/{behind[6][0]}", lab.signed(behind), last))
    frames = await link.until(lambda frame: frame[0] == Kind.PUBLISH and last in frame[1][0])
    return [frame for frame in frames if frame[0] == Kind.PUBLISH and field in frame[1][0]]


@SECTION.case("a-large-request-is-judged", "13.1-6")
async def large_request(lab: NodeLab) -> None:
    """256 KiB, of which most is a filter's: refused or not, it is answered."""
    what = lab.ask(
        "discovery",
        "ping",
        _10={1: ["n1.example.net", "x" * 4000] + ["y" * 1000 + str(i) for i in range(250)]},
    )
    envelope = lab.signed(what)
    check(250_000 < len(envelope) <= 262_144, f"the request has {len(envelope)} bytes")
    check(await lab.answer_to(envelope, lab.reply_field(what)), "it was not answered")
