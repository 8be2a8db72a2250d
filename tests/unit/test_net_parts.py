"""The small parts of the shell: back-off, queues, the wheel, the lobby, the budget."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from choria.errors import Reason
from choria.net import Backoff, ByteQueue
from choria.net.backoff import NO_RETRY, wait_after_s
from choria.net.budget import InboundBudget
from choria.net.lobby import Guest, Lobby, source_of
from choria.net.outbox import Outbox, Outgoing
from choria.net.wheel import Wheel
from tests.support.seeds import seeded


def test_backoff_is_full_jitter_up_to_its_cap() -> None:
    # CWP-10.3-6
    spans = []
    for _ in range(8):
        tops = []
        for seed in range(300):
            backoff = Backoff(seeded(seed))
            tops.append([backoff.next_delay_s() for _ in range(8)])
        spans = [max(each[n] for each in tops) for n in range(8)]
    assert [round(span) for span in spans] == [1, 2, 4, 8, 16, 20, 20, 20]


def test_backoff_starts_again_after_a_welcome() -> None:
    backoff = Backoff(seeded(1))
    for _ in range(50):
        assert 0 <= backoff.next_delay_s() <= 20
    backoff.reset()
    assert backoff.next_delay_s() <= 1


@pytest.mark.parametrize(
    ("asked_ms", "waits_s"), [(0, 0), (-5, 0), (1500, 1.5), (600_000, 600), (86_400_000, 600)]
)
def test_retry_after_is_honoured_up_to_ten_minutes(asked_ms: int, waits_s: float) -> None:
    # CWP-6.5-3
    assert wait_after_s(Reason.BUSY, asked_ms, seeded(1)) == waits_s


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_no_retry_is_what_the_table_says(reason: Reason) -> None:
    """CWP-12-3: SPEC.md section 12, column *retry*; "no" and "after 10 minutes" keep away."""
    rows = Path("protocol/SPEC.md").read_text().split("<!-- table: reasons -->")[1]
    row = next(line for line in rows.splitlines() if line.startswith(f"| {reason.value} |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    _, name, scope, _, sender, retry, _ = cells
    stays_away = retry.startswith(("no", "after 10")) and scope != "frame" and sender != "member"
    assert (name, reason in NO_RETRY) == (reason.name, stays_away)
    if stays_away:
        assert 480 <= wait_after_s(reason, 0, seeded(1)) <= 600


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 100)), max_size=50))
def test_wheel_gives_everything_once_and_never_early(entries: list[tuple[int, float]]) -> None:
    wheel: Wheel[tuple[int, float]] = Wheel(slot_s=0.25)
    for entry in entries:
        wheel.enter(entry, entry[1])
    given_out = []
    now = 0.0
    while (at := wheel.next_time()) is not None:
        assert at >= now
        now = at
        due = wheel.due(now)
        assert all(now - 0.25 <= deadline <= now for _, deadline in due)
        given_out += due
    assert sorted(given_out) == sorted(entries)


async def test_byte_queue_bounds_bytes_and_wakes_both_sides(autojump_clock) -> None:
    queue: ByteQueue[str] = ByteQueue(10)
    queue.put_nowait("larger than the bound", 50)
    with pytest.raises(trio.WouldBlock):
        queue.put_nowait("b", 1)
    assert not queue.offer("c", 1)
    assert queue.dropped == 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.put, "d", 1)
        await wait_all_tasks_blocked()
        assert await queue.get() == "larger than the bound"
        assert await queue.get() == "d"
    queue.put_nowait("e", 1)
    queue.close()
    assert [item async for item in queue] == ["e"]
    with pytest.raises(trio.ClosedResourceError):
        queue.put_nowait("f", 1)
    with pytest.raises(trio.EndOfChannel):
        await queue.get()


async def test_cancelled_waits_lose_nothing(autojump_clock) -> None:
    queue: ByteQueue[int] = ByteQueue(1)
    with trio.move_on_after(1):
        await queue.get()
    queue.put_nowait(1, 1)
    with trio.move_on_after(1):
        await queue.put(2, 1)
    assert queue.get_nowait() == 1
    with pytest.raises(trio.WouldBlock):
        queue.get_nowait()
    assert queue.pending_bytes == 0


async def test_outbox_skips_frames_of_other_links(autojump_clock) -> None:
    outbox = Outbox(100)
    outbox.put_nowait(Outgoing(b"any"))
    outbox.put_nowait(Outgoing(b"first", link=1))
    outbox.put_nowait(Outgoing(b"second", link=2))
    assert [each.data for each in outbox.take_batch(2)] == [b"any", b"second"]
    assert outbox.pending_bytes == 0
    assert outbox.empty


async def test_outbox_wakes_a_writer_that_waits_for_room(autojump_clock) -> None:
    outbox = Outbox(5)
    outbox.put_nowait(Outgoing(b"12345"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.put, Outgoing(b"6"))
        await wait_all_tasks_blocked()
        assert len(outbox.take_batch(1)) == 1
    assert [each.data for each in outbox.take_batch(1)] == [b"6"]
    outbox.close()
    assert not await outbox.wait_ready()
    with pytest.raises(trio.ClosedResourceError):
        await outbox.put(Outgoing(b"7"))


def test_outbox_knows_a_flood_of_controls() -> None:
    outbox = Outbox(5)
    for _ in range(64):
        outbox.put_control(b"x")
    assert not outbox.flooded
    outbox.put_control(b"x")
    assert outbox.flooded
    outbox.forget_controls()
    assert outbox.empty


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("10.1.2.3", "10.1.2.0/24"),
        ("2001:db8:1:2::5", "2001:db8:1::/48"),
        ("memory", "memory"),
    ],
)
def test_source_of(address: str, source: str) -> None:
    assert source_of(address) == source


def test_a_full_lobby_loses_the_oldest_of_the_busiest_network() -> None:
    # CWP-11.1-2
    lobby = Lobby(4)
    evicted: list[str] = []

    def guest(address: str) -> Guest:
        made = Guest(address, lambda _why: evicted.append(address))
        lobby.enter(made)
        return made

    lonely = guest("10.0.0.1")
    for number in range(1, 6):
        guest(f"10.9.9.{number}")
    assert evicted == ["10.9.9.1", "10.9.9.2"]
    assert len(lobby) == 4
    assert lobby.evicted == 2
    lobby.leave(lonely)
    lobby.leave(lonely)
    assert len(lobby) == 3
    assert {each.address for each in lobby.everybody()} == {"10.9.9.3", "10.9.9.4", "10.9.9.5"}


class _Reader(SimpleNamespace):
    """As much of a connection as the budget touches."""

    def __init__(self) -> None:
        super().__init__(stopped=False)

    __hash__ = object.__hash__

    def throttle(self, *, stop: bool) -> None:
        self.stopped = stop


KIB = 1024


def test_budget_stops_large_frames_when_tight_and_lets_them_go_on_one_by_one() -> None:
    budget = InboundBudget(1000 * KIB)
    readers = [_Reader() for _ in range(6)]
    for reader in readers:
        budget.note(reader, 30 * KIB, 0.0)
        budget.note(reader, 120 * KIB, 0.0)
    # Half of the budget is 500 KiB: the fifth large frame is one too many.
    assert [reader.stopped for reader in readers] == [False] * 4 + [True] * 2
    budget.relieve(1.0)
    assert readers[4].stopped
    for reader in readers[:3]:
        budget.note(reader, 0, 1.0)
    budget.relieve(1.0)
    assert [reader.stopped for reader in readers] == [False] * 6
    assert budget.total == 360 * KIB


def test_budget_small_frames_are_never_stopped() -> None:
    budget = InboundBudget(1000 * KIB)
    readers = [_Reader() for _ in range(20)]
    for reader in readers:
        budget.note(reader, 30 * KIB, 0.0)
    assert not any(reader.stopped for reader in readers)
    assert budget.excess(0.0) is None


def test_budget_over_the_whole_the_largest_is_cut() -> None:
    budget = InboundBudget(1000 * KIB)
    small, large = _Reader(), _Reader()
    budget.note(small, 300 * KIB, 0.0)
    budget.note(large, 800 * KIB, 0.0)
    assert budget.excess(0.0) is large
    budget.forget(large)
    assert budget.excess(0.0) is None
    assert budget.total == 300 * KIB


def test_budget_who_blocks_others_for_long_is_cut() -> None:
    # CWP-10.2-2
    budget = InboundBudget(1000 * KIB)
    stuck, waiting = _Reader(), _Reader()
    budget.note(stuck, 600 * KIB, 0.0)
    budget.note(waiting, 100 * KIB, 1.0)
    assert waiting.stopped
    assert budget.excess(9.0) is None
    assert budget.excess(10.1) is stuck
    budget.forget(stuck)
    budget.relieve(10.1)
    assert not waiting.stopped
