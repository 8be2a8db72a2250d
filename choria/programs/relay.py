"""The relay as a program."""

from __future__ import annotations

from functools import partial

import trio

from choria.federation import RelayConfig, RelaySide, run_relay
from choria.net import SessionSettings, TlsConnector, open_session, wall_clock_ms

from . import new_rng
from .connect import connector_from, credentials_from
from .shutdown import until_told_to_stop


async def run_relay_program(config: RelayConfig) -> None:
    """Carry between the two networks until SIGTERM or SIGINT.

    Raises:
        ConfigError: Credentials or brokers are missing.
    """
    collectives = tuple(config.collectives)
    settings = SessionSettings(collectives=collectives)
    open_side = partial(open_session, settings=settings, rng=new_rng(), now_ms=wall_clock_ms)
    async with (
        open_side(_connector(config.left)) as left,
        open_side(_connector(config.right)) as right,
    ):
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(run_relay, left, right, collectives))
            await until_told_to_stop()
            nursery.cancel_scope.cancel()


def _connector(side: RelaySide) -> TlsConnector:
    return connector_from(credentials_from(side.credentials), side.brokers, side.srv_domain)
