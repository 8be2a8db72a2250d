"""``ping`` and ``discover`` as programs: connect, ask, account, leave; and how ``call`` connects."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import attrs
import msgspec

from choria.client import (
    Answer,
    Caller,
    ClientConfig,
    Discovery,
    ReplyBook,
    Scope,
    discover,
    methods,
)
from choria.client.methods import Listed, Method, Wanted
from choria.filters import Filter, parse_name
from choria.messages import Grade
from choria.net import Session, SessionSettings, open_session, wall_clock_ms
from choria.trust import Foreign, Issuers, Role, Verifier
from choria.wire import parse_identity

from . import new_rng
from .connect import connector_from, foreign_issuers
from .identity import credentials_from
from .live import warn_of_end
from .trust import fetch_trust, trust_store_from

ADDS_AGENT: Final = frozenset({Method.BROADCAST, Method.INVENTORY, Method.EXTERNAL})


@attrs.frozen(kw_only=True)
class Question:
    """What the operator asks of whom, judged before anything is sent.

    Attributes:
        verify: Only signed answers say who is there.
        wanted: The discovery method; None: a broadcast.
    """

    config: ClientConfig
    network: str
    which: Filter
    timeout_s: float
    verify: bool = False
    wanted: Wanted | None = None

    @property
    def is_broadcast(self) -> bool:
        """Whether nodes say for themselves if they match."""
        return self.wanted is None or self.wanted.method is Method.BROADCAST

    def for_agent(self, agent: str) -> Question:
        """The same nodes, as far as they host ``agent``: for who names nodes otherwise than one by one.

        As Choria does, but for PuppetDB: it knows agents by the tags of Choria's own modules alone, and
        a node without the agent says so itself.
        """
        wanted = self.wanted
        if self.named or wanted is None or wanted.method not in ADDS_AGENT:
            return self
        which = msgspec.structs.replace(self.which, agents=(*self.which.agents, parse_name(agent)))
        return attrs.evolve(self, which=which, wanted=attrs.evolve(wanted, which=which))

    @property
    def named(self) -> tuple[str, ...]:
        """The nodes, when names are all that was typed: they are asked one by one.

        Raises:
            InvalidName: One of them is no name that a node can have.
        """
        names = (self.is_broadcast and self.which.plain_identities) or ()
        return tuple(dict.fromkeys(parse_identity(name) for name in names))


async def ask_ping(question: Question, on_match: Callable[[Answer], None]) -> Discovery:
    """Connect, ask who is there, leave. Cancel-safe.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
        DiscoveryError: The discovery method cannot say whom to ask.
    """
    listed = await list_if_asked(question)
    if listed is not None and not listed.names:  # no names would mean everybody
        return listed_only(listed)
    async with connected(question) as caller:
        scope = scope_of(question, caller.session)
        if listed is not None:
            scope = attrs.evolve(scope, identities=listed.names, filter={})
        found = await discover(caller, scope, timeout_s=question.timeout_s, on_match=on_match)
    if listed is not None:
        found.method, found.source = listed.method.value, listed.source
    return found


async def find_names(question: Question, on_match: Callable[[Answer], None]) -> Discovery:
    """Who is meant: by a broadcast, or from a list without asking anybody. Cancel-safe.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
        DiscoveryError: The discovery method failed.
    """
    listed = await list_if_asked(question)
    return await ask_ping(question, on_match) if listed is None else listed_only(listed)


async def list_if_asked(question: Question) -> Listed | None:
    """The names that a discovery method other than a broadcast gives; None for a broadcast."""
    if question.wanted is None or question.is_broadcast:
        return None
    return await methods.list_nodes(question.wanted)


def listed_only(listed: Listed) -> Discovery:
    """Names that nobody was asked about."""
    return Discovery(
        listed=listed.names,
        method=listed.method.value,
        source=listed.source,
        hint=listed.hint,
        elapsed_s=listed.elapsed_s,
    )


def scope_of(question: Question, session: Session) -> Scope:
    """Named nodes are asked one by one; everything else is a broadcast with a filter."""
    named = question.named
    return Scope(
        network=question.network or session.network,
        collective=question.config.collective,
        filter={} if named else question.which.to_wire(),
        identities=named,
        ttl_ms=question.config.ttl_s * 1000,
        grade=Grade.SIGNED if question.verify else Grade.LINK,
    )


@asynccontextmanager
async def connected(question: Question) -> AsyncIterator[Caller]:
    """A caller that is connected while the block runs.

    Raises:
        BrokerUnreachable: No broker welcomed us in time.
    """
    config = question.config
    credentials = credentials_from(
        config, Role.CLIENT, brokers=config.brokers, srv_domain=config.srv_domain
    )
    warn_of_end(credentials, logging.ERROR)  # commands show nothing less
    store = trust_store_from(credentials, config.trust, credentials.folder)
    connector = connector_from(credentials, config.brokers, config.srv_domain)
    settings = SessionSettings(collectives=(config.collective,))
    async with open_session(connector, settings, rng=new_rng(), now_ms=wall_clock_ms) as session:
        await session.wait_connected(config.connect_timeout_s)
        await fetch_trust(session, store, config.collective)
        yield Caller(
            session=session,
            signer=credentials.signer,
            book=ReplyBook(
                _verifier(credentials.issuers, config),
                payload_limit=lambda: session.limits.payload_bytes,
            ),
            now_ms=wall_clock_ms,
            new_id=_new_id,
        )


def _verifier(own: Issuers, config: ClientConfig) -> Verifier:
    """Replies of a foreign network must chain to that network's node issuer, nothing else."""
    foreign = [
        Foreign(Issuers(network, nodes=nodes), frozenset({Role.NODE}))
        for network, nodes in foreign_issuers(config.networks).items()
    ]
    return Verifier(own, foreign)


def _new_id() -> bytes:
    return secrets.token_bytes(16)
