"""What agents see of the node that hosts them, and what the node asks of an agent.

Agents import these protocols and values and nothing else of the node, so an agent can be tested with
a dictionary of facts and no network, and cannot reach keys, policies or the session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

from choria.ddl import AgentDDL
from choria.trust import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlugin:
    """Something that the node knows under a name, for filters and rpcutil.

    Attributes:
        query: what its one argument means; empty: it takes none.
        outputs: what it gives, and what that means.
        read: quick and without IO; raises FilterError when there is nothing to be had.
    """

    name: str
    description: str
    read: Callable[..., dict[str, Any]]
    query: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSource:
    """What an agent tells of the machine as a data plugin; collected ahead, for every query.

    Attributes:
        agent: whose it is.
        queries: every argument that it may be asked with; none: it takes no argument.
        collect: takes a query, or an empty text; may take a while and raise anything.
    """

    agent: str
    name: str
    description: str
    collect: Callable[[str], Awaitable[Mapping[str, Any]]]
    queries: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class CollectsData(Protocol):
    """An agent that brings data plugins."""

    @property
    def data(self) -> Sequence[DataSource]:
        """Its plugins."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """The node as its agents may describe it to a caller.

    What changes while the node runs is a function, so that no agent holds a stale copy.

    Attributes:
        started_ms: wall clock at the start, milliseconds since the epoch.
        agents: DDLs of the agents hosted now, in the order of their names.
        classes: configuration management classes, as the classes file names them.
        counters: what the node counted since its start, by name.
        data: data plugins by name.
        broker: the broker that the node is connected to; empty when there is none.
        brokers: those that the configuration names.
        srv_domain: the domain that brokers are looked up in, when it names none.
        status: everything that the status file says.
    """

    identity: str
    version: str
    started_ms: int
    collectives: tuple[str, ...]
    main_collective: str
    config_file: str
    agents: Callable[[], Sequence[AgentDDL]]
    classes: Callable[[], tuple[str, ...]]
    counters: Callable[[], Mapping[str, int]]
    data: Callable[[], Mapping[str, DataPlugin]] = dict
    broker: Callable[[], str] = str
    brokers: tuple[str, ...] = ()
    srv_domain: str = ""
    status: Callable[[], Mapping[str, Any]] = dict


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionContext:
    """One authorized request as its action sees it.

    Attributes:
        request_id: 16 bytes, as the caller chose them.
        callerid: what policies and audit call the caller: ``choria=rip``, ``london:choria=rip``.
        facts: the node's facts when the request was judged; read-only.
        now_ms: the node's wall clock when the action started.
        created_ms: when the caller made the request, by the caller's clock.
        ttl_ms: how long the request is valid.
    """

    request_id: bytes
    callerid: str
    principal: Principal
    collective: str
    facts: Mapping[str, Any]
    node: NodeInfo
    now_ms: int
    created_ms: int = 0
    ttl_ms: int = 0


Action: TypeAlias = Callable[[dict[str, Any], ActionContext], Awaitable[dict[str, Any]]]
"""Takes inputs that its DDL accepted, gives the reply's data. Raises AgentError to fail with a code."""


class Agent(Protocol):
    """A named set of actions. ``ddl`` says what they are called and take; ``actions`` runs them.

    An action outside ``ddl`` is never run, and one of ``ddl`` without an entry in ``actions`` is
    answered with "unknown action": the table is the only way from a name on the wire to code.
    """

    @property
    def ddl(self) -> AgentDDL:
        """The interface that client and node judge inputs by."""
        ...

    @property
    def actions(self) -> Mapping[str, Action]:
        """Action name to coroutine function."""
        ...
