"""What a node is made of, and how it is told to behave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import choria
from choria.policy import Policies
from choria.trust import Signer, VerifiedRequest

from .audit_log import AuditSink
from .counters import Counters
from .facts import FactStore
from .guard_log import RequestLog
from .ports import Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How a node behaves. Sizes in bytes, times in seconds.

    Attributes:
        collectives: what the node is in; the first is its main one.
        config_file: told by rpcutil; empty when there is none.
        grace_s: for running actions when the node stops.
        judging: requests verified and judged at the same time.
        max_running: actions that run at the same time; beyond it callers are told "busy".
        max_running_agent: of these, how many of one agent.
        caller_rate: requests a second of one caller, after a burst of ``caller_burst``.
        data_max_age_s: what data plugins of agents gave counts for so long.
        config_items: what the data plugin ``config_item`` gives, by dotted key.
        brokers: that the configuration names, for choria_util.
        srv_domain: where brokers are looked up without them.
        remember_refused: refusals remembered so that none is said twice.
        runs_unaudited: requests run though the audit log cannot be written; else they are refused.
    """

    collectives: Sequence[str] = ("choria",)
    config_file: str = ""
    version: str = choria.__version__
    grace_s: float = 5.0
    judging: int = 32
    max_running: int = 128
    max_running_agent: int = 64
    max_running_bytes: int = 16 << 20
    max_request_bytes: int = 1 << 18
    caller_rate: float = 50.0
    caller_burst: int = 200
    remember_refused: int = 1024
    runs_unaudited: bool = False
    data_max_age_s: float = 900.0
    config_items: Mapping[str, Any] = field(default_factory=dict)
    brokers: Sequence[str] = ()
    srv_domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParts:
    """What a node is made of. The caller opens, runs and closes these; see `run_node`.

    Attributes:
        agents: hosted beside the built-in ``discovery``, ``certificate`` and ``choria_registry``.
        verify: proves who signed a request: `verify_in_thread` or `verify_inline`.
        policies: the policies in force now.
        requests: the replay guard and its log.
        now_ms: wall clock, milliseconds.
        more_status: what the program adds to the status document.
    """

    signer: Signer
    verify: Callable[[bytes], Awaitable[VerifiedRequest]]
    agents: Iterable[Agent]
    policies: Callable[[], Policies]
    facts: FactStore
    requests: RequestLog
    audit: AuditSink
    now_ms: Callable[[], int]
    counters: Counters = field(default_factory=Counters)
    more_status: Callable[[], Mapping[str, Any]] = dict
