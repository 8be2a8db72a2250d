"""One nursery, many nodes."""

from __future__ import annotations

import random  # noqa: TID251  # only the type: the instance is passed in
from collections.abc import Callable, Sequence
from functools import partial

import attrs
import trio

from choria.net import Connector, Credentials, Session, SessionSettings, open_session
from choria.node import (
    Agent,
    FactStore,
    MemoryLog,
    NoAudit,
    NodeParts,
    NodeSettings,
    run_node,
    verify_inline,
)
from choria.policy import Policies
from choria.trust import Verifier

SETTINGS = NodeSettings(remember_refused=32)
MEMBER_QUEUE_BYTES = 256 << 10
"""A thousandth of what a real node may queue is enough: nobody asks one emulated node much."""


@attrs.frozen
class Emulated:
    """One node: who it is, and its way to a broker."""

    credentials: Credentials
    connector: Connector


@attrs.frozen(kw_only=True)
class Shared:
    """What all nodes have in common.

    Attributes:
        facts: Collected once for all; run by the caller.
        now_ms: Wall clock.
        rng: For jitter.
    """

    agents: Sequence[Agent]
    policies: Policies
    facts: FactStore
    now_ms: Callable[[], int]
    rng: random.Random


async def emulate(
    nodes: Sequence[Emulated],
    shared: Shared,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run ``nodes`` until cancelled; started when each has been welcomed by a broker."""
    async with trio.open_nursery() as nursery:
        verifier = Verifier(nodes[0].credentials.issuers)  # one cache of callers for all
        connected = [trio.Event() for _ in nodes]
        for node, event in zip(nodes, connected, strict=True):
            nursery.start_soon(_run_one, node, shared, verifier, event)
        for event in connected:
            await event.wait()
        task_status.started()


async def _run_one(
    node: Emulated, shared: Shared, verifier: Verifier, connected: trio.Event
) -> None:
    settings = SessionSettings(
        max_incoming_bytes=MEMBER_QUEUE_BYTES, max_outbound_bytes=MEMBER_QUEUE_BYTES
    )
    async with open_session(
        node.connector, settings, rng=shared.rng, now_ms=shared.now_ms
    ) as session:
        async with trio.open_nursery() as nursery:
            run = partial(
                run_node,
                session,
                _parts(node, shared, verifier),
                SETTINGS,
                shutdown=trio.Event(),
            )
            await nursery.start(run)
            await _welcomed(session, connected)


async def _welcomed(session: Session, connected: trio.Event) -> None:
    await session.wait_connected()
    connected.set()


def _parts(node: Emulated, shared: Shared, verifier: Verifier) -> NodeParts:
    return NodeParts(
        signer=node.credentials.signer,
        verify=verify_inline(verifier, shared.now_ms),
        agents=shared.agents,
        policies=lambda: shared.policies,
        facts=shared.facts,
        requests=MemoryLog(),
        audit=NoAudit(),
        now_ms=shared.now_ms,
    )
