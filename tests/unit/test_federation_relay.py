"""One direction of a relay between fake sessions: what goes over, once, and what is answered."""

from __future__ import annotations

from typing import Any, cast

import attrs
import msgspec
import pytest
import trio

from choria.federation import Direction, RelayConfig, Window
from choria.net import RoutedMessage, Session
from choria.wire import Receipt, Routed, inbox_token, tail_of

PREFIX = "federation/beta/choria"


def prefix_of(caller: str) -> str:
    return f"choria/reply/alpha/{inbox_token('alpha', 'client', caller)}/{'5' * 32}/{'7' * 32}"


@attrs.define
class Fake:
    """A session that counts one receiver for each subject, but for node n0."""

    network: str
    published: list[list[str]] = attrs.field(factory=list)
    tails: list[tuple[bytes, str | None, Any]] = attrs.field(factory=list)
    answers: list[dict[str, Any]] = attrs.field(factory=list)

    async def publish(
        self, subjects: list[str], payload: bytes, reply: str | None, headers: Any
    ) -> None:
        await trio.lowlevel.checkpoint()
        self.published.append(subjects)
        self.tails.append((payload, reply, headers))

    async def publish_for_receipt(
        self, subjects: list[str], payload: bytes, reply: str | None, headers: Any
    ) -> Receipt:
        await self.publish(subjects, payload, reply, headers)
        missing = tuple(at for at, subject in enumerate(subjects) if subject.endswith("/n0"))
        return Receipt(receipt_id=1, handed=len(subjects) - len(missing), without=missing)

    async def answer_receipt(self, _message: RoutedMessage, **answer: Any) -> None:
        self.answers.append(answer)


def routed(
    *nodes: str,
    payload: bytes = b"x",
    receipt_id: int = 0,
    headers: Any = None,
    reply: str | None = None,
) -> Routed:
    pairs = tuple((index, f"{PREFIX}/node/{node}") for index, node in enumerate(nodes))
    return Routed(
        origin="b1",
        sequence=0,
        receipt_id=receipt_id,
        remaining_ms=1000,
        pairs=pairs,
        tail=tail_of(payload, reply=reply, headers=headers),
    )


async def carry(*frames: Routed, remember: int = 100) -> tuple[Fake, Fake, Direction]:
    near, far = Fake("alpha"), Fake("beta")
    window = Window(remember)
    direction = Direction(cast("Session", near), cast("Session", far), window)
    for frame in frames:
        async with trio.open_nursery() as nursery:
            await direction._carry(RoutedMessage(frame, 1), nursery)
    return near, far, direction


async def test_a_payload_goes_to_a_subject_once_whatever_comes_with_it() -> None:
    first, again = routed("n1", "n2"), routed("n2", "n3", headers={7: b"changed"})
    _, far, direction = await carry(first, again, first)
    assert far.published == [["choria/node/n1", "choria/node/n2"], ["choria/node/n3"]]
    assert direction.carried.repeated == 1


async def test_another_payload_is_another_message() -> None:
    _, far, _ = await carry(routed("n1"), routed("n1", payload=b"y"))
    assert far.published == [["choria/node/n1"]] * 2


async def test_receipts_count_in_the_indices_that_were_asked_about() -> None:
    near, _, _ = await carry(routed("n1", "n0", receipt_id=5))
    assert near.answers == [{"handed": 1, "partial": False, "without": [1]}]


async def test_a_repetition_is_answered_too_and_names_nobody_as_absent() -> None:  # CWP-6.12-4
    near, _, _ = await carry(
        routed("n0"), routed("n0", receipt_id=6), routed("n0", "n2", receipt_id=7)
    )
    assert near.answers == [
        {"handed": 0, "partial": True},
        {"handed": 1, "partial": True, "without": []},
    ]


async def test_a_subject_for_another_network_is_refused_and_answered() -> None:
    other = Routed(
        origin="b1", sequence=0, receipt_id=8, remaining_ms=1, tail=tail_of(b"x"),
        pairs=((0, "federation/gamma/choria/node/n1"),),
    )  # fmt: skip
    near, far, direction = await carry(other)
    assert (far.published, direction.carried.refused) == ([], 1)
    assert near.answers == [{"handed": 0, "partial": True}]


@pytest.mark.parametrize(
    "subject",
    [
        f"federation/beta/federation/gamma/{PREFIX.rpartition('/')[2]}/node/n1",
        "federation/beta/choria/event/alarm/n1",
        "federation/beta/sys/admin/choria",
        "federation/beta/choria/agent",
        f"choria/reply/gamma/{inbox_token('gamma', 'client', 'rip')}/{'5' * 32}/{'7' * 32}/alpha/n1",
        "choria/event/alarm/n1",
    ],
)
async def test_only_what_the_table_gives_goes_over(subject: str) -> None:  # CWP-14.3-9
    frame = msgspec.structs.replace(routed("n1", receipt_id=5), pairs=((0, subject),))
    near, far, direction = await carry(frame)
    assert far.published == []
    assert near.answers == [{"handed": 0, "partial": True}]
    assert direction.carried.refused == 1


async def test_what_travels_is_the_reply_the_headers_and_the_payload() -> None:  # CWP-14.3-1
    headers, reply = {7: b"a", 9: 1, 100: "text"}, prefix_of("rip")
    _, far, _ = await carry(
        routed("n1", headers=headers, reply=reply),
        routed("n2", headers=headers, reply=reply, receipt_id=3),
    )
    assert far.tails == [(b"x", reply, headers)] * 2


async def test_what_cannot_be_remembered_is_not_forwarded_and_the_receipt_says_partial(
    caplog: pytest.LogCaptureFixture,
) -> None:  # CWP-14.3-5
    frame = routed("n1", "n2", "n3", receipt_id=9)
    near, far, direction = await carry(frame, routed("n4"), frame, remember=4)
    assert far.published == [["choria/node/n1", "choria/node/n2"]]  # half of four is one asker's
    assert near.answers == [
        {"handed": 2, "partial": True, "without": []},
        {"handed": 0, "partial": True},
    ]
    assert (direction.carried.full, direction.carried.repeated) == (3, 0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]  # one a minute


async def test_one_asker_fills_no_more_than_half_whichever_way_it_goes() -> None:  # CWP-14.3-6
    eve, rip = prefix_of("eve"), prefix_of("rip")
    answer = Routed(
        origin="b1", sequence=0, tail=tail_of(b"y"), pairs=((0, f"{eve}/beta/n1"),)
    )  # fmt: skip
    _, far, _ = await carry(
        routed("n1", "n2", "n3", reply=eve),
        answer,
        routed("n1", payload=b"z", reply=rip),
        remember=4,
    )
    assert far.published == [["choria/node/n1", "choria/node/n2"], ["choria/node/n1"]]


def test_a_window_without_room_is_no_configuration() -> None:
    with pytest.raises(msgspec.ValidationError, match="remember must be 1000 or more, not 5"):
        msgspec.convert({"left": {}, "right": {}, "remember": 5}, RelayConfig)
