"""``call`` as a program: judge what was typed, connect, find the nodes, ask them, account for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs
import trio

from choria.client import (
    Answer,
    Caller,
    CallResult,
    Discovery,
    Gathered,
    Gatherer,
    Rolled,
    Scope,
    discover,
    make_ask,
)
from choria.ddl import Summary
from choria.errors import Interrupted

from .call_plan import CallPlan
from .fleet import Question, connected, list_if_asked, listed_only, scope_of
from .orders import Nobody, Operator, Orders
from .rollout import Rolling, roll_out, settle

REFRESH_S = 0.1
"""Answers are shown at most ten times a second, however fast they come."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of a call.

    Attributes:
        result: All steps together.
        refused: Who would not even say whether the filter matches.
        kept: The replies that the operator's expression chose, by name.
        rolled: In which steps it was done, and why it stopped if it did.
        found: Where the nodes were known from.
    """

    plan: CallPlan
    result: CallResult
    refused: tuple[Answer, ...]
    kept: tuple[Answer, ...]
    summaries: tuple[Summary, ...]
    rolled: Rolled | None = None
    found: Discovery = attrs.field(factory=Discovery)


class Watcher(Protocol):
    """Who shows a call while it runs. ``paint`` may wait; the others may not."""

    def found(self, found: Discovery) -> None:
        """The nodes are known and are now asked."""

    def answer(self, answer: Answer) -> None:
        """A reply came that the operator wants to see or have."""

    def progress_is(self, answered: int, expected: int) -> None:
        """So many of so many have answered."""

    async def paint(self) -> None:
        """Show what has changed. Called every ``REFRESH_S`` seconds, and at the end."""


@attrs.define(eq=False)
class Taken:
    """The replies of one call as they come: counted, chosen, shown."""

    plan: CallPlan
    watcher: Watcher
    _expected: int = 0
    _answered: int = 0
    _kept: list[Answer] = attrs.field(factory=list)

    def start(self, found: Discovery) -> None:
        """The nodes are known."""
        self._expected = len(found.names)
        self.watcher.found(found)

    def expect(self, count: int) -> None:
        """So many of them are asked."""
        self._expected = count
        self.watcher.progress_is(self._answered, count)

    def answer(self, answer: Answer) -> None:
        """One of them has answered."""
        self._answered += 1
        self.watcher.progress_is(self._answered, self._expected)
        if self.plan.keeps(answer):
            self._kept.append(answer)
            self.watcher.answer(answer)

    def outcome(self, rolled: Rolled, found: Discovery) -> Outcome:
        """What came of it."""
        kept = tuple(sorted(self._kept, key=lambda answer: answer.sender))
        return Outcome(
            plan=self.plan,
            result=rolled.result,
            rolled=rolled,
            found=found,
            refused=tuple(found.refused),
            kept=kept,
            summaries=self.plan.summaries(kept),
        )


def _plainly(caller: Caller, count: int) -> Gatherer:
    """The replies are what the nodes answer."""
    del count
    return caller


@attrs.frozen(kw_only=True)
class Conduct:
    """How a call is conducted.

    Attributes:
        orders: Steps, thresholds, confirmation.
        operator: Who is asked.
        stop: Set to end it with an account of what happened so far.
        through: Who asks, given the caller and how many nodes there are: what ``run`` does is more
            than one request.
    """

    orders: Orders = attrs.field(factory=Orders)
    operator: Operator = attrs.field(factory=Nobody)
    stop: trio.Event = attrs.field(factory=trio.Event)
    through: Callable[[Caller, int], Gatherer] = _plainly


async def run_call(
    question: Question, plan: CallPlan, watcher: Watcher, conduct: Conduct | None = None
) -> Outcome:
    """Connect, find the nodes, ask them. Cancel-safe: nodes that have the request carry it out.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
        Interrupted: Told to stop before anybody was asked.
        UsageError: The rollout cannot be made with the nodes that there are.
    """
    done, taken = trio.Event(), Taken(plan, watcher)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_painting, watcher, done)
        rolled, found = await _conducted(question, taken, conduct or Conduct())
        done.set()
    return taken.outcome(rolled, found)


async def _conducted(
    question: Question, taken: Taken, conduct: Conduct
) -> tuple[Rolled, Discovery]:
    begun = trio.Event()
    ended: tuple[Rolled, Discovery] | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_give_up, conduct.stop, begun, nursery.cancel_scope)
        async with connected(question) as caller:
            scope, found = await find_targets(caller, question, taken.plan)
            begun.set()
            taken.start(found)
            rolling = _rolling(question, scope, found, taken, conduct)
            ended = await drive(caller, rolling, conduct), found
        nursery.cancel_scope.cancel()
    if ended is None:
        raise Interrupted("told to stop: nobody was asked")
    return ended


async def _give_up(stop: trio.Event, begun: trio.Event, looking: trio.CancelScope) -> None:
    """Before the first request there is nothing to account for: leave. Later the rollout does."""
    await stop.wait()
    if not begun.is_set():
        looking.cancel()


async def send_call(
    question: Question,
    plan: CallPlan,
    on_sent: Callable[[str], None],
    conduct: Conduct | None = None,
) -> tuple[Discovery, Gathered]:
    """Connect, find the nodes, send, and leave as soon as the broker has said who got it. Cancel-safe.

    Nodes run the action and audit it; their replies go to this process's inbox, and it is gone.
    ``on_sent`` gets the id of each signed request as it leaves, in hexadecimal.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
        UsageError: The limit leaves nobody, or a yes is needed and nobody can be asked.
    """
    conduct = conduct or Conduct()
    async with connected(question) as caller:
        scope, found = await find_targets(caller, question, plan)
        names = await settle(plan.what, found.names, conduct.orders, conduct.operator)
        ask = attrs.evolve(make_ask(plan.what, scope, found), targets=names)
        if not ask.targets:
            return found, Gathered()
        return found, await caller.send(ask, lambda request: on_sent(request.id.hex()))


async def find_targets(
    caller: Caller, question: Question, plan: CallPlan
) -> tuple[Scope, Discovery]:
    """Who is asked. The one place where the targets of a call come from."""
    scope = scope_of(question, caller.session)
    if plan.targets is not None:
        if not plan.targets:  # an empty list of identities would mean everybody
            return scope, Discovery()
        scope = attrs.evolve(scope, identities=plan.targets, filter=question.which.to_wire())
        return scope, await discover(caller, scope, timeout_s=question.timeout_s)
    agent = plan.what.agent
    question = question.for_agent(agent)
    if (listed := await list_if_asked(question)) is not None:
        return scope, listed_only(listed)
    scope = scope_of(question, caller.session)
    found = await discover(caller, scope, timeout_s=question.timeout_s)
    if found.unmatched and not found.names:
        found.hint = (
            f"none of {len(found.unmatched)} nodes that answered matches and hosts agent {agent}"
        )
    return scope, found


def _rolling(
    question: Question, scope: Scope, found: Discovery, taken: Taken, conduct: Conduct
) -> Rolling:
    return Rolling(
        what=taken.plan.what,
        scope=scope,
        found=found,
        orders=conduct.orders,
        timeout_s=taken.plan.timeout_s + question.config.discovery_timeout_s,
        on_answer=taken.answer,
        operator=conduct.operator,
        on_chosen=taken.expect,
    )


async def drive(caller: Caller, rolling: Rolling, conduct: Conduct) -> Rolled:
    """Ask everybody who was found, as ordered. The one place where requests are sent."""
    asks = conduct.through(caller, len(rolling.found.names))
    return await roll_out(asks, rolling, conduct.stop)


async def _keep_painting(watcher: Watcher, done: trio.Event) -> None:
    while not done.is_set():
        await watcher.paint()
        with trio.move_on_after(REFRESH_S):
            await done.wait()
    await watcher.paint()
