"""Trust of a broker, from files: it judges links by it, and hands it on to members."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio

from choria.broker import BrokerConfig, Hub, TrustOffer
from choria.ca import OBJECT_NAME
from choria.net import Credentials, LiveCredentials, TrustFile
from choria.wire import TrustMark

from .trust import trust_store_from


async def keep_broker_trust(
    config: BrokerConfig,
    live: LiveCredentials,
    hub: Hub,
    wake: Callable[[], object],
    *,
    task_status: trio.TaskStatus[Callable[[], None]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Judge links by the trust in force, hand objects on, look again when files change.

    Runs until cancelled. Started when what is there was read; its value makes it look at once.

    Raises:
        ConfigError: the trust folder cannot be read.
    """
    credentials = live.current
    hub.rounds.judge_by(credentials.issuers.inspect)

    def changed(*_: object) -> None:
        hub.rounds.begin()
        wake()

    watched = credentials.revocation_file
    if watched is not None:
        task_status.started(watched.look_now)
        await watched.run(changed)
        return
    store = trust_store_from(live, config.trust, None)
    live.on_change(changed)
    if store is None:
        raise AssertionError("only Puppet's credentials come without a store")

    def offer(mark: TrustMark, data: bytes) -> None:
        hub.rounds.offer(TrustOffer(mark, data))
        wake()

    file = TrustFile(object_path(config, credentials), store, offer)
    await file.refresh()
    task_status.started(file.look_now)
    await file.run()


def object_path(config: BrokerConfig, credentials: Credentials) -> Path:
    """Where the broker's trust object is: as configured, else at the CA, else with its trust files."""
    if config.trust_object is not None:
        return config.trust_object
    folder = credentials.folder / "trust" if config.enrol.ca is None else config.enrol.ca
    return folder / OBJECT_NAME
