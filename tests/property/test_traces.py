"""Every edge of the models' state graphs, walked by the real code.

The traces are made from ``protocol/models`` by TLC; this needs no Java. When a model or the code
changes so that they disagree, a walk fails here with the steps that lead to the difference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import trio

from choria.federation import Seen, Window
from tests.support.guard_walk import Node, to_ms
from tests.support.link_walk import Ends
from tests.support.relay_walk import Relays
from tests.support.traces import TraceFile, load_traces


def run_all(traces: TraceFile, new: Callable[[], Ends | Node]) -> None:
    for walk in traces.walks():
        machine = new()
        for at, step in enumerate(walk):
            try:
                machine.do(step)
            except Exception as wrong:
                wrong.add_note(f"{traces.name}: after {walk[: at + 1]}")
                raise


def check_covered(traces: TraceFile, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(traces.used) == traces.edges > 0
    with capsys.disabled():
        sys.stdout.write(f"\n{traces.summary()}\n")


@pytest.mark.parametrize("name", ["link", "link-ping"])
def test_links_walk_every_edge(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    traces = load_traces(name)
    run_all(traces, Ends)
    check_covered(traces, capsys)


@pytest.mark.parametrize("name", ["replay", "replay-full"])
def test_replay_guards_walk_every_edge(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    traces = load_traces(name)
    run_all(traces, lambda: Node(capacity=1))
    check_covered(traces, capsys)


async def walk_relays(traces: TraceFile) -> None:
    async with trio.open_nursery() as nursery:
        for walk in traces.walks():
            relays = Relays(walk, nursery)
            for at, step in enumerate(walk):
                try:
                    await relays.do(step)
                except Exception as wrong:
                    wrong.add_note(f"relay: after {walk[: at + 1]}")
                    raise


async def test_relays_walk_every_edge(capsys: pytest.CaptureFixture[str]) -> None:
    traces = load_traces("relay")
    await walk_relays(traces)
    check_covered(traces, capsys)


async def test_a_relay_without_memory_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Window, "take", lambda *_: Seen.NEW)
    with pytest.RaisesGroup(AssertionError):
        await walk_relays(load_traces("relay"))


def test_a_guard_that_forgets_a_millisecond_early_is_caught() -> None:
    class Forgetful(Node):
        def take(self, number: int, encoding: int, created: int) -> str:
            self.guard.expire(to_ms(self.now) + 1)
            return super().take(number, encoding, created)

    with pytest.raises(AssertionError):
        run_all(load_traces("replay"), lambda: Forgetful(capacity=1))
