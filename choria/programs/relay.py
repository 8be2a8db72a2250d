"""The relay as a program."""

from __future__ import annotations

from functools import partial

import trio

from choria.federation import RelayConfig, RelaySide, run_relay
from choria.net import Credentials, SessionSettings, TlsConnector, open_session, wall_clock_ms
from choria.trust import Role

from . import new_rng
from .connect import connector_from
from .identity import credentials_from, watch_revocations


async def run_relay_program(config: RelayConfig, shutdown: trio.Event) -> None:
    """Carry between the two networks until ``shutdown`` is set.

    Raises:
        ConfigError: Credentials or brokers are missing.
    """
    collectives = tuple(config.collectives)
    settings = SessionSettings(collectives=collectives)
    open_side = partial(open_session, settings=settings, rng=new_rng(), now_ms=wall_clock_ms)
    ours = [_credentials(side) for side in (config.left, config.right)]
    async with (
        open_side(_connector(config.left, ours[0])) as left,
        open_side(_connector(config.right, ours[1])) as right,
    ):
        async with trio.open_nursery() as nursery:
            for credentials in ours:
                nursery.start_soon(watch_revocations, credentials)
            carry = partial(run_relay, left, right, collectives, remember=config.remember)
            await nursery.start(carry)
            await shutdown.wait()
            nursery.cancel_scope.cancel()


def _credentials(side: RelaySide) -> Credentials:
    return credentials_from(side, Role.RELAY, brokers=side.brokers, srv_domain=side.srv_domain)


def _connector(side: RelaySide, credentials: Credentials) -> TlsConnector:
    return connector_from(credentials, side.brokers, side.srv_domain)
