"""A request on its way through the node, and what the node judges it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from choria.filters import DataFunction
from choria.messages import Request
from choria.policy import Authorized, Circumstances, Policies
from choria.trust import VerifiedRequest

from .facts import FactSnapshot
from .guard_log import RequestLog
from .memory import CallerRates, Refused
from .ports import Action, Agent


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as the broker delivered it: nothing of it is proved."""

    subject: str
    reply: str | None
    payload: bytes


@dataclass(slots=True)
class Case:
    """One request on its way through the steps; filled from top to bottom."""

    arrival: Arrival
    now_ms: int
    now: float  # monotonic seconds
    facts: FactSnapshot
    verified: VerifiedRequest | None = None
    request: Request | None = None
    request_id: bytes = b""
    destination: str | None = None  # where an answer may go; None: nowhere
    callerid: str = ""
    rule: str = ""  # policy line that decided, as file:line
    note: str = ""  # said to the audit log instead of what the caller is told
    authorized: Authorized | None = None
    agent: Agent | None = None
    action: Action | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    entered: bool = False  # in the replay guard: it counts as run
    duration_ms: int | None = None  # of the action, once it has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the judge needs to know and remember.

    Attributes:
        network: own network's name; ``identity`` is the own name in it.
        agents: by name; the same mapping that the host runs from.
        policies: the policies in force now.
        has_room: whether one more request of so many bytes may run in this agent.
        functions: data plugins that filters may call, as they are now.
    """

    identity: str
    network: str
    collectives: frozenset[str]
    agents: Mapping[str, Agent]
    policies: Callable[[], Policies]
    requests: RequestLog
    rates: CallerRates
    refused: Refused
    has_room: Callable[[str, int], bool]
    functions: Callable[[], Mapping[str, DataFunction]] = dict


def circumstances(bench: Bench, request: Request) -> Circumstances:
    """What an engine may ask about besides the caller and the action. Inputs are unchecked here."""
    return Circumstances(
        collective=request.collective,
        inputs=request.inputs,
        created_s=request.created_ms // 1000,
        ttl_s=request.ttl_ms // 1000,
        agents=tuple(bench.agents),
    )
