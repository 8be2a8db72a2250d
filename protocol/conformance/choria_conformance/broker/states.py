"""Section 8: each frame in each state where the member must not send it."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from choria_conformance.cases import Section
from choria_conformance.frames import (
    Kind,
    Reason,
    deliver,
    error,
    goodbye,
    hello,
    ping,
    pong,
    publish,
    receipt,
    subscribe,
    unsubscribe,
)
from choria_conformance.names import fresh_token
from choria_conformance.verdicts import check, equal

from .lab import BrokerLab

SECTION = Section("broker/states")
_TOKEN: Final = bytes(range(16))

SAMPLES: Final = {
    "hello": hello(_TOKEN, _TOKEN),
    "welcome": [2, 1, _TOKEN, [], "alpha", "b1", {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, 0],
    "ping": ping(7),
    "pong": pong(7),
    "goodbye": goodbye(),
    "error": error(8),
    "subscribe": subscribe("choria/agent/a"),
    "unsubscribe": unsubscribe("choria/agent/a"),
    "publish": publish("choria/agent/a"),
    "deliver": deliver("choria/agent/a"),
    "receipt": receipt(1),
    "routed": [12, "b1", 0, 0, 0, [[0, "choria/agent/a"]], [], None, {}, b""],
    "reserved": [200, 1],
}
IN_IDLE: Final = tuple(name for name in SAMPLES if name != "hello")
IN_WAITING: Final = tuple(name for name in SAMPLES if name != "goodbye")
IN_OPEN: Final = ("hello", "welcome", "deliver", "routed")


async def _idle(frame: Any, lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    await stranger.send(frame)
    await stranger.expect_goodbye(Reason.ILLEGAL_STATE)


async def _waiting(frame: Any, lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    await stranger.send(hello(fresh_token(), fresh_token()), frame)
    await stranger.expect_goodbye(Reason.ILLEGAL_STATE)


async def _open(frame: Any, lab: BrokerLab) -> None:
    member = await lab.member()
    await member.send(frame)
    await member.expect_goodbye(Reason.ILLEGAL_STATE)


async def _done(frame: Any, lab: BrokerLab) -> None:
    """The receiver just closes; its GOODBYE answers ours."""
    member = await lab.member()
    await member.send(goodbye(), frame)
    frames = await member.until_end()
    equal([each[0] for each in frames[:1]], [Kind.GOODBYE] if frames else [], "what came")
    check(len(frames) <= 1, f"{len(frames)} frames came, GOODBYE is the last")


for _name in IN_IDLE:
    SECTION.add(f"idle/{_name}", ["8.4-1", "6.1-1"], partial(_idle, SAMPLES[_name]))
for _name in IN_WAITING:
    SECTION.add(f"waiting/{_name}", ["8.4-1", "6.1-1"], partial(_waiting, SAMPLES[_name]))
for _name in IN_OPEN:
    SECTION.add(f"open/{_name}", ["8.4-1"], partial(_open, SAMPLES[_name]))
for _name, _frame in SAMPLES.items():
    SECTION.add(f"done/{_name}", ["6.5-1"], partial(_done, _frame))


@SECTION.case("idle/unknown-type", "4-7", "6-4")
async def unknown_type_in_idle(lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    await stranger.send([99])
    await stranger.expect_goodbye(Reason.UNKNOWN_FRAME)


@SECTION.case("waiting/goodbye", "6.1-1", "8.4-1")
async def goodbye_in_waiting(lab: BrokerLab) -> None:
    stranger = await lab.stranger()
    await stranger.send(hello(fresh_token(), fresh_token()), goodbye())
    frames = await stranger.until_end()
    equal(
        [each for each in frames if each[0] not in (Kind.WELCOME, Kind.GOODBYE)], [], "other frames"
    )
    equal(
        [each[1] for each in frames if each[0] == Kind.GOODBYE], [Reason.NORMAL], "GOODBYE's reason"
    )


@SECTION.case("open/all-that-is-legal", "8.4-1")
async def all_legal(lab: BrokerLab) -> None:
    """No legal frame ends the link; what section 14 refuses gets ERROR."""
    member = await lab.member()
    for name in ("pong", "error", "unsubscribe", "reserved"):
        await member.send(SAMPLES[name])
    await member.expect_alive()
    for name in ("subscribe", "receipt"):
        await member.send(SAMPLES[name])
        await member.expect_error(Reason.NOT_PERMITTED)
    await member.expect_alive()


@SECTION.case("done/a-message-after-goodbye-is-not-delivered", "6.5-1", "8.4-3")
async def nothing_after_goodbye(lab: BrokerLab) -> None:
    node, client, other = await lab.node(), await lab.member(), await lab.member()
    subject = f"choria/agent/{lab.word()}"
    await node.send(subscribe(subject))
    await node.expect_alive()
    await client.send(goodbye(), publish(subject, payload=b"late"))
    await client.until_end()
    await other.send(publish(subject, payload=b"good"))
    equal((await node.expect(Kind.DELIVER))[4], b"good", "the payload")
