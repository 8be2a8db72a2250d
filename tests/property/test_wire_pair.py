"""Links: cuts between reads mean nothing, and two real ends never disagree."""

from __future__ import annotations

import contextlib
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from choria.errors import LocalProtocolError, Reason, RemoteProtocolError
from choria.wire import (
    Deliver,
    Error,
    Frame,
    Goodbye,
    Hello,
    Ignored,
    Limits,
    Link,
    Ping,
    Pong,
    Publish,
    Receipt,
    Routed,
    Side,
    State,
    Subscribe,
    Unsubscribe,
    Welcome,
    encode_cbor,
    encode_frame,
    tail_of,
)
from tests.strategies.frames import frames, mutated

LIMITS = Limits(payload_bytes=300, frame_bytes=3000)
HELLO = Hello(versions=(1,), session=b"s" * 16, boot=b"b" * 16, collectives=("choria",))
WELCOME = Welcome(
    version=1,
    session=HELLO.session,
    network="alpha",
    broker="broker1",
    limits=LIMITS.to_wire(),
    time_ms=1,
)


def opened(side: Side) -> Link:
    member, broker = Link(Side.MEMBER, LIMITS, now=0.0), Link(Side.BROKER, LIMITS, now=0.0)
    broker.receive(member.send(HELLO), 0.0)
    member.receive(broker.send(WELCOME), 0.0)
    return member if side is Side.MEMBER else broker


def events_of(link: Link, pieces: list[bytes]) -> list[object]:
    """What ``pieces`` mean; the owner answers each PING at once. A final error is an event."""
    events: list[object] = []
    try:
        for piece in pieces:
            received = link.receive(piece, 0.0)
            events += received
            if link.failure is not None:
                link.receive(b"", 0.0)
    except RemoteProtocolError as exc:
        events.append((exc.reason, str(exc)))
    return [*events, link.states, link.frames_received, link.pending_bytes]


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(at, len(data)) for at in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


reserved = st.integers(192, 223).map(lambda code: encode_cbor(encode_cbor([code, None])))
streams = st.lists(frames().map(encode_frame) | reserved, max_size=4).map(b"".join)
inputs = (
    st.binary(max_size=60) | mutated(streams) | mutated(streams.map(encode_frame(HELLO).__add__))
)


@given(st.sampled_from(Side), st.booleans(), inputs, st.lists(st.integers(0, 300), max_size=8))
def test_bytes_mean_the_same_in_one_piece_or_in_many(
    side: Side, is_open: bool, data: bytes, cuts: list[int]
) -> None:
    def new() -> Link:
        return opened(side) if is_open else Link(side, LIMITS, now=0.0)

    whole = events_of(new(), [data])
    assert events_of(new(), cut(data, cuts)) == whole
    assert events_of(new(), cut(data, list(range(len(data))))) == whole


@given(st.sampled_from(Side), inputs)
def test_a_dead_link_stays_dead(side: Side, data: bytes) -> None:
    link = opened(side)
    with contextlib.suppress(RemoteProtocolError):
        link.receive(data + b"\xff", 0.0)
    if link.failure is None:
        return  # the rest is part of a frame that is not whole
    states = link.states
    with pytest.raises(RemoteProtocolError, match=re.escape(str(link.failure))):
        link.receive(encode_frame(Ping(token=1)), 1.0)
    with pytest.raises(RemoteProtocolError, match=re.escape(str(link.failure))):
        link.on_deadline(1.0)
    assert link.states == states
    for kind in (Ping, Publish, Deliver, Hello, Welcome):
        assert not link.can_send(kind)


TAIL = tail_of(b"x" * 30, reply="a/reply")
SAMPLES: list[Frame] = [
    HELLO,
    WELCOME,
    Ping(token=7),
    Pong(token=7),
    Goodbye(reason=Reason.NORMAL, text="bye"),
    Error(reason=Reason.LIMIT, frame=0),
    Subscribe(patterns=("a/**", "b/*"), group="g"),
    Unsubscribe(patterns=("a/**",)),
    Publish(subjects=("a/b",), receipt_id=1, tail=TAIL),
    Publish(subjects=("a/b", "a/c"), tail=tail_of(bytes(300), headers={1: 2})),
    Publish(subjects=("a/b",), tail=tail_of(bytes(301))),
    Deliver(subject="a/b", tail=TAIL),
    Receipt(receipt_id=1, handed=3, without=(1,)),
    Routed(origin="b1", sequence=1, pairs=((0, "a/b"),), tail=TAIL),
]


