"""``tool status`` as a program: connect, and say who we are to whom."""

from __future__ import annotations

import attrs
import trio

from choria.client import ask_presence
from choria.messages import PresenceKind
from choria.net import life_of
from choria.trust import Role

from .fleet import Question, connected
from .identity import credentials_from


@attrs.frozen(kw_only=True)
class ClientStatus:
    """How a client stands. Times: milliseconds.

    Attributes:
        callerid: What policies call us.
        certificate_ends_ms: wall clock.
        connect_ms: until a broker had welcomed us and told what is trusted.
        round_trip_ms: of one question to the broker.
        clock_offset_ms: the broker's clock minus ours.
        nodes: How many are connected, as the broker says; None: it did not say.
    """

    role: str
    name: str
    callerid: str
    network: str
    grants: tuple[str, ...]
    collective: str
    credentials: str
    certificate_ends_ms: int
    broker: str
    connect_ms: float
    round_trip_ms: float
    clock_offset_ms: int
    payload_limit: int
    nodes: int | None


async def look_at_ourselves(question: Question) -> ClientStatus:
    """Connect and look. Cancel-safe.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
        ConfigError: There are no credentials that can be used.
    """
    config = question.config
    credentials = await trio.to_thread.run_sync(
        lambda: credentials_from(
            config, Role.CLIENT, brokers=config.brokers, srv_domain=config.srv_domain
        )
    )
    began = trio.current_time()
    async with connected(question) as caller:
        connect_s = trio.current_time() - began
        session = caller.session
        asked = trio.current_time()
        present = await ask_presence(
            caller,
            PresenceKind.PRESENT,
            network=session.network,
            collective=config.collective,
        )
        round_trip_s = trio.current_time() - asked
        principal = session.principal
        return ClientStatus(
            role=principal.role.value,
            name=principal.name,
            callerid=principal.callerid,
            network=session.network,
            grants=tuple(sorted(principal.grants)),
            collective=config.collective,
            credentials=str(credentials.folder),
            certificate_ends_ms=life_of(credentials.certificate_der).ends_ms,
            broker=session.broker or "",
            connect_ms=connect_s * 1000,
            round_trip_ms=round_trip_s * 1000,
            clock_offset_ms=session.time_offset_ms,
            payload_limit=session.limits.payload_bytes,
            nodes=None if present is None else len(present),
        )
