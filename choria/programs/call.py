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
    Scope,
    call,
    discover,
    make_ask,
)
from choria.ddl import Summary

from .call_plan import CallPlan
from .fleet import Question, connected, scope_of

REFRESH_S = 0.1
"""Answers are shown at most ten times a second, however fast they come."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of a call.

    Attributes:
        refused: Who would not even say whether the filter matches.
        kept: The replies that the operator's expression chose, by name.
    """

    plan: CallPlan
    result: CallResult
    refused: tuple[Answer, ...]
    kept: tuple[Answer, ...]
    summaries: tuple[Summary, ...]


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

    def answer(self, answer: Answer) -> None:
        """One of them has answered."""
        self._answered += 1
        self.watcher.progress_is(self._answered, self._expected)
        if self.plan.keeps(answer):
            self._kept.append(answer)
            self.watcher.answer(answer)

    def outcome(self, result: CallResult, found: Discovery) -> Outcome:
        """What came of it."""
        kept = tuple(sorted(self._kept, key=lambda answer: answer.sender))
        return Outcome(
            plan=self.plan,
            result=result,
            refused=tuple(found.refused),
            kept=kept,
            summaries=self.plan.summaries(kept),
        )


async def run_call(question: Question, plan: CallPlan, watcher: Watcher) -> Outcome:
    """Connect, find the nodes, ask them. Cancel-safe: nodes that have the request carry it out.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
    """
    done, taken = trio.Event(), Taken(plan, watcher)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_painting, watcher, done)
        async with connected(question) as caller:
            scope, found = await find_targets(caller, question, plan)
            taken.start(found)
            result = await drive(caller, question, scope, found, taken)
        done.set()
    return taken.outcome(result, found)


async def send_call(
    question: Question, plan: CallPlan, on_sent: Callable[[str], None]
) -> tuple[Discovery, Gathered]:
    """Connect, find the nodes, send, and leave as soon as the broker has said who got it. Cancel-safe.

    Nodes run the action and audit it; their replies go to this process's inbox, and it is gone.
    ``on_sent`` gets the id of each signed request as it leaves, in hexadecimal.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
    """
    async with connected(question) as caller:
        scope, found = await find_targets(caller, question, plan)
        ask = make_ask(plan.what, scope, found)
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


async def drive(
    caller: Caller, question: Question, scope: Scope, found: Discovery, taken: Taken
) -> CallResult:
    """Ask everybody who was found. The one place where requests are sent."""
    plan = taken.plan
    timeout_s = plan.timeout_s + question.config.discovery_timeout_s
    return await call(caller, plan.what, scope, found, timeout_s=timeout_s, on_answer=taken.answer)


async def _keep_painting(watcher: Watcher, done: trio.Event) -> None:
    while not done.is_set():
        await watcher.paint()
        with trio.move_on_after(REFRESH_S):
            await done.wait()
    await watcher.paint()