class LinkPair(RuleBasedStateMachine):
    """Two real links and a wire between them; what was sent must arrive, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.link = {side: Link(side, LIMITS, now=0.0) for side in Side}
        self.wire = dict.fromkeys(Side, b"")
        self.sent: dict[Side, list[Frame]] = {side: [] for side in Side}
        self.owed: dict[Side, list[int]] = {side: [] for side in Side}

    def note(self, sender: Side, frame: Frame, data: bytes) -> None:
        self.wire[sender] += data
        self.sent[sender].append(frame)

    @rule(sender=st.sampled_from(Side), frame=st.sampled_from(SAMPLES))
    def send(self, sender: Side, frame: Frame) -> None:
        link = self.link[sender]
        before = (link.states, link.frames_sent, link.can_send(type(frame)))
        try:
            data = link.send(frame)
        except LocalProtocolError:
            assert (link.states, link.frames_sent, link.can_send(type(frame))) == before
        else:
            assert before[2]
            self.note(sender, frame, data)

    @rule()
    def log_in(self) -> None:
        self.send(Side.MEMBER, HELLO)
        self.deliver(Side.MEMBER, 10**6)
        self.send(Side.BROKER, WELCOME)

    @rule()
    def pong(self) -> None:
        for side in Side:
            while self.owed[side] and self.link[side].can_send(Pong):
                frame = Pong(token=self.owed[side].pop(0))
                self.note(side, frame, self.link[side].send(frame))

    @rule(sender=st.sampled_from(Side), size=st.integers(1, 64) | st.just(10**6))
    def deliver(self, sender: Side, size: int) -> None:
        data, self.wire[sender] = self.wire[sender][:size], self.wire[sender][size:]
        receiver = self.link[sender.peer]
        for event in receiver.receive(data, self.now):
            frame = self.next_visible(sender)
            assert event == frame
            if isinstance(event, Ping):
                self.owed[sender.peer].append(event.token)
        assert receiver.failure is None  # it would be a bug: both ends are ours

    def next_visible(self, sender: Side) -> Frame:
        """The next frame that the other end's owner is to see."""
        frame = self.sent[sender].pop(0)
        hidden = (isinstance(frame, Pong) and sender is Side.BROKER) or (
            isinstance(frame, Ping) and State.DONE is self.own_state(sender.peer)
        )
        return self.next_visible(sender) if hidden else frame

    def own_state(self, side: Side) -> State:
        return self.link[side].states[0 if side is Side.MEMBER else 1]

    @rule(seconds=st.sampled_from([0.1, 1.0, 8.0]))
    def pass_time(self, seconds: float) -> None:
        """Both ends are alive, so nobody may be declared dead."""
        self.now += seconds
        for side in Side:
            self.deliver(side, 10**6)
            self.pong()
            link = self.link[side]
            if link.is_open:
                data = link.on_deadline(self.now)
                if data:
                    self.note(side, Ping(token=link.frames_sent - 1), data)

    @invariant()
    def ends_agree_when_nothing_is_on_the_way(self) -> None:
        member, broker = self.link[Side.MEMBER], self.link[Side.BROKER]
        if not any(self.wire.values()):
            assert member.states == broker.states
            for a, b in ((member, broker), (broker, member)):
                assert a.frames_sent == b.frames_received
                assert a.pending_bytes == 0


LinkPair.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLinkPair = LinkPair.TestCase


def test_refused_and_ignored_frames_do_not_disturb_the_count() -> None:
    link = opened(Side.BROKER)
    arrays: list[list[Any]] = [[200], [9, ["a"], {}, None, {128: 0}, b""], [3, 5]]
    stream = b"".join(encode_cbor(encode_cbor(array)) for array in arrays)
    ignored, refused, ping = link.receive(stream, 0.0)
    assert ignored == Ignored(type=200)
    assert refused.frame == 2
    assert ping == Ping(token=5)
