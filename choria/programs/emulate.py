"""Many nodes in one process, as a program. `choria.emulator` runs them; this makes them."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import attrs
import trio

from choria import ca
from choria.agents import rpcutil_agent
from choria.emulator import Emulated, Shared, emulate
from choria.errors import ConfigError
from choria.net import load_credentials, wall_clock_ms
from choria.node import (
    BUILTIN_POLICIES,
    FactSources,
    FactStore,
    PolicyFolder,
    collect_machine_facts,
)
from choria.policy import Policies, PolicySet
from choria.trust import Role

from . import new_rng
from .connect import connector_from
from .shutdown import cancel_on

log = logging.getLogger(__name__)

MAX_NODES = 10_000
"""One process's descriptors and one core's handshakes; beyond it, run several."""
DEFAULT_POLICIES = {
    **BUILTIN_POLICIES,
    "discovery.policy": "policy default allow\n",
    "rpcutil.policy": "policy default allow\n",
}
FACTS_INTERVAL_S = 300.0


@attrs.frozen(kw_only=True)
class EmulateSettings:
    """What ``choria-trio emulate`` was told."""

    nodes: int
    ca: Path
    brokers: tuple[str, ...]
    prefix: str = "emulated"
    policies: Path | None = None


async def run_emulator(settings: EmulateSettings, shutdown: trio.Event) -> None:
    """Run the nodes until ``shutdown`` is set.

    Raises:
        ConfigError: Too many nodes, or the CA cannot be used.
    """
    if not 1 <= settings.nodes <= MAX_NODES:
        raise ConfigError(
            f"--nodes {settings.nodes}: from 1 to {MAX_NODES} in one process; start several for more"
        )
    facts = FactStore(FactSources(collect=collect_machine_facts), wall_clock_ms)
    shared = Shared(
        agents=(rpcutil_agent(),),
        policies=_policies(settings.policies),
        facts=facts,
        now_ms=wall_clock_ms,
        rng=new_rng(),
    )
    with tempfile.TemporaryDirectory(prefix="choria-trio-emulator-") as folder:
        nodes = await trio.to_thread.run_sync(partial(_issue, settings, Path(folder)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel_on, shutdown, nursery.cancel_scope)
            await nursery.start(facts.run, FACTS_INTERVAL_S)
            await nursery.start(emulate, nodes, shared)
            log.info("%d nodes are connected to their broker", len(nodes))


def _issue(settings: EmulateSettings, folder: Path) -> Sequence[Emulated]:
    """A certificate and a way to the broker for each node. About 3 ms a node."""
    width = len(str(settings.nodes))
    names = [f"{settings.prefix}-{number:0{width}}" for number in range(1, settings.nodes + 1)]
    return [_issue_one(settings, folder / name, name) for name in names]


def _issue_one(settings: EmulateSettings, folder: Path, name: str) -> Emulated:
    ca.issue(settings.ca, Role.NODE, name, folder, now_ms=wall_clock_ms())
    credentials = load_credentials(folder)
    return Emulated(
        credentials=credentials, connector=connector_from(credentials, settings.brokers, "")
    )


def _policies(folder: Path | None) -> Policies:
    return PolicySet(DEFAULT_POLICIES) if folder is None else PolicyFolder(folder).current
