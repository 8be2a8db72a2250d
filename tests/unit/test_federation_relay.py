"""One direction of a relay between fake sessions: what goes over, once, and what is answered."""

from __future__ import annotations

from typing import Any, cast

import attrs
import trio

from choria.federation import Direction
from choria.net import RoutedMessage, Session
from choria.wire import Receipt, Routed, tail_of

PREFIX = "federation/beta/choria"


@attrs.define
class Fake:
    """A session that counts one receiver for each subject, but for node n0."""

    network: str
    published: list[list[str]] = attrs.field(factory=list)
    answers: list[dict[str, Any]] = attrs.field(factory=list)

    async def publish(self, subjects: list[str], _payload: bytes, _reply: str | None) -> None:
        self.published.append(subjects)

    async def publish_for_receipt(
        self, subjects: list[str], _payload: bytes, _reply: str | None
    ) -> Receipt:
        self.published.append(subjects)
        missing = tuple(at for at, subject in enumerate(subjects) if subject.endswith("/n0"))
        return Receipt(receipt_id=1, handed=len(subjects) - len(missing), without=missing)

    async def answer_receipt(self, _message: RoutedMessage, **answer: Any) -> None:
        self.answers.append(answer)


def routed(*nodes: str, payload: bytes = b"x", receipt_id: int = 0, headers: Any = None) -> Routed:
    pairs = tuple((index, f"{PREFIX}/node/{node}") for index, node in enumerate(nodes))
    return Routed(
        origin="b1",
        sequence=0,
        receipt_id=receipt_id,
        remaining_ms=1000,
        pairs=pairs,
        tail=tail_of(payload, headers=headers),
    )


async def carry(*frames: Routed) -> tuple[Fake, Fake, Direction]:
    near, far = Fake("alpha"), Fake("beta")
    direction = Direction(cast("Session", near), cast("Session", far))
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
