"""How sessions and engines behave: sizes in bytes, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from choria.wire import Limits

_MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How a session behaves.

    Attributes:
        software: Said in HELLO, for the operator's lists.
        collectives: What the member takes part in; its replies come in these.
        max_outbound_bytes: Publishes that wait for a broker.
        max_incoming_bytes: Messages and routed messages that wait for us; then reading stops.
        connect_within_s: For TCP, TLS and WELCOME together, at each broker.
        leave_within_s: For what waits and GOODBYE, when the session is left.
    """

    software: str = "choria-trio"
    collectives: tuple[str, ...] = ("choria",)
    max_outbound_bytes: int = 8 * _MEBIBYTE
    max_incoming_bytes: int = 8 * _MEBIBYTE
    connect_within_s: float = 10.0
    leave_within_s: float = 1.0
    backoff_cap_s: float = 20.0
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Budgets and deadlines of a broker's links.

    Attributes:
        stalled_after_s: No byte of what waits was taken for so long: SLOW_CONSUMER.
        close_within_s: For what was written before a GOODBYE, and the GOODBYE.
        max_inbound_bytes: Partial frames of all links together (D8).
        max_outbound_bytes: What waits for all links together (D8).
    """

    stalled_after_s: float = 10.0
    close_within_s: float = 2.0
    max_inbound_bytes: int = 256 << 20
    max_outbound_bytes: int = 512 << 20
