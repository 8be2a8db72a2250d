"""Trust that stays up to date while a program runs: from files at a broker, from brokers elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio

from choria.broker import BrokerConfig, Hub, TrustOffer
from choria.ca import OBJECT_NAME
from choria.net import (
    KEPT_NAME,
    Credentials,
    LiveCredentials,
    Session,
    TrustConfig,
    TrustFile,
    TrustKeeper,
    TrustStore,
    open_trust_store,
)
from choria.wire import TrustMark

from . import new_rng

FETCH_WITHIN_S = 10.0
"""What a command waits for a newer object before it goes on with what it has."""


def trust_store_from(
    live: LiveCredentials | Credentials, config: TrustConfig, folder: Path | None
) -> TrustStore | None:
    """What a program knows of its network's trust, in force; None with Puppet's, which has files.

    Args:
        live: Whose; when its files are read again, the network's own word is put above them.
        config: How lists are held to.
        folder: Where it is kept over a restart; None: nowhere.

    Raises:
        ConfigError: what was kept cannot be read.
    """
    credentials = live.current if isinstance(live, LiveCredentials) else live
    if credentials.revocation_file is not None:
        return None
    credentials.issuers.revocations.policy = config.policy
    path = None if folder is None else folder / KEPT_NAME
    store = open_trust_store(credentials.folder / "trust", credentials.issuers, path)
    if isinstance(live, LiveCredentials):
        live.on_change(lambda _: store.reassert())
    return store


async def follow_brokers(session: Session, store: TrustStore | None, collective: str) -> None:
    """Keep ``store`` at what the session's broker has. Runs until cancelled."""
    if store is not None:
        await TrustKeeper(session, store, collective=collective, rng=new_rng()).run()


async def fetch_trust(session: Session, store: TrustStore | None, collective: str) -> None:
    """Take what the broker has, before a command believes anybody. Cancel-safe.

    When it cannot be had in time the command goes on: whoever can keep it back could as well keep
    back every answer, and lists that are too old are refused by themselves.
    """
    if store is None:
        return
    store.warn()
    with trio.move_on_after(FETCH_WITHIN_S):
        await TrustKeeper(session, store, collective=collective, rng=new_rng()).follow()


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
