"""Section 10.1 and 6.3: PING, PONG, silence, deadlines."""

from __future__ import annotations

import trio

from choria_conformance.cases import Section
from choria_conformance.frames import Kind, Reason, hello, ping, pong, wire
from choria_conformance.names import fresh_token
from choria_conformance.peer import Peer
from choria_conformance.verdicts import Failed, Skipped, check, equal

from .brokers import TIMES, Speed
from .lab import BrokerLab, Member

SECTION = Section("broker/liveness")
_SLACK_S = 15.0  # how late a broker may be; what comes too early is measured without it


async def _quick(lab: BrokerLab) -> tuple[Member, float]:
    """A link that does not answer PINGs, and the PING interval in seconds."""
    lab.speed = Speed.QUICK
    member = await lab.member()
    member.answers_pings = False
    interval_s = member.limits[4] / 1000
    if 4 * interval_s > lab.settings.patience_s:
        raise Skipped(f"the PING interval is {interval_s:g} s: give --command or more --patience")
    return member, interval_s


def _hello_within_s(lab: BrokerLab) -> float:
    if lab.settings.address is None:
        return int(TIMES[Speed.QUICK]["CWP_HELLO_WITHIN_MS"]) / 1000
    if lab.settings.patience_s < 60 + _SLACK_S:
        raise Skipped("a broker may give a stranger 60 s: give --command or more --patience")
    return 60.0


@SECTION.case("pong-repeats-the-token", "6.3-1", "6.3-3")
async def repeats(lab: BrokerLab) -> None:
    member = await lab.member()
    for token in (0, 1, 23, 24, (1 << 32), (1 << 64) - 1):
        await member.send(ping(token))
        equal(await member.expect(Kind.PONG), pong(token), "the PONG")


@SECTION.case("pongs-in-order", "6.3-1")
async def in_order(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send(ping(1), ping(2))
    equal([await member.expect(Kind.PONG) for _ in range(2)], [pong(1), pong(2)], "the PONGs")


@SECTION.case("pings-are-not-refused-after-answers", "6.3-2")
async def many_in_turn(lab: BrokerLab) -> None:
    """A hundred PINGs, never more than two open."""
    member = await lab.member()
    for token in range(100):
        await member.send(ping(token))
        await member.expect(Kind.PONG)


@SECTION.case("a-pong-nobody-asked-for", "6.4-1")
async def unasked(lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send(pong(1), pong(1), pong(2))
    await member.expect_alive()


@SECTION.case("silence-is-pinged", "10.1-3")
async def pinged(lab: BrokerLab) -> None:
    member, interval_s = await _quick(lab)
    began = await _silent_from(member)
    frame = await _next(member, 2 * interval_s + _SLACK_S)
    equal(frame[0], Kind.PING, "the type of what came")
    check(trio.current_time() - began > 0.5 * interval_s, "the PING came too early")


@SECTION.case("no-more-than-two-pings-are-open", "6.3-2", "10.1-4")
async def two_pings(lab: BrokerLab) -> None:
    member, interval_s = await _quick(lab)
    pings = 0
    while True:
        frame = await _next(member, 4 * interval_s + _SLACK_S)
        if frame[0] == Kind.GOODBYE:
            break
        pings += frame[0] == Kind.PING
    check(1 <= pings <= 2, f"{pings} PINGs were sent to a silent peer")


@SECTION.case("silence-ends-the-link", "10.1-4")
async def silence_ends(lab: BrokerLab) -> None:
    member, interval_s = await _quick(lab)
    began = await _silent_from(member)
    frame = await _next(member, 4 * interval_s + _SLACK_S)
    while frame[0] == Kind.PING:
        frame = await _next(member, 4 * interval_s + _SLACK_S)
    equal(frame[:2], [Kind.GOODBYE, Reason.TIMEOUT], "what ended the link")
    took = trio.current_time() - began
    check(
        took >= 2.5 * interval_s, f"it took {took:.2f} s, three intervals are {3 * interval_s:g} s"
    )


@SECTION.case("pongs-keep-the-link", "10.1-2", "10.1-4")
async def pongs_keep(lab: BrokerLab) -> None:
    member, interval_s = await _quick(lab)
    member.answers_pings = True
    await _lives(member, 4 * interval_s)


@SECTION.case("any-frame-keeps-the-link", "10.1-2", "6-4")
async def any_keeps(lab: BrokerLab) -> None:
    """PINGs stay unanswered, ignored frames come instead."""
    member, interval_s = await _quick(lab)
    for _ in range(8):
        await trio.sleep(interval_s / 2)
        await member.send([199, "alive"])
    with trio.move_on_after(0.2):
        while True:
            frame = await member.any_frame()
            equal(frame[0], Kind.PING, "the type of what came")


@SECTION.case("part-of-a-frame-is-no-life", "10.1-2")
async def part_is_no_life(lab: BrokerLab) -> None:
    member, interval_s = await _quick(lab)
    frame = wire([199, bytes(100)])
    with trio.move_on_after(4 * interval_s + _SLACK_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drip, member, frame, interval_s / 4)
            got = await member.any_frame()
            while got[0] == Kind.PING:
                got = await member.any_frame()
            nursery.cancel_scope.cancel()
        equal(got[:2], [Kind.GOODBYE, Reason.TIMEOUT], "what ended the link")
        return
    raise Failed("a link that sent parts of a frame only was not ended")


@SECTION.case("hello-too-late", "10.1-1")
async def hello_late(lab: BrokerLab) -> None:
    lab.speed = Speed.QUICK
    within_s = _hello_within_s(lab)
    stranger = await lab.stranger()
    await stranger.expect_goodbye(Reason.TIMEOUT, within_s=within_s + _SLACK_S)


@SECTION.case("hello-in-drops-too-late", "10.1-1", "10.1-2")
async def hello_dripped(lab: BrokerLab) -> None:
    lab.speed = Speed.QUICK
    within_s = _hello_within_s(lab)
    stranger = await lab.stranger()
    data = wire(hello(fresh_token(), fresh_token()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drip, stranger, data, within_s / 10)
        await stranger.expect_goodbye(Reason.TIMEOUT, within_s=within_s + _SLACK_S)
        nursery.cancel_scope.cancel()


@SECTION.case("handshake-too-late", "10.1-1", should=True)
async def handshake_late(lab: BrokerLab) -> None:
    lab.speed = Speed.QUICK
    within_s = _hello_within_s(lab)
    tcp = await lab.tcp()
    with trio.move_on_after(within_s + _SLACK_S):
        try:
            while await tcp.receive_some(4096):
                pass
        except trio.BrokenResourceError:
            pass
        return
    raise Failed("a connection without a handshake was held")


async def _silent_from(member: Member) -> float:
    """A time before the broker last heard of us; PINGs of an earlier silence are taken off."""
    began = trio.current_time()
    await member.settle()
    return began


async def _next(member: Member, within_s: float) -> list[object]:
    with trio.move_on_after(within_s):
        return await member.any_frame()
    raise Failed(f"nothing came within {within_s:.1f} s")


async def _lives(member: Member, seconds: float) -> None:
    with trio.move_on_after(seconds):
        frame = await member.frame(seconds * 2)
        raise Failed(f"frame {frame[:2]} came on a link that answers PINGs")
    await member.expect_alive()


async def _drip(member: Peer, data: bytes, pause_s: float) -> None:
    for byte in data:
        await trio.sleep(pause_s)
        await member.send_bytes(bytes([byte]))
