"""Requests that a client makes, and its link: what it says, and what it does about a broken broker."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import trio

from choria_conformance.cases import Section
from choria_conformance.cbor import decode, framed
from choria_conformance.cose import ES256, thumbprint
from choria_conformance.frames import Frame, Kind, Reason, error, goodbye, ping, reserved
from choria_conformance.messages import now_ms
from choria_conformance.patterns import Wish, allowed, read_table
from choria_conformance.principals import broker_context
from choria_conformance.serving import welcome
from choria_conformance.tls import Refused
from choria_conformance.verdicts import check, equal

from .lab import CALL_WITHIN_S, Asked, ClientLab, Network, Spoken, honest

SECTION = Section("client/calls")
TABLE: Final = read_table()


async def _asked(lab: ClientLab) -> tuple[Network, Asked]:
    """A call that went well, and the request of its action."""
    network = await lab.network()
    believed = await lab.call(network)
    equal(sorted(believed), sorted(node.name for node in network.nodes), "who was believed")
    called = [asked for asked in network.asked if asked.what[7] == "rpcutil"]
    equal(len(called), 1, "the number of requests for the action")
    return network, called[0]


@SECTION.case("request/has-the-fields-of-the-cddl", "13.4-7", "13.4-2")
async def fields(lab: ClientLab) -> None:
    network, asked = await _asked(lab)
    what = asked.what
    equal([key for key in what if 1 <= key <= 15], list(range(1, 16)), "the keys")
    equal(
        [what[1], what[3], what[4]],
        [1, network.caller.network, "choria"],
        "version, network, collective",
    )
    equal([what[7], what[8], what[9]], ["rpcutil", "ping", {}], "agent, action, inputs")
    check(abs(what[11] - now_ms()) < 60_000, f"created_ms is {what[11]}")
    check(1 <= what[12] <= 300_000, f"ttl_ms is {what[12]}")


@SECTION.case("request/subject-fits-the-kind", "13.4-3")
async def subjects(lab: ClientLab) -> None:
    network = (await _asked(lab))[0]
    for asked in network.asked:
        wanted = {
            1: [f"choria/agent/{asked.what[7]}"],
            2: [f"choria/node/{name}" for name in asked.what[6]],
            3: [f"choria/service/{asked.what[7]}"],
        }[asked.what[5]]
        equal(sorted(asked.frame[1]), sorted(wanted), "the subjects")
        check(
            bool(asked.what[6]) == (asked.what[5] == 2), "targets stand in directed requests only"
        )


@SECTION.case("request/reply-field-is-its-own", "7.4-3", "7.4-2")
async def reply_field(lab: ClientLab) -> None:
    network = (await _asked(lab))[0]
    caller, session = network.caller, network.hellos[0][2].hex()
    for asked in network.asked:
        wanted = f"choria/reply/{caller.network}/{caller.inbox}/{session}/{asked.what[2].hex()}"
        equal(asked.prefix, wanted, "the reply field")


@SECTION.case("request/ids-are-new", "13.4-1")
async def new_ids(lab: ClientLab) -> None:
    ids = []
    for _ in range(2):
        network = (await _asked(lab))[0]
        ids += [asked.what[2] for asked in network.asked]
    equal(len(set(ids)), len(ids), "the number of different ids")


@SECTION.case("request/is-signed-as-section-13.3-says", "13.3-1", "13.3-2", "13.3-8", "13.1-1")
async def is_signed(lab: ClientLab) -> None:
    network, asked = await _asked(lab)
    protected, unprotected, _, signature = decode(asked.envelope).value
    header = decode(protected)
    equal([header[1], header[34]], [ES256, thumbprint(network.caller.der)], "alg and x5t")
    equal(unprotected, {33: network.caller.der}, "the unprotected header")
    equal(len(signature), 64, "the size of the signature")


@SECTION.case("request/subscribed-before-published", "6.7-7")
async def subscribed_first(lab: ClientLab) -> None:
    network = (await _asked(lab))[0]
    caller, session = network.caller, network.hellos[0][2].hex()
    own = f"choria/reply/{caller.network}/{caller.inbox}/{session}/**"
    check(own in network.subscribed, f"it subscribed {network.subscribed}")
    values = {
        "network": caller.network,
        "inbox": caller.inbox,
        "session": session,
        "c": "choria",
        "name": caller.name,
    }
    bad = [
        p
        for p in network.subscribed
        if allowed(TABLE, Wish("client", "subscribe", p, values, ("fleet",))) is None
    ]
    equal(bad, [], "what section 14 does not allow")


@SECTION.case("request/broadcast-names-no-target", "13.4-2", "13.5-7")
async def broadcast(lab: ClientLab) -> None:
    network = await lab.network()
    believed = await lab.call(network, targets=False)
    equal(len(believed), 2, "the number of nodes that were believed")
    kinds = {asked.what[5] for asked in network.asked if asked.what[7] == "discovery"}
    equal(kinds, {1}, "the kinds of discovery")


@SECTION.case("it-says-goodbye", "10.3-1")
async def says_goodbye(lab: ClientLab) -> None:
    network = (await _asked(lab))[0]
    equal(
        [frame[1] for frame in network.goodbyes],
        [Reason.NORMAL.value],
        "the reasons of its GOODBYEs",
    )


# What, requirement, changes of WELCOME, the reason of its GOODBYE.
WELCOMES: Final[tuple[tuple[str, str, dict[str, Any], Reason], ...]] = (
    ("another-network", "6.2-3", {"_4": "tokyo"}, Reason.WRONG_NETWORK),
    ("another-broker-than-certified", "6.2-3", {"_5": "b9.example.net"}, Reason.IDENTITY_REFUSED),
    ("another-session", "6.2-2", {"_2": bytes(16)}, Reason.INVALID_FIELD),
    ("version-2", "6.2-1", {"_1": 2}, Reason.UNSUPPORTED_VERSION),
    ("limit-out-of-range", "11.3-1", {"limits": {5: 0}}, Reason.INVALID_FIELD),
)


async def _refuses(changes: dict[str, Any], reason: Reason, lab: ClientLab) -> None:
    network = await lab.network()
    process, result = await lab.start(network)
    link = await network.port.accept()
    hello = await link.expect(Kind.HELLO)
    await link.send(welcome(hello, network.port.broker, **dict(changes)))
    await link.expect_goodbye(reason)
    process.terminate()
    check(not result.exists() or result.read_text() in ("", "[]"), "it believed somebody")


for _what, _number, _changes, _reason in WELCOMES:
    SECTION.add(f"welcome/{_what}", [_number], partial(_refuses, _changes, _reason))


async def _broken(data: bytes | Frame, reason: Reason, lab: ClientLab) -> None:
    network = await lab.network()
    process, _ = await lab.start(network)
    link = await network.port.welcomed()
    await link.settle()  # nothing of the client's is half written when the bad bytes come
    await link.send(data)
    frames = await link.until_end()
    process.terminate()
    last = [frame[1] for frame in frames if frame[0] == Kind.GOODBYE]
    equal(last, [reason.value], "the reasons of its GOODBYEs")


for _what, _number, _data, _reason in (
    ("longer-head", "4-2", b"\x58\x03\x82\x03\x07", Reason.MALFORMED),
    ("longer-integer", "5-1", framed(b"\x82\x03\x18\x07"), Reason.MALFORMED),
    ("unknown-type", "6-4", [99], Reason.UNKNOWN_FRAME),
    ("publish", "8.4-1", [9, ["a/b"], {}, None, {}, b""], Reason.ILLEGAL_STATE),
    ("bad-field", "6-2", [10, 1, None, {}, b""], Reason.INVALID_FIELD),
):
    SECTION.add(f"broken/{_what}", [_number], partial(_broken, _data, _reason))


@SECTION.case("reserved-frames-and-pings-in-a-call", "6-4", "6.3-1", "16.1-2")
async def grease(lab: ClientLab) -> None:
    noise: list[Frame] = [reserved(), ping(5), reserved(), [223]]
    believed = await lab.believes(
        lambda s: [*noise, *honest(s), *noise], discovering=lambda s: [*noise, *honest(s)]
    )
    equal(len(believed), 2, "the number of nodes that were believed")


@SECTION.case("a-lost-link-is-opened-again-in-a-call", "6.7-6", "3-11", "7.4-2")
async def lost_in_call(lab: ClientLab) -> None:
    """The link is lost when discovery is answered; the call comes on the next, under the same session."""
    network = await lab.network()
    lost: list[Frame] = []

    def twist(frame: Frame) -> bool:
        if lost or network.link is None or frame[1][0].startswith("sys/"):
            return False
        lost.append(frame)
        network.link.stream.reset()
        return True

    network.twist = twist
    await lab.call(network)
    check(len(network.hellos) >= 2, "it did not link again")
    equal(network.hellos[1][2], network.hellos[0][2], "the session")
    equal(network.hellos[1][4], network.hellos[0][4], "the boot")


@SECTION.case("a-call-that-may-have-run-is-not-repeated", "13.7-2")
async def not_repeated(lab: ClientLab) -> None:
    """The link is lost behind the call: it may have run, so it must not be sent again."""
    network = await lab.network()

    def twist(frame: Frame) -> bool:
        if network.link is None or len(frame[1]) < 2 or not network.asked:
            return False
        network.link.stream.reset()
        return True

    network.twist = twist
    await lab.call(network)
    calls = [f for f in network.published if len(f[1]) == 2 and f[1][0].startswith("choria/node/")]
    check(len(calls) <= 2, f"{len(calls)} requests to both nodes: discovery and one call are two")


@SECTION.case("draining-in-a-call", "10.3-4", "6.5-2")
async def draining(lab: ClientLab) -> None:
    network = await lab.network()
    drained: list[Frame] = []

    def answering(spoken: Spoken) -> list[Frame]:
        if drained:
            return honest(spoken)
        drained.append(spoken.asked.frame)
        return [*honest(spoken), goodbye(Reason.DRAINING, "", 0)]

    network.answering = answering
    await lab.call(network)
    check(drained, "no call came")


@SECTION.case("a-refused-publish-ends-the-call-soon", "6.6-2")
async def refused(lab: ClientLab) -> None:
    """NOT_PERMITTED: nothing is believed, and the operator hears of it by the exit code."""
    network = await lab.network()
    send, publishes = trio.open_memory_channel[int](1000)

    def twist(_: Frame) -> bool:
        send.send_nowait(network.count - 1)
        return True

    network.twist = twist
    process, _ = await lab.start(network)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_refuse_all, network, publishes)
        nursery.start_soon(network.serve)
        with trio.move_on_after(CALL_WITHIN_S):
            lab.returncode = await process.wait()
        nursery.cancel_scope.cancel()
    check(lab.returncode not in (None, 0), f"the exit code is {lab.returncode}")


async def _refuse_all(network: Network, publishes: trio.MemoryReceiveChannel[int]) -> None:
    async for number in publishes:
        if network.link is not None:
            await network.link.send(error(Reason.NOT_PERMITTED, number, 0, "not you"))


async def _no_hello(who: str, lab: ClientLab, alpn: str = "cwp/1") -> None:
    network = await lab.network()
    process, _ = await lab.start(network)
    context = broker_context(lab.principal(who))
    context.set_alpn_protocols([alpn])
    try:
        link = await network.port.accept(context)
        frames = await link.until_end()
    except Refused:
        frames = []
    process.terminate()
    equal(frames, [], "what the client said")


for _who in ("odd/outsider-broker", "odd/impostor-broker", "node-1", "odd/broker-by-clients"):
    SECTION.add(f"broker/{_who.replace('odd/', '')}", ["3-5"], partial(_no_hello, _who))
SECTION.add("broker/without-alpn", ["3-3"], partial(_no_hello, "broker", alpn="h2"))
