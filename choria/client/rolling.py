"""A rollout under way: one step after the other, and at any moment an account of who was asked.

What is decided between two steps is decided on everything that is known: the threshold, the canary's
condition or the operator's answer. Being told to stop ends the waiting and the rollout, not the nodes
that have the request: they are named as not waited for.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs
import trio

from .answers import Answer
from .caller import Ask
from .calls import Call, CallResult, account
from .discovery import Discovery, Scope
from .gathered import Gathered
from .rollout import Prepared, Stage, Step


class Why(enum.StrEnum):
    """Why a rollout ended before everybody was asked."""

    FAILURES = "failures"
    DRY_RUN = "dry-run"
    CANARY = "canary"
    INTERRUPTED = "interrupted"


@attrs.frozen
class Stopped:
    """What ended a rollout early, as a word for programs and a sentence for people."""

    why: Why
    text: str


@attrs.frozen(kw_only=True)
class StepDone:
    """What came of one step."""

    step: Step
    answers: tuple[Answer, ...]
    missing: tuple[str, ...]

    @property
    def failures(self) -> int:
        """Nodes of the step that did not succeed."""
        return len(self.missing) + sum(not answer.ok for answer in self.answers)


@attrs.frozen(kw_only=True)
class Rolled:
    """What happened, and what did not.

    Attributes:
        result: All steps together, as if they had been one call.
        not_asked: Chosen, and never asked.
        unheard: Asked, and not waited for, since we were told to stop.
        stopped: Why it ended early; None when everybody was asked and waited for.
        state: The file to go on with, when one was kept.
    """

    prepared: Prepared
    result: CallResult
    done: tuple[StepDone, ...]
    not_asked: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()
    stopped: Stopped | None = None
    state: str = ""


async def _agree(done: StepDone) -> str:
    """For rollouts without a canary: there is nothing to ask."""
    del done
    return ""


def _ignore(rolled: Rolled) -> None:
    """For who keeps no state."""


def _unseen(step: Step) -> None:
    """For who does not show steps."""


@attrs.frozen(kw_only=True)
class Hooks:
    """What a program does meanwhile.

    Attributes:
        on_answer: Sees each answer as it comes.
        on_step: Sees each step before it is asked.
        keep: Sees the state before each step, when its nodes count as asked and not heard, and after
            it; must be quick. What it raises ends the rollout.
        judge_canary: Says why the canary ends it, or nothing; may ask somebody.
        stop: Once set, nobody else is asked and nobody waited for.
    """

    on_answer: Callable[[Answer], None]
    on_step: Callable[[Step], None] = _unseen
    keep: Callable[[Rolled], None] = _ignore
    judge_canary: Callable[[StepDone], Awaitable[str]] = _agree
    stop: trio.Event = attrs.field(factory=trio.Event)


class Gatherer(Protocol):
    """Asks nodes and collects what they answer, as `Caller` does."""

    def now_ms(self) -> int:
        """The wall clock."""

    async def gather(
        self,
        ask: Ask,
        *,
        timeout_s: float,
        on_answer: Callable[[Answer], None],
        into: Gathered | None = None,
    ) -> Gathered:
        """As `Caller.gather`."""


@attrs.define(kw_only=True, eq=False)
class Rollout:
    """One rollout; made for one ``run``. ``timeout_s`` is what each step is waited for."""

    caller: Gatherer
    what: Call
    scope: Scope
    found: Discovery
    prepared: Prepared
    timeout_s: float
    hooks: Hooks
    _gathered: Gathered = attrs.field(factory=Gathered)
    _done: list[StepDone] = attrs.field(factory=list)
    _asked: list[str] = attrs.field(factory=list)
    _unheard: tuple[str, ...] = ()
    _started_ms: int = 0
    _started_s: float = 0.0

    async def run(self) -> Rolled:
        """Ask step by step until all are asked or something stops it.

        Cancelling abandons the account; set ``hooks.stop`` to have it.
        """
        self._started_ms, self._started_s = self.caller.now_ms(), trio.current_time()
        for step in self.prepared.steps:
            if stopped := await self._before(step) or await self._take(step):
                return self._account(stopped)
            self.hooks.keep(self._account(None))
        return self._account(None)

    def nothing_done(self) -> Rolled:
        """The account before anything was sent."""
        return self._account(Stopped(Why.DRY_RUN, "nothing was sent"))

    async def _before(self, step: Step) -> Stopped | None:
        if step.number > 1:
            await self._unless_stopped(self._pause)
        if self.hooks.stop.is_set():
            return self._interrupted()
        return None

    async def _pause(self) -> None:
        await trio.sleep(self.prepared.plan.sleep_s)

    async def _take(self, step: Step) -> Stopped | None:
        """Ask one step; say what it means for the rest."""
        self.hooks.on_step(step)
        self._asked += step.names
        self._unheard = step.names
        self.hooks.keep(self._account(None))
        finished = await self._unless_stopped(lambda: self._ask(step))
        done = self._note(step)
        self._unheard = ()
        if not finished:
            without = self._gathered.without
            self._unheard = tuple(name for name in done.missing if name not in without)
            return self._interrupted()
        return None if step.number == step.of else await self._judge(done)

    async def _ask(self, step: Step) -> None:
        await self.caller.gather(
            self._question(step.names),
            timeout_s=self.timeout_s,
            on_answer=self.hooks.on_answer,
            into=self._gathered,
        )

    def _question(self, names: tuple[str, ...]) -> Ask:
        return Ask(
            agent=self.what.agent,
            action=self.what.action,
            inputs=self.what.inputs,
            network=self.scope.network,
            collective=self.scope.collective,
            ttl_ms=self.scope.ttl_ms,
            targets=names,
        )

    def _note(self, step: Step) -> StepDone:
        answers = self._gathered.answers
        done = StepDone(
            step=step,
            answers=tuple(answers[name] for name in step.names if name in answers),
            missing=tuple(name for name in step.names if name not in answers),
        )
        self._done.append(done)
        return done

    async def _judge(self, done: StepDone) -> Stopped | None:
        failures = sum(each.failures for each in self._done)
        if self.prepared.must_stop(failures):
            allowed = self.prepared.failures_allowed
            return Stopped(
                Why.FAILURES,
                f"{failures} of {len(self._asked)} nodes failed; it stops at {allowed}",
            )
        if done.step.stage is Stage.CANARY:
            return await self._judge_canary(done)
        return None

    async def _judge_canary(self, done: StepDone) -> Stopped | None:
        verdict: list[str] = []

        async def ask() -> None:
            verdict.append(await self.hooks.judge_canary(done))

        if not await self._unless_stopped(ask):
            return self._interrupted()
        return Stopped(Why.CANARY, verdict[0]) if verdict[0] else None

    def _interrupted(self) -> Stopped:
        return Stopped(Why.INTERRUPTED, "told to stop")

    async def _unless_stopped(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Run ``work``; False when we were told to stop before it was finished."""
        finished = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_on_stop, nursery.cancel_scope)
            await work()
            finished = True
            nursery.cancel_scope.cancel()
        return finished

    async def _cancel_on_stop(self, scope: trio.CancelScope) -> None:
        await self.hooks.stop.wait()
        scope.cancel()

    def _account(self, stopped: Stopped | None) -> Rolled:
        asked = tuple(self._asked)
        elapsed_s = trio.current_time() - self._started_s
        ask = self._question(asked)
        result = account(ask, self.found, self._gathered, self._started_ms, elapsed_s)
        unheard = set(self._unheard)
        return Rolled(
            prepared=self.prepared,
            result=attrs.evolve(
                result, silent=tuple(name for name in result.silent if name not in unheard)
            ),
            done=tuple(self._done),
            not_asked=self.prepared.names[len(asked) :],
            unheard=self._unheard,
            stopped=stopped,
        )
