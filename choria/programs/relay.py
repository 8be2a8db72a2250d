"""The relay as a program."""

from __future__ import annotations

from functools import partial

import trio

from choria.federation import RelayConfig, RelaySide, run_relay
from choria.net import (
    Credentials,
    LiveCredentials,
    SessionSettings,
    TlsConnector,
    open_session,
    wall_clock_ms,
)
from choria.trust import Role

from . import new_rng
from .connect import connector_from
from .identity import credentials_from, watch_revocations
from .live import OwnLink, keep_up, live_credentials
from .trust import follow_brokers, trust_store_from


async def run_relay_program(config: RelayConfig, shutdown: trio.Event) -> None:
    """Carry between the two networks until ``shutdown`` is set.

    Raises:
        ConfigError: Credentials or brokers are missing.
    """
    collectives = tuple(config.collectives)
    settings = SessionSettings(collectives=collectives)
    open_side = partial(open_session, settings=settings, rng=new_rng(), now_ms=wall_clock_ms)
    ours = [live_credentials(partial(_credentials, side)) for side in (config.left, config.right)]
    async with (
        open_side(_connector(config.left, ours[0])) as left,
        open_side(_connector(config.right, ours[1])) as right,
    ):
        async with trio.open_nursery() as nursery:
            for live, session in zip(ours, (left, right), strict=True):
                nursery.start_soon(watch_revocations, live.current)
                nursery.start_soon(keep_up, live)
                nursery.start_soon(OwnLink(live, session).run)
            for side, live, session in zip(
                (config.left, config.right), ours, (left, right), strict=True
            ):
                store = trust_store_from(live, side.trust, live.current.folder)
                nursery.start_soon(follow_brokers, session, store, collectives[0])
            carry = partial(run_relay, left, right, collectives, remember=config.remember)
            await nursery.start(carry)
            await shutdown.wait()
            nursery.cancel_scope.cancel()


def _credentials(side: RelaySide) -> Credentials:
    return credentials_from(side, Role.RELAY, brokers=side.brokers, srv_domain=side.srv_domain)


def _connector(side: RelaySide, live: LiveCredentials) -> TlsConnector:
    return connector_from(lambda: live.current, side.brokers, side.srv_domain)
