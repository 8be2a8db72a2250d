"""The broker as a program: credentials, hub, listeners, and the order in which they stop."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from choria.broker import BrokerConfig, Hub, Permissions
from choria.errors import ConfigError
from choria.net import (
    Credentials,
    Door,
    Engine,
    Greeter,
    serve_broker_port,
    wall_clock_ms,
)
from choria.trust import Role
from choria.wire import MAX_FRAME_OVERHEAD_BYTES, Limits

from . import new_rng
from .broker_trust import keep_broker_trust
from .enrolment import serve_enrolment
from .files import write_atomically
from .identity import credentials_from
from .listening import address_of, listen
from .live import keep_up, live_credentials

log = logging.getLogger(__name__)


async def run_broker(config: BrokerConfig, shutdown: trio.Event) -> None:
    """Serve members until ``shutdown`` is set, then move them away within ``grace_s``.

    Raises:
        ConfigError: Credentials are missing or not a broker's, or an address cannot be listened on.
    """
    live = live_credentials(partial(credentials_from, config, Role.BROKER))
    credentials = live.current
    if credentials.principal.role is not Role.BROKER:
        raise ConfigError(
            f"{credentials.folder} belongs to {credentials.principal.label}: a broker needs a broker's credentials"
        )
    hub, engine = _engine(config, credentials)
    door = _door(config, credentials)
    listeners = await listen(config.listen)
    _settle_memory()
    serve = partial(
        serve_broker_port, listeners, engine, door, shutdown=shutdown, grace_s=config.grace_s
    )
    async with trio.open_nursery() as helpers:
        look = await helpers.start(keep_broker_trust, config, live, hub, engine.rouse)
        if config.enrol.listen:
            await helpers.start(serve_enrolment, config.enrol, live)
        async with trio.open_nursery() as nursery:
            greeter = await nursery.start(serve)
            live.on_change(partial(_renew_door, config, greeter))
            helpers.start_soon(partial(keep_up, live, also=look))
            _announce(listeners, credentials, config.ready_file)
        helpers.cancel_scope.cancel()


def _door(config: BrokerConfig, credentials: Credentials) -> Door:
    return Door(
        context=credentials.broker_context(),
        issuers=credentials.issuers,
        places=config.max_strangers,
    )


def _renew_door(config: BrokerConfig, greeter: Greeter, credentials: Credentials) -> None:
    """Strangers meet the new certificate and issuers; links that are there keep theirs (F4)."""
    try:
        greeter.door = _door(config, credentials)
    except ConfigError as wrong:
        log.error("strangers still meet the certificate from before: %s", wrong)  # noqa: TRY400
        return
    log.info("strangers meet a new certificate or new issuers from now on")


def _engine(config: BrokerConfig, credentials: Credentials) -> tuple[Hub, Engine]:
    limits = Limits(
        payload_bytes=config.payload_bytes,
        frame_bytes=config.payload_bytes + MAX_FRAME_OVERHEAD_BYTES,
        ping_interval_s=config.ping_interval_s,
        hello_within_s=config.hello_within_s,
    )
    rng = new_rng()
    permissions = Permissions(credentials.network, config.collectives, grants=config.grants)
    hub = Hub(
        credentials.network, credentials.principal.name, limits, permissions, wall_clock_ms, rng
    )
    return hub, Engine(hub, rng=rng, limits=limits)


def _settle_memory() -> None:
    """What exists now stays: leave it out of collections, which else pause the pump (performance F)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _announce(
    listeners: Sequence[trio.SocketListener], credentials: Credentials, ready_file: Path | None
) -> None:
    addresses = [address_of(listener) for listener in listeners]
    log.info(
        "broker %s of network %s listens on %s",
        credentials.principal.name,
        credentials.network,
        ", ".join(addresses),
    )
    if ready_file is not None:
        write_atomically(ready_file, json.dumps({"listen": addresses}) + "\n")
