"""DDLs that ship with the package, and the shape that shipped agents share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from choria.ddl import AgentDDL, parse_ddl
from choria.node import Action, DataSource

SHIPPED: Final = frozenset(
    {
        "choria_util",
        "executor",
        "file",
        "package",
        "process",
        "puppet",
        "rpcutil",
        "service",
        "shell",
    }
)


async def _nothing() -> None:
    """Most agents hold nothing open."""


@dataclass(frozen=True, slots=True)
class ShippedAgent:
    """An agent as its DDL and a table of coroutine functions; satisfies ``choria.node.Agent``.

    Attributes:
        close: called when the agent is no longer hosted.
        data: data plugins that it brings.
        origin: the distribution or file that it comes from.
        trouble: why it refuses calls now; empty when it does not.
    """

    ddl: AgentDDL
    actions: Mapping[str, Action]
    close: Callable[[], Awaitable[None]] = _nothing
    data: Sequence[DataSource] = ()
    origin: str = "choria-trio"
    trouble: Callable[[], str] = str


def shipped_ddl(name: str) -> AgentDDL | None:
    """The DDL of the shipped agent ``name``; None for any other name, however it is spelled."""
    return parse_ddl(_folder().joinpath(f"{name}.json").read_bytes()) if name in SHIPPED else None


def own_ddl(name: str) -> AgentDDL:
    """The DDL that the agent ``name`` of this package is built on."""
    return parse_ddl(_folder().joinpath(f"{name}.json").read_bytes())


def _folder() -> Traversable:
    return resources.files(__package__).joinpath("ddl")
