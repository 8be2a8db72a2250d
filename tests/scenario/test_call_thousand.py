"""``call`` on a thousand emulated nodes: first results at once, a calm terminal, an exact end."""

from __future__ import annotations

import io
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from choria.agents import ShippedAgent, rpcutil_agent
from choria.cli._progress import Progress
from choria.cli._screen import Screen
from choria.cli._terminal import Paper
from choria.cli._views import view_for
from choria.client import Call, ClientConfig, Exit, KnownDdl, exit_of_call
from choria.emulator import Emulated, Shared, emulate
from choria.filters import Filter
from choria.node import FactSources, FactStore, make_snapshot
from choria.policy import PolicySet
from choria.programs import call as program
from choria.programs.call_plan import CallPlan
from choria.programs.fleet import Question
from choria.trust import Role
from tests.support.network import Network, a_network, now_ms, on_the_loop
from tests.support.scripted_node import Published, Said, honest, run_scripted, silent

pytestmark = pytest.mark.timeout(180)
ALL, HANGING = 1000, 10
TIMEOUT_S, SLOWEST_S = 10.0, 1.5
QUESTION = Question(config=ClientConfig(), network="", which=Filter(), timeout_s=2.0)


class Watched(io.StringIO):
    """A stream that knows when it was written to."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def write(self, text: str) -> int:
        self.times.append(trio.current_time())
        return super().write(text)


def _slow_agent(rng: random.Random) -> ShippedAgent:
    """rpcutil whose ping takes up to a second and a half."""

    async def ping(_inputs: dict[str, Any], context: Any) -> dict[str, Any]:
        await trio.sleep(rng.random() * SLOWEST_S)
        return {"pong": context.now_ms // 1000}

    return ShippedAgent(rpcutil_agent().ddl, {"ping": ping})


def _shared() -> Shared:
    facts = FactStore(FactSources(), now_ms)
    facts.current = make_snapshot({}, (), collected_ms=now_ms())
    return Shared(
        agents=(_slow_agent(random.Random(4)),),
        policies=PolicySet({"default.policy": "policy default allow\n"}),
        facts=facts,
        now_ms=now_ms,
        rng=random.Random(3),
    )


def _nodes(network: Network, count: int) -> list[Emulated]:
    made = []
    for number in range(count):
        member = network.member(Role.NODE, f"n{number:04}")
        credentials = SimpleNamespace(issuers=network.issuers, signer=member.signer)
        made.append(Emulated(credentials=credentials, connector=member.connector))
    return made


@asynccontextmanager
async def a_fleet(hanging: int = 0) -> AsyncIterator[Network]:
    """A thousand nodes; the last ``hanging`` say that they match, and nothing more."""
    async with a_network() as network, trio.open_nursery() as nursery:
        await nursery.start(emulate, _nodes(network, ALL - hanging), _shared())
        for number in range(ALL - hanging, ALL):
            member = network.member(Role.NODE, f"n{number:04}")
            await nursery.start(partial(run_scripted, network, member, _hangs))
        yield network
        nursery.cancel_scope.cancel()


def _hangs(said: Said) -> Iterable[Published]:
    return honest(said) if said.request.is_discovery else silent(said)


def a_plan() -> CallPlan:
    known = KnownDdl(ddl=rpcutil_agent().ddl, origin="here", sha256="")
    return CallPlan(
        what=Call(agent="rpcutil", action="ping"),
        known=known,
        display="all",
        chosen=False,
        timeout_s=TIMEOUT_S,
    )


def a_screen(plan: CallPlan) -> Screen:
    return Screen(
        view=view_for("", plan, Paper(width=80)),
        out=Watched(),
        err=Watched(),
        progress=Progress(trio.current_time),
        width=80,
        off_loop=on_the_loop,
    )


async def run(network: Network, monkeypatch: pytest.MonkeyPatch) -> tuple[program.Outcome, Screen]:
    plan = a_plan()
    screen = a_screen(plan)
    async with network.caller() as caller:

        @asynccontextmanager
        async def connected(_question: Question) -> AsyncIterator[object]:
            yield caller

        monkeypatch.setattr(program, "connected", connected)
        return await program.run_call(QUESTION, plan, screen), screen


async def test_a_call_shows_replies_as_they_come_and_ends_with_the_last(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_fleet() as network:
        began = trio.current_time()
        outcome, screen = await run(network, monkeypatch)
        ended = trio.current_time()
    assert (len(outcome.result.answers), exit_of_call(outcome.result)) == (ALL, Exit.OK)
    assert ended - began < SLOWEST_S + 0.5  # and not TIMEOUT_S later
    shown = screen.out
    assert isinstance(shown, Watched)
    assert shown.getvalue().count("Timestamp: ") == ALL
    assert shown.times[0] - began < 0.3
    assert _calm(shown.times)
    assert isinstance(screen.err, Watched)
    assert _calm(sorted(set(screen.err.times)))
    assert 10 <= screen.refreshes <= 10 * (ended - began) + 2
    assert "1000 / 1000" in screen.err.getvalue()


def _calm(times: list[float]) -> bool:
    """At most ten a second; the last one need not wait for its turn."""
    return all(two - one > 0.099 for one, two in pairwise(times[:-1]))


async def test_who_hangs_is_waited_for_until_the_time_out_and_named(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_fleet(HANGING) as network:
        began = trio.current_time()
        outcome, screen = await run(network, monkeypatch)
        waited = trio.current_time() - began
    names = tuple(f"n{number:04}" for number in range(ALL - HANGING, ALL))
    assert (len(outcome.result.answers), outcome.result.silent) == (ALL - HANGING, names)
    assert waited == pytest.approx(TIMEOUT_S + QUESTION.config.discovery_timeout_s, abs=0.5)
    assert exit_of_call(outcome.result) is Exit.SILENT
    assert f"Silent ({HANGING}): {', '.join(names)}" in screen.view.end(outcome)
