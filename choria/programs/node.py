"""The node as a program: one session, the shipped agents, and everything a request is judged by."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import trio

from choria.agents.native import agent_of_thread
from choria.errors import ConfigError
from choria.net import (
    Credentials,
    LiveCredentials,
    Session,
    SessionSettings,
    TrustStore,
    life_of,
    open_session,
    wall_clock_ms,
)
from choria.node import (
    FACTER,
    AuditLog,
    FactProgram,
    FactSources,
    FactStore,
    Node,
    NodeConfig,
    NodeParts,
    NodeSettings,
    PolicyFolder,
    collect_machine_facts,
    config_items,
    open_guard_log,
    read_boot,
    run_node,
    verify_in_thread,
)
from choria.telemetry import prints_to_log
from choria.trust import Foreign, GuardLimits, Issuers, Role, Verifier

from . import new_rng
from .connect import connector_from, foreign_issuers
from .hosting import catalogue_from
from .identity import credentials_from, watch_revocations
from .live import OwnLink, keep_up, live_credentials
from .places import SERVING
from .renewal import Renewals
from .status_file import StatusFile
from .trust import follow_brokers, trust_store_from

log = logging.getLogger(__name__)

DATA_MAX_AGES: Final = 3
"""Collections of an agent's data plugin that may fail before what it gave last counts no more."""
CLOSE_WITHIN_S: Final = 5.0
"""What agents may take to let go of what they hold, when the node stops."""


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
        caller_rate=config.caller_rate,
        caller_burst=config.caller_burst,
        max_running=config.max_running,
        max_running_agent=config.max_running_agent,
        runs_unaudited=config.audit.when_unwritable == "run",
        data_max_age_s=DATA_MAX_AGES * config.facts_interval_s,
        config_items=config_items(config),
        brokers=tuple(config.brokers),
        srv_domain=config.srv_domain,
    )
    session_settings = SessionSettings(collectives=tuple(config.collectives))
    store = trust_store_from(live, config.trust, config.state)
    with prints_to_log(agent_of_thread), _parts(config, credentials) as (parts, policies):
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
                more = partial(_own_status, live, store)
                serve = _Serving(config, replace(parts, more_status=more), policies, shutdown)
                await serve.run(session, settings)
            nursery.cancel_scope.cancel()


async def _announce(session: Session, node: Node, status: StatusFile) -> None:
    """Tell who starts nodes, by the log, that this one answers: "welcomed" alone is too early."""
    await session.wait_connected()
    status.write_soon()
    log.info("%s %d agents", SERVING, len(node.agents))


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


def _own_status(live: LiveCredentials, store: TrustStore | None) -> dict[str, Any]:
    """What the status document says of certificate and trust."""
    trust = {} if store is None else {"trust": {"number": str(store.standing.number)}}
    return {
        "certificate": {"expires_ms": life_of(live.current.certificate_der).ends_ms},
        **trust,
    }


@dataclass(frozen=True, slots=True)
class _Serving:
    """The node beside what keeps its facts, policies and agents fresh."""

    config: NodeConfig
    parts: NodeParts
    policies: PolicyFolder
    shutdown: trio.Event

    async def run(self, session: Session, settings: NodeSettings) -> None:
        """Serve until ``shutdown`` is set. Agents start to be looked for when there are facts."""
        facts = self.parts.facts
        catalogue = catalogue_from(self.config, lambda: facts.current.values)
        try:
            async with AsyncExitStack() as stack, trio.open_nursery() as helpers:
                await helpers.start(facts.run, self.config.facts_interval_s)
                helpers.start_soon(self.policies.run)
                await catalogue.start()
                parts = replace(self.parts, agents=catalogue.agents)
                run = partial(run_node, session, parts, settings, shutdown=self.shutdown)
                async with trio.open_nursery() as serving:
                    node: Node = await serving.start(run)
                    status = StatusFile(self.config.status_path, node.status)
                    stack.push_async_callback(status.finish)
                    helpers.start_soon(status.run)
                    helpers.start_soon(node.data.run, self.config.facts_interval_s)
                    helpers.start_soon(catalogue.run, node.rehost)
                    helpers.start_soon(_announce, session, node, status)
                helpers.cancel_scope.cancel()
        finally:
            with trio.move_on_after(CLOSE_WITHIN_S, shield=True):
                await catalogue.aclose()


@contextmanager
def _parts(
    config: NodeConfig, credentials: Credentials
) -> Iterator[tuple[NodeParts, PolicyFolder]]:
    """Open what must be closed: the state folder and the audit log, both ours alone."""
    with ExitStack() as stack:
        requests = open_guard_log(
            config.state, _guard_limits(config), boot=read_boot(), now_ms=wall_clock_ms
        )
        stack.enter_context(closing(requests))
        audit = stack.enter_context(closing(AuditLog(config.audit_log)))
        policies = PolicyFolder(config.policies, config.authorization)
        parts = NodeParts(
            signer=credentials.signer,
            verify=verify_in_thread(_verifier(credentials.issuers, config), wall_clock_ms),
            agents=(),
            policies=lambda: policies.current,
            facts=FactStore(_fact_sources(config), wall_clock_ms),
            requests=requests,
            audit=audit,
            now_ms=wall_clock_ms,
        )
        yield parts, policies


def _guard_limits(config: NodeConfig) -> GuardLimits:
    return GuardLimits(capacity=config.remember, caller_quota=config.remember_caller)


def _verifier(own: Issuers, config: NodeConfig) -> Verifier:
    """Foreign clients are let in by name of their network; what they may do, policies say."""
    foreign = [
        Foreign(Issuers(network, clients=clients), frozenset({Role.CLIENT}))
        for network, clients in foreign_issuers(config.networks).items()
    ]
    return Verifier(own, foreign)


def _fact_sources(config: NodeConfig) -> FactSources:
    programs = [FactProgram(tuple(argv)) for argv in config.facts_commands]
    if config.facter != "never":
        programs.insert(0, FactProgram(FACTER.argv, quiet=config.facter == "auto"))
    return FactSources(
        collect=collect_machine_facts,
        programs=tuple(programs),
        files=tuple(config.facts),
        classes_file=config.classes_file,
    )
