"""The node as a program: one session, the shipped agents, and everything a request is judged by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

import trio

from choria.agents import shipped_agents
from choria.errors import ConfigError
from choria.net import (
    Credentials,
    LiveCredentials,
    Session,
    SessionSettings,
    open_session,
    wall_clock_ms,
)
from choria.node import (
    AuditLog,
    FactSources,
    FactStore,
    NodeConfig,
    NodeParts,
    NodeSettings,
    PolicyFolder,
    collect_machine_facts,
    open_guard_log,
    read_boot,
    run_node,
    verify_in_thread,
)
from choria.trust import Foreign, GuardLimits, Issuers, Role, Verifier

from . import new_rng
from .connect import connector_from, foreign_issuers
from .identity import credentials_from, watch_revocations
from .live import OwnLink, keep_up, live_credentials
from .renewal import Renewals
from .trust import follow_brokers, trust_store_from


async def run_node_program(config: NodeConfig, shutdown: trio.Event, *, config_file: str) -> None:
    """Serve requests until ``shutdown`` is set; running actions then get ``grace_s`` seconds.

    Raises:
        ConfigError: Credentials, state folder or audit log cannot be used.
    """
    live = live_credentials(
        partial(
            credentials_from,
            config,
            Role.NODE,
            brokers=config.brokers,
            srv_domain=config.srv_domain,
        )
    )
    credentials = live.current
    if credentials.principal.role is not Role.NODE:
        raise ConfigError(
            f"{credentials.folder} belongs to {credentials.principal.label}: a node needs a node's credentials"
        )
    connector = connector_from(lambda: live.current, config.brokers, config.srv_domain)
    settings = NodeSettings(
        collectives=tuple(config.collectives),
        config_file=config_file,
        grace_s=config.grace_s,
        runs_unaudited=config.audit.when_unwritable == "run",
    )
    session_settings = SessionSettings(collectives=tuple(config.collectives))
    store = trust_store_from(live, config.trust, config.state)
    with _parts(config, credentials) as (parts, policies):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_revocations, credentials)
            nursery.start_soon(partial(keep_up, live, warns=not config.doors))
            async with open_session(
                connector, session_settings, rng=new_rng(), now_ms=wall_clock_ms
            ) as session:
                link = OwnLink(live, session)
                nursery.start_soon(link.run)
                nursery.start_soon(follow_brokers, session, store, config.collectives[0])
                if config.doors:
                    nursery.start_soon(_renewals(config, live, session, link).run)
                run = partial(run_node, session, parts, settings, shutdown=shutdown)
                await _serve(run, config.facts_interval_s, parts, policies)
            nursery.cancel_scope.cancel()


def _renewals(
    config: NodeConfig, live: LiveCredentials, session: Session, link: OwnLink
) -> Renewals:
    return Renewals(
        live=live,
        session=session,
        link=link,
        doors=tuple(config.doors),
        spread_s=config.renewal_spread_s,
        rng=new_rng(),
    )


async def _serve(
    run: Callable[[], Awaitable[None]],
    facts_interval_s: float,
    parts: NodeParts,
    policies: PolicyFolder,
) -> None:
    async with trio.open_nursery() as helpers:
        await helpers.start(parts.facts.run, facts_interval_s)
        helpers.start_soon(policies.run)
        await run()
        helpers.cancel_scope.cancel()


@contextmanager
def _parts(
    config: NodeConfig, credentials: Credentials
) -> Iterator[tuple[NodeParts, PolicyFolder]]:
    """Open what must be closed: the state folder and the audit log, both ours alone."""
    with ExitStack() as stack:
        requests = open_guard_log(
            config.state, GuardLimits(), boot=read_boot(), now_ms=wall_clock_ms
        )
        stack.enter_context(closing(requests))
        audit = stack.enter_context(closing(AuditLog(config.audit_log)))
        policies = PolicyFolder(config.policies, config.authorization)
        parts = NodeParts(
            signer=credentials.signer,
            verify=verify_in_thread(_verifier(credentials.issuers, config), wall_clock_ms),
            agents=shipped_agents(),
            policies=lambda: policies.current,
            facts=FactStore(_fact_sources(config), wall_clock_ms),
            requests=requests,
            audit=audit,
            now_ms=wall_clock_ms,
        )
        yield parts, policies


def _verifier(own: Issuers, config: NodeConfig) -> Verifier:
    """Foreign clients are let in by name of their network; what they may do, policies say."""
    foreign = [
        Foreign(Issuers(network, clients=clients), frozenset({Role.CLIENT}))
        for network, clients in foreign_issuers(config.networks).items()
    ]
    return Verifier(own, foreign)


def _fact_sources(config: NodeConfig) -> FactSources:
    return FactSources(
        collect=collect_machine_facts, files=tuple(config.facts), classes_file=config.classes_file
    )
