"""Interfaces of agents as programs need them: which are known here, and the fleet's when none is."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

import attrs

from choria.agents import shipped_ddl
from choria.client import (
    DdlCache,
    HandedOut,
    KnownDdl,
    ask_fleet,
    find_in_folders,
)
from choria.ddl import AggregateFunction
from choria.errors import ConfigError
from choria.net import wall_clock_ms
from choria.trust import Role

from . import environment
from .fleet import Question, connected, scope_of
from .identity import credentials_from

AGGREGATES = "choria.aggregates"
"""Entry points by which a site adds aggregate functions: ``AggregateFunction`` each."""


def open_cache() -> DdlCache:
    """The user's cache of DDLs, below ``XDG_CACHE_HOME``.

    Raises:
        ConfigError: There is no place for it.
    """
    env = environment()
    home = env.get("XDG_CACHE_HOME", "")
    if not home.startswith("/"):  # the XDG specification: ignore relative ones
        if not env.get("HOME"):
            raise ConfigError("there is no HOME, and so no place for a cache of DDLs: set HOME")
        home = f"{env['HOME']}/.cache"
    return DdlCache(Path(home) / "choria-trio" / "ddl", wall_clock_ms)


def find_interface(question: Question, agent: str, cache: DdlCache) -> KnownDdl | None:
    """The interface of ``agent`` as it is known here: own folders, the cache, what ships.

    Raises:
        DDLError: A file in an own folder is no DDL.
    """
    config = question.config
    if own := find_in_folders(agent, config.ddl_folders):
        return own
    if kept := cache.get(network_of(question), agent):
        return kept
    shipped = shipped_ddl(agent)
    if shipped is None:
        return None
    return KnownDdl(ddl=shipped, origin="choria-trio, which ships it", sha256="")


def network_of(question: Question) -> str:
    """The network that is asked; empty when there are no credentials that would say.

    A cached interface is only used for the network that it came from.
    """
    if question.network:
        return question.network
    config = question.config
    try:
        found = credentials_from(
            config, Role.CLIENT, brokers=config.brokers, srv_domain=config.srv_domain
        )
    except ConfigError:  # said when a broker is needed; help must not fail for want of one
        return ""
    return found.principal.network


async def fetch_interface(question: Question, agent: str) -> HandedOut:
    """Ask the fleet. Cancel-safe.

    Raises:
        AgentNotFound: Nobody hosts the agent or tells what it takes.
        BrokerUnreachable: No broker welcomed us in time.
        DDLError: What came is no DDL.
    """
    async with connected(question) as caller:
        scope = attrs.evolve(scope_of(question, caller.session), filter={}, identities=())
        return await ask_fleet(caller, scope, agent, timeout_s=question.timeout_s)


def aggregate_plugins() -> Mapping[str, AggregateFunction]:
    """Aggregate functions that other packages bring, by name. A broken one is left to its import error.

    Raises:
        ConfigError: One of them cannot be loaded.
    """
    found: dict[str, AggregateFunction] = {}
    for entry in entry_points(group=AGGREGATES):
        try:
            found[entry.name] = entry.load()
        except (ImportError, AttributeError) as wrong:
            raise ConfigError(f"the aggregator {entry.name} cannot be loaded: {wrong}") from wrong
    return found
