"""What a case is, and how sections of cases are written.

A case is a coroutine function over a lab, or a row: bytes and what must come back. Names are
``profile/section/what``; they are stable, so that a run can be compared with another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Run = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """One thing that an implementation must do, or must not.

    Attributes:
        name: ``profile/section/what``.
        requirements: Numbers; the first is the one that the case is about.
        should: A failure is non-strict: the requirement recommends.
        alone: It may not run beside others: it needs the machine's time to itself.
    """

    name: str
    requirements: tuple[str, ...]
    run: Run
    should: bool = False
    alone: bool = False

    @property
    def profile(self) -> str:
        """Which kind of program is judged."""
        return self.name.partition("/")[0]


@dataclass
class Section:
    """Cases about one subject; filled while its module is imported, read-only afterwards."""

    name: str
    cases: list[Case] = field(default_factory=list)

    def case(
        self, what: str, *requirements: str, should: bool = False, alone: bool = False
    ) -> Callable[[Run], Run]:
        """Decorate a coroutine function over a lab."""

        def keep(run: Run) -> Run:
            self.add(what, requirements, run, should=should, alone=alone)
            return run

        return keep

    def add(
        self, what: str, requirements: Iterable[str], run: Run, *, should: bool = False,
        alone: bool = False,
    ) -> None:  # fmt: skip
        """Add one case; rows of tables come this way."""
        name = f"{self.name}/{what}"
        numbers = tuple(f"CWP-{number}" for number in requirements)
        self.cases.append(Case(name, numbers, run, should, alone))
