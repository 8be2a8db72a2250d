"""An expression that was read, and what it says of a machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from choria.errors import FilterError
from choria.filters.subject import Subject

from .budget import Budget
from .check import check
from .evaluate import evaluate
from .parser import parse
from .plugins import plugin_calls, refuse_mistakes
from .tree import Node


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a machine is meant. ``why`` is what could not be judged, else empty."""

    holds: bool
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Compound:
    """An expression that was read. Make it with ``parse_compound``."""

    text: str
    tree: Node = dataclasses.field(compare=False, repr=False)

    @property
    def plugins(self) -> tuple[str, ...]:
        """The data plugins that it calls, each once."""
        return tuple(sorted({call.function for call in plugin_calls(self.tree)}))

    def judge(self, subject: Subject, budget: Budget | None = None) -> Judgement:
        """Whether the expression is true of a machine; never raises.

        Args:
            subject: the machine.
            budget: what may be spent, together with other expressions of the same filter.
        """
        try:
            return Judgement(evaluate(self.tree, subject, budget or Budget()))
        except FilterError as exc:
            return Judgement(holds=False, why=str(exc))


def parse_compound(text: str, functions: Collection[str] | None = None) -> Compound:
    """Read an expression.

    Args:
        text: what was typed or sent.
        functions: the data plugins that it may call; None: any that some machine may have. A
            machine without the plugin cannot judge the expression, so it is not meant.

    Raises:
        FilterError: it cannot be read; the sentence says at which character and why.
    """
    tree = parse(text, functions)
    check(tree)
    return Compound(text, tree)


def parse_typed_compound(text: str, functions: Collection[str] | None = None) -> Compound:
    """As `parse_compound`, for what a person typed: likely typing mistakes are refused too.

    Raises:
        FilterError: as `parse_compound`; or a call looks like a mistake.
    """
    compound = parse_compound(text, functions)
    refuse_mistakes(compound.tree)
    return compound
