"""An agent that lies on the disk, before and after it is loaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import attrs

from choria.errors import AgentError
from choria.node import Agent

Facts: TypeAlias = Mapping[str, Any]


class ActivationLateError(AgentError):
    """The agent did not say in time whether it wants to run here: it is asked again."""


@attrs.frozen(kw_only=True)
class Found:
    """One agent as a scan saw it.

    Attributes:
        name: what callers would call it.
        path: what a person looks at when it does not load.
        version: changes with any of its files; equal versions are never loaded again.
        load: gives the agent ready to be hosted, or None when it does not want to run here. May
            raise anything; called at most once a version.
    """

    name: str
    path: Path
    version: str
    load: Callable[[Facts], Awaitable[Agent | None]]


class Scan(NamedTuple):
    """What one look at a source gave.

    Attributes:
        found: agents that can be loaded.
        present: names of all agents there, those included that cannot be loaded yet.
        wrong: what is wrong, by path.
    """

    found: tuple[Found, ...] = ()
    present: frozenset[str] = frozenset()
    wrong: Mapping[str, str] = {}


class Source(Protocol):
    """A place where agents are. ``scan`` blocks, and is called in a thread."""

    def scan(self) -> Scan:
        """Everything that is there now."""
        ...
