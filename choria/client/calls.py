"""Call an action on the nodes that were discovered, and account for each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio

from choria.errors import Refusal

from .answers import Answer
from .caller import Ask, Caller
from .discovery import Discovery, Gone, Scope
from .gathered import Gathered


@attrs.frozen(kw_only=True)
class CallResult:
    """What happened on every node that was asked. Times: seconds, and wall clock in ms.

    Attributes:
        expected: Identities that the call was sent to.
        silent: Sent to, connected, and without an answer in time.
        gone: Sent to, but not connected; or known to have left before.
        method: The discovery method that named them.
    """

    agent: str
    action: str
    network: str
    expected: tuple[str, ...]
    gathered: Gathered
    silent: tuple[str, ...]
    gone: tuple[Gone, ...]
    started_ms: int
    discovery_s: float
    request_s: float
    method: str = "broadcast"

    @property
    def answers(self) -> list[Answer]:
        """Every answer, by name."""
        return [self.gathered.answers[name] for name in sorted(self.gathered.answers)]

    @property
    def failed(self) -> list[Answer]:
        """Answers of nodes that did not do what was asked."""
        return [answer for answer in self.answers if not answer.ok]


@attrs.frozen(kw_only=True)
class Call:
    """An action with its inputs, already judged by the agent's DDL when there is one."""

    agent: str
    action: str
    inputs: dict[str, Any] = attrs.field(factory=dict)


async def call(
    caller: Caller,
    what: Call,
    scope: Scope,
    found: Discovery,
    *,
    timeout_s: float,
    on_answer: Callable[[Answer], None],
) -> CallResult:
    """Send ``what`` to every node that ``found`` names; return when all have answered or after ``timeout_s``.

    Cancelling stops waiting: nodes that have the request carry it out.
    """
    started_ms, started = caller.now_ms(), trio.current_time()
    ask = make_ask(what, scope, found)
    gathered = await caller.gather(ask, timeout_s=timeout_s, on_answer=on_answer)
    return account(ask, found, gathered, started_ms, trio.current_time() - started)


def make_ask(what: Call, scope: Scope, found: Discovery) -> Ask:
    """``what``, asked of every node that ``found`` names, and of nobody when it names none."""
    return Ask(
        agent=what.agent,
        action=what.action,
        inputs=what.inputs,
        network=scope.network,
        collective=scope.collective,
        ttl_ms=scope.ttl_ms,
        targets=tuple(found.names),
    )


def account(
    ask: Ask, found: Discovery, gathered: Gathered, started_ms: int, request_s: float
) -> CallResult:
    """What became of the targets of ``ask``, and of whom discovery missed."""
    expected = ask.targets or ()
    missing = [name for name in expected if name not in gathered.answers]
    why = "not connected" if found.listed else "left during the call"
    without = set(gathered.without)
    lost = [Gone(identity=name, left_at_ms=None, why=why) for name in missing if name in without]
    return CallResult(
        agent=ask.agent,
        action=ask.action,
        network=ask.network,
        method=found.method,
        expected=expected,
        gathered=gathered,
        silent=tuple(sorted(set(missing) - without) + found.silent),
        gone=tuple(lost + found.gone),
        started_ms=started_ms,
        discovery_s=found.elapsed_s,
        request_s=request_s,
    )


def all_denied(answers: Sequence[Answer]) -> bool:
    """True when there are answers and each is a denial."""
    return bool(answers) and all(answer.refusal is Refusal.DENIED for answer in answers)
