"""Section 3: TLS, ALPN, ends of connections, and records that cost and say nothing."""

from __future__ import annotations

import ssl
from contextlib import suppress
from functools import partial
from typing import Final

import trio

from choria_conformance.cases import Section
from choria_conformance.frames import Kind, Reason, hello, ping, pong, publish, subscribe, wire
from choria_conformance.names import fresh_token
from choria_conformance.peer import Peer
from choria_conformance.principals import member_context
from choria_conformance.tls import Refused, TlsStream
from choria_conformance.tls13 import Records
from choria_conformance.verdicts import Failed, check, equal

from .lab import BrokerLab, Member

SECTION = Section("broker/carrier")

PLAINTEXT: Final = {
    "zeros": bytes(64),
    "http": b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n",
    "frames": wire(hello(bytes(16), bytes(16))),
    "half-a-client-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a-record-too-long": b"\x16\x03\x01\xff\xff" + bytes(100),
}


async def _plaintext(data: bytes, lab: BrokerLab) -> None:
    lab.speed = lab.speed.QUICK  # a broker may wait for its deadline
    tcp = await lab.tcp()
    await tcp.send_all(data)
    answer = b""
    with trio.move_on_after(max(8.0, lab.settings.patience_s)):
        try:
            while more := await tcp.receive_some(4096):
                answer += more
        except trio.BrokenResourceError:
            pass
        check(
            not answer or answer[0] == 21,
            f"it answered with {answer[:16].hex()}, not with an alert",
        )
        await lab.expect_innocent()
        return
    raise Failed("the connection was not closed")


for _what, _data in PLAINTEXT.items():
    SECTION.add(f"no-tls/{_what}", ["3-1"], partial(_plaintext, _data))


