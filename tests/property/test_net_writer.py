"""The writer against a model: whatever the transport takes, what leaves is whole frames in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from choria.net.writer import Writer


def _frame(kind: bytes, number: int, size: int) -> bytes:
    """A frame that says where it ends: kind, number, length, body."""
    return kind + number.to_bytes(4, "big") + size.to_bytes(4, "big") + b"." * size


def _frames(stream: bytes) -> list[tuple[bytes, int]]:
    """Cut a stream into whole frames; fails on anything in between."""
    found = []
    at = 0
    while at < len(stream):
        kind, number = stream[at : at + 1], int.from_bytes(stream[at + 1 : at + 5], "big")
        size = int.from_bytes(stream[at + 5 : at + 9], "big")
        assert kind in (b"D", b"C")
        assert stream[at + 9 : at + 9 + size] == b"." * size, "a frame was cut into"
        assert at + 9 + size <= len(stream)
        found.append((kind, number))
        at += 9 + size
    return found


class AnyTransport(RuleBasedStateMachine):
    """Puts and takes in any order; the model is what was put."""

    def __init__(self) -> None:
        super().__init__()
        self.writer = Writer()
        self.data: list[int] = []
        self.controls: list[int] = []
        self.out = b""
        self.put_bytes = 0
        self.dropped_bytes = 0

    @rule(size=st.integers(0, 200))
    def put(self, size: int) -> None:
        frame = _frame(b"D", len(self.data), size)
        self.data.append(len(self.data))
        self.writer.put(frame)
        self.put_bytes += len(frame)

    @rule(size=st.integers(0, 20))
    def put_control(self, size: int) -> None:
        frame = _frame(b"C", len(self.controls), size)
        self.controls.append(len(self.controls))
        self.writer.put_control(frame)
        self.put_bytes += len(frame)

    @rule(most=st.integers(1, 300))
    def take(self, most: int) -> None:
        taken = self.writer.take(most)
        assert len(taken) <= most
        assert taken or not self.writer.pending_bytes
        self.out += taken

    @invariant()
    def counts(self) -> None:
        assert self.writer.pending_bytes == self.put_bytes - self.dropped_bytes - len(self.out)

    def teardown(self) -> None:
        while taken := self.writer.take(64):
            self.out += taken
        frames = _frames(self.out)
        assert [number for kind, number in frames if kind == b"D"] == self.data
        assert [number for kind, number in frames if kind == b"C"] == self.controls
        assert self.writer.pending_bytes == 0


class DroppingTransport(AnyTransport):
    """The same with cuts: what was begun is finished, controls stay, the rest is gone."""

    @rule()
    def drop(self) -> None:
        self.dropped_bytes += self.writer.drop_data()

    def teardown(self) -> None:
        while taken := self.writer.take(64):
            self.out += taken
        frames = _frames(self.out)
        data = [number for kind, number in frames if kind == b"D"]
        assert data == sorted(set(data) & set(self.data))
        assert [number for kind, number in frames if kind == b"C"] == self.controls


TestAnyTransport = AnyTransport.TestCase
TestDroppingTransport = DroppingTransport.TestCase


@given(st.integers(1, 500), st.integers(1, 400))
def test_a_control_waits_for_one_frame_at_most(taken: int, size: int) -> None:
    # CWP-10.1-5, CWP-10.2-6
    writer = Writer()
    first, second = _frame(b"D", 0, size), _frame(b"D", 1, size)
    writer.put(first)
    writer.put(second)
    out = writer.take(min(taken, len(first)))
    writer.put_control(_frame(b"C", 0, 3))
    out += writer.take(100_000)
    order = _frames(out)
    begun = min(taken, len(first)) > 0
    assert order.index((b"C", 0)) == (1 if begun else 0)


def test_what_waits_is_compacted() -> None:
    writer = Writer()
    for number in range(1000):
        writer.put(_frame(b"D", number, 10))
    for _ in range(900):
        writer.take(19)
    assert len(writer._frames) < 300


def test_one_frame_is_passed_on_as_it_is() -> None:
    writer = Writer()
    frame = _frame(b"D", 0, 10)
    writer.put(frame)
    assert writer.take(16384) is frame
