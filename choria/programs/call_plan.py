"""A call as it was typed, judged before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from choria.client import Answer, Call, KnownDdl, ReplyFilter
from choria.ddl import (
    ActionDDL,
    AgentDDL,
    AggregateFunction,
    Display,
    Summary,
    convert_inputs,
    summarize,
)
from choria.errors import DDLError
from choria.wire import parse_identity

DEFAULT_CALL_TIMEOUT_S = 60.0


@attrs.frozen(kw_only=True)
class CallPlan:
    """A call that was judged before anything is sent.

    Attributes:
        known: The interface and where it is from; None when the node alone is to judge.
        display: ok, failed, all or none.
        chosen: Whether the operator said what to display.
        timeout_s: For answers, after discovery.
        replies: Which replies are shown and summed up; None: all.
        targets: Nodes that were named otherwise than by a filter; None: none were.
        typed: How the command begins that was typed.
    """

    what: Call
    known: KnownDdl | None
    display: str
    chosen: bool
    timeout_s: float
    replies: ReplyFilter | None = None
    targets: tuple[str, ...] | None = None
    plugins: Mapping[str, AggregateFunction] = attrs.field(factory=dict)
    typed: str = attrs.field()

    @typed.default
    def _typed(self) -> str:
        return f"call {self.what.agent} {self.what.action}"

    @property
    def action(self) -> ActionDDL | None:
        """What the interface says about the action."""
        return None if self.known is None else self.known.ddl.actions[self.what.action]

    @property
    def labels(self) -> dict[str, str]:
        """Output names to what people call them."""
        action = self.action
        return {} if action is None else {n: item.display_as for n, item in action.outputs.items()}

    def summaries(self, answers: Iterable[Answer]) -> tuple[Summary, ...]:
        """The DDL's aggregates over what succeeded."""
        action = self.action
        if action is None:
            return ()
        return summarize(action, [each.data for each in answers if each.ok], self.plugins)

    def keeps(self, answer: Answer) -> bool:
        """Whether the operator's expression chooses the reply."""
        return self.replies is None or self.replies.keeps(answer)

    def shows(self, answer: Answer) -> bool:
        """Whether people see the reply: by default only what the DDL calls unusual."""
        return self.display in ("all", "ok" if answer.ok else "failed")


def find_action(ddl: AgentDDL, action: str, hint: str = "") -> ActionDDL:
    """The action of the agent. Raises DDLError with those that there are."""
    if action not in ddl.actions:
        has = ", ".join(sorted(ddl.actions))
        raise DDLError(f"agent {ddl.name} has no action {action!r}; it has: {has}{hint}")
    return ddl.actions[action]


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """``key=value`` each, as typed; ``key@=FILE`` is left as a key that ends in ``@``.

    Raises:
        DDLError: One is no pair, or a key is given twice.
    """
    texts: dict[str, str] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.removesuffix("@"):
            raise DDLError(f"{pair!r} is no input: write key=value, or key@=FILE")
        if key.removesuffix("@") in {given.removesuffix("@") for given in texts}:
            raise DDLError(f"input {key.removesuffix('@')} is given twice")
        texts[key] = text
    return texts


def judge_inputs(known: KnownDdl | None, what: Call, hint: str = "") -> Call:
    """``what`` with its inputs, which are texts, typed and judged.

    Without an interface the inputs are sent as the texts they are, and the node judges.

    Raises:
        DDLError: The agent has no such action, or an input is missing, unknown or refused.
    """
    if known is None:
        return what
    action = find_action(known.ddl, what.action, hint)
    return attrs.evolve(what, inputs=convert_inputs(action, what.inputs))


def default_display(known: KnownDdl | None, action: str) -> str:
    """What the DDL wants people to see."""
    if known is None:
        return "all"
    display = known.ddl.actions[action].display
    return "all" if display is Display.ALWAYS else display.value


def default_timeout_s(known: KnownDdl | None) -> float:
    """How long an action of the agent may take."""
    return DEFAULT_CALL_TIMEOUT_S if known is None else float(known.ddl.metadata.timeout)


def parse_targets(names: Iterable[str]) -> tuple[str, ...]:
    """Names of nodes, each once. Raises InvalidName for what no node can be called."""
    return tuple(dict.fromkeys(parse_identity(name) for name in names))