@SECTION.case("tls-1.2", "3-1")
async def tls_1_2(lab: BrokerLab) -> None:
    context = member_context(lab.principal("client-1"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    await lab.expect_refused("client-1", context=context)


@SECTION.case("tls-1.3-is-agreed", "3-1", "3-8")
async def tls_1_3(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.expect_alive()
    equal(member.stream.tls.version(), "TLSv1.3", "the version of TLS")
    equal(member.stream.tls.compression(), None, "compression")
    session = member.stream.tls.session
    check(session is None or not session.has_ticket, "a session ticket was issued")


async def _alpn(protocols: list[str], lab: BrokerLab) -> None:
    """Refused in the handshake, or no frame but a GOODBYE: nothing is agreed."""
    context = member_context(lab.principal("client-1"))
    context.set_alpn_protocols(protocols)
    await lab.expect_refused("client-1", context=context)


async def _silent_alpn(protocols: list[str], lab: BrokerLab) -> None:
    context = member_context(lab.principal("client-1"))
    context.set_alpn_protocols(protocols)
    try:
        peer = await lab.stranger("client-1", context)
        frames = await peer.until_end()
    except Refused:
        return
    equal(frames, [], "the frames that came without agreement")


for _what, _protocols in (
    ("none", []),
    ("h2", ["h2"]),
    ("cwp-2", ["cwp/2"]),
    ("upper-case", ["CWP/1"]),
):
    SECTION.add(f"alpn/{_what}", ["3-2", "3-3"], partial(_alpn, _protocols))
    SECTION.add(f"alpn/{_what}-gets-no-frame", ["3-3"], partial(_silent_alpn, _protocols))


@SECTION.case("alpn/selected", "3-2")
async def alpn_selected(lab: BrokerLab) -> None:
    member = await lab.member()
    equal(member.stream.tls.selected_alpn_protocol(), "cwp/1", "the protocol")


@SECTION.case("alpn/among-others", "3-2")
async def alpn_among(lab: BrokerLab) -> None:
    """A broker offers nothing but cwp/1, so that is what is agreed."""
    context = member_context(lab.principal("client-1"))
    context.set_alpn_protocols(["h2", "http/1.1", "cwp/1"])
    peer = await lab.stranger("client-1", context)
    equal(peer.stream.tls.selected_alpn_protocol(), "cwp/1", "the protocol")


@SECTION.case("no-certificate", "3-1")
async def no_certificate(lab: BrokerLab) -> None:
    principal = lab.principal("client-1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cafile=principal.folder / "trust" / "brokers.pem")
    context.set_alpn_protocols(["cwp/1"])
    await lab.expect_refused("client-1", context=context)


@SECTION.case("tls-in-small-pieces", "4-5", "3-1")
async def tls_in_pieces(lab: BrokerLab) -> None:
    """The handshake itself, 50 bytes a segment."""
    stream = await lab.dial("client-1")
    stream.tcp.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
    done = False
    while not done:
        with suppress(ssl.SSLWantReadError):
            stream.tls.do_handshake()
            done = True
        while piece := stream.outgoing.read(50):
            await stream.tcp.send_all(piece)
        if not done:
            stream.incoming.write(await stream.tcp.receive_some(65536))
    peer = Peer(stream, lab.transcript, "[in pieces]")
    await peer.send(hello(fresh_token(), fresh_token()))
    await peer.expect(Kind.WELCOME)


@SECTION.case("close-alert-ends-the-link", "3-11")
async def close_alert(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.stream.end_tls()
    await _ends_silently(member)


@SECTION.case("end-of-stream-ends-the-link", "3-11", "3-10")
async def half_closed(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.stream.half_close()
    await _ends_silently(member)


@SECTION.case("end-of-stream-in-a-frame-ends-the-link", "3-11")
async def half_closed_in_frame(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send_bytes(wire(ping(1))[:2])
    await member.stream.half_close()
    await _ends_silently(member)


@SECTION.case("end-of-stream-before-hello", "3-11")
async def half_closed_stranger(lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    await stranger.stream.half_close()
    await stranger.until_end()


@SECTION.case("reset-of-a-link", "3-10")
async def reset(lab: BrokerLab) -> None:
    """Nobody gets what was for it, and others are served."""
    subject = f"choria/agent/{lab.word()}"
    node, client = await lab.node(), await lab.member()
    await node.send(subscribe(subject))
    await node.expect_alive()
    node.stream.reset()
    node.over = True
    await client.send(publish(subject, payload=bytes(1000)))
    await client.expect_alive()


@SECTION.case("reset-in-the-handshake", "3-10")
async def reset_in_handshake(lab: BrokerLab) -> None:
    stream = await lab.dial()
    await stream.tcp.send_all(b"\x16\x03\x01\x02\x00\x01")
    stream.reset()
    await lab.expect_innocent()


async def _ends_silently(member: Member) -> None:
    frames = await member.until_end()
    bad = [frame for frame in frames if frame[0] != Kind.GOODBYE]
    equal(bad, [], "what came after the end of stream")


async def _with_records(lab: BrokerLab) -> tuple[Member, Records]:
    key_log = lab.settings.scratch / f"{lab.word()}.keys"
    principal = lab.principal("client-1")
    context = member_context(principal)
    context.keylog_filename = str(key_log)
    stream: TlsStream = await lab.dial("client-1", context)
    await stream.handshake()
    member = Member(stream, lab.transcript, "[hand-made records]", principal)
    await member.send(hello(member.session, fresh_token()))
    member.welcome = await member.expect(Kind.WELCOME)
    return member, Records(stream, key_log)


@SECTION.case("key-update", "3-1")
async def key_update(lab: BrokerLab) -> None:
    """One KeyUpdate is legal TLS: the link goes on under the next keys."""
    member, records = await _with_records(lab)
    await member.stream.tcp.send_all(records.key_update() + records.data(wire(ping(5))))
    equal(await member.expect(Kind.PONG), pong(5), "the PONG")


@SECTION.case("key-update-that-wants-an-answer", "3-1")
async def key_update_answered(lab: BrokerLab) -> None:
    member, records = await _with_records(lab)
    data = records.key_update(answer=True) + records.data(wire(ping(6)))
    await member.stream.tcp.send_all(data)
    equal(await member.expect(Kind.PONG), pong(6), "the PONG")


@SECTION.case("flood-of-key-updates-does-not-stop-others", "15-1", should=True)
async def key_update_flood(lab: BrokerLab) -> None:
    """2 MB of records without data: somebody else is answered meanwhile, and the link is ended."""
    member, records = await _with_records(lab)
    other = await lab.member("client-2")
    flood = b"".join(records.key_update() for _ in range(60_000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_pour, member, flood)
        slowest = 0.0
        for _ in range(20):
            began = trio.current_time()
            await other.expect_alive()
            slowest = max(slowest, trio.current_time() - began)
        nursery.cancel_scope.cancel()
    check(slowest < 1.0, f"somebody else waited {slowest:.1f} s")


@SECTION.case("flood-of-key-updates-ends-the-link", "15-1", should=True)
async def key_update_ends(lab: BrokerLab) -> None:
    member, records = await _with_records(lab)
    flood = b"".join(records.key_update() for _ in range(60_000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_pour, member, flood)
        frames = await member.until_end(10)
        nursery.cancel_scope.cancel()
    reasons = [frame[1] for frame in frames if frame[0] == Kind.GOODBYE]
    check(all(reason == Reason.FLOOD for reason in reasons), f"GOODBYE with {reasons}")


@SECTION.case("flood-of-empty-records", "15-1", should=True)
async def empty_records(lab: BrokerLab) -> None:
    member, records = await _with_records(lab)
    flood = b"".join(records.data(b"") for _ in range(60_000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_pour, member, flood)
        await lab.expect_innocent()
        await member.until_end(10)
        nursery.cancel_scope.cancel()


async def _pour(member: Member, data: bytes) -> None:
    with suppress(trio.BrokenResourceError):
        await member.stream.tcp.send_all(data)
