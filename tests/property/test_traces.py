"""Every edge of the models' state graphs, walked by the real code.

The traces are made from ``protocol/models`` by TLC; this needs no Java. When a model or the code
changes so that they disagree, a walk fails here with the steps that lead to the difference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import trio
import trio.testing

from choria.federation import Seen, Window, relay
from choria.trust import ReplayGuard
from choria.trust import Seen as SeenByGuard
from choria.wire import split_tail
from tests.support.guard_walk import Node
from tests.support.link_walk import Ends
from tests.support.node_walk import WalkLog, WholeNode
from tests.support.relay_sites import joined
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


async def walk_nodes(traces: TraceFile) -> None:
    async with trio.open_nursery() as nursery:
        for walk in traces.walks():
            node = WholeNode(1, nursery)
            await node.start()
            for at, step in enumerate(walk):
                try:
                    await node.do(step)
                except Exception as wrong:
                    wrong.add_note(f"{traces.name}: after {walk[: at + 1]}")
                    raise
            node.stop()


@pytest.mark.parametrize("name", ["replay-node", "replay-full"])
async def test_whole_nodes_walk_every_edge(
    name: str, capsys: pytest.CaptureFixture[str], autojump_clock: trio.testing.MockClock
) -> None:
    """CWP-13.6-7, CWP-13.6-8, CWP-13.6-9, CWP-13.6-10, CWP-13.6-13."""
    traces = load_traces(name)
    await walk_nodes(traces)
    check_covered(traces, capsys)


async def test_a_node_that_asks_no_guard_is_caught(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(ReplayGuard, "check", lambda *_: SeenByGuard.NEW)
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        await walk_nodes(load_traces("replay-node"))


async def test_a_log_that_loses_a_record_is_caught(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(WalkLog, "append", lambda *_: None)
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        await walk_nodes(load_traces("replay-node"))


NETWORKS = ("alpha", "beta", "gamma")
RELAYS = {"relay": (NETWORKS, 9), "relay-die": (NETWORKS[:2], 9), "relay-full": (NETWORKS[:2], 1)}
"""The networks that are joined, and how much one asker may have in a direction's window."""


async def walk_relays(traces: TraceFile, clock: trio.testing.MockClock) -> None:
    names, share = RELAYS[traces.name]
    async with joined(names) as sites, trio.open_nursery() as nursery:
        for walk in traces.walks():
            relays = Relays(sites, 2 * share, nursery, clock)
            await relays.start(walk)
            for at, step in enumerate(walk):
                try:
                    await relays.do(step)
                except Exception as wrong:
                    wrong.add_note(f"{traces.name}: after {walk[: at + 1]}")
                    raise
            relays.stop()


@pytest.mark.parametrize("name", RELAYS)
async def test_relays_between_hubs_walk_every_edge(
    name: str, capsys: pytest.CaptureFixture[str], autojump_clock: trio.testing.MockClock
) -> None:
    traces = load_traces(name)
    await walk_relays(traces, autojump_clock)
    check_covered(traces, capsys)


async def test_hubs_refuse_what_a_hostile_relay_passes_on(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    """CWP-14.1-6: the relay's own refusal (CWP-14.3-9) is not what keeps a third network safe."""

    def beyond(_direction: object, subject: str) -> str:
        return subject.split("/", 2)[2] if subject.startswith("federation/") else subject

    monkeypatch.setattr(relay.Direction, "_beyond", beyond)
    traces = load_traces("relay")
    refused = {at for at, step in enumerate(traces.steps) if step.get("out") == "refused"}
    traces.traces = [t for t in traces.traces if refused.intersection(step for _, step in t)][:20]
    assert traces.traces
    await walk_relays(traces, autojump_clock)


@pytest.mark.parametrize(
    ("name", "says"),
    [("relay", Seen.NEW), ("relay-full", Seen.NEW), ("relay", Seen.FULL), ("relay", Seen.REPEATED)],
)
async def test_relays_with_a_wrong_memory_are_caught(
    name: str,
    says: Seen,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.testing.MockClock,
) -> None:
    monkeypatch.setattr(Window, "take", lambda *_: says)
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        await walk_relays(load_traces(name), autojump_clock)


async def test_a_relay_that_drops_headers_is_caught(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(relay, "split_tail", lambda tail: split_tail(tail)._replace(headers={}))
    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        await walk_relays(load_traces("relay"), autojump_clock)


def test_a_guard_that_forgets_a_millisecond_early_is_caught() -> None:
    class Forgetful(Node):
        def take(self, number: int, encoding: int, created: int) -> str:
            self.guard.expire(self.to_ms(self.now) + 1)
            return super().take(number, encoding, created)

    with pytest.raises(AssertionError):
        run_all(load_traces("replay"), lambda: Forgetful(capacity=1))
