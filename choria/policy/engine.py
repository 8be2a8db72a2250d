"""What every engine of policies answers, and with what it is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from choria.filters import Facts

from .verdicts import Authorized, Denied, Place, Problem


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What ActionPolicy does not ask about and other engines may. Times are in seconds."""

    collective: str = ""
    inputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    created_s: int = 0
    ttl_s: int = 0
    agents: tuple[str, ...] = ()


UNKNOWN: Final = Circumstances()


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    """A line that did not decide, and the field that did not fit: callers, actions, facts, classes."""

    place: Place
    stopped_by: str


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict and the lines above the one that decided."""

    verdict: Authorized | Denied
    tried: tuple[Tried, ...] = ()


class Policies(Protocol):
    """The policies of a node as one value; a reload makes a new one."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every line that cannot be used, over all files."""

    def explain(
        self,
        callerid: str,
        agent: str,
        action: str,
        facts: Facts | Mapping[str, Any],
        classes: Iterable[str],
        more: Circumstances = UNKNOWN,
    ) -> Explanation:
        """Say whether a caller may run an action of an agent on this machine, and how it came so."""

    def decide(
        self,
        callerid: str,
        agent: str,
        action: str,
        facts: Facts | Mapping[str, Any],
        classes: Iterable[str],
        more: Circumstances = UNKNOWN,
    ) -> Authorized | Denied:
        """Say whether a caller may run an action of an agent on this machine, and by which line."""
