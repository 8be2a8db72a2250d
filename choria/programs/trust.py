"""Trust that stays up to date while a program runs, from what its broker has. At a broker: `broker_trust`."""

from __future__ import annotations

from pathlib import Path

import trio

from choria.net import (
    KEPT_NAME,
    Credentials,
    LiveCredentials,
    Session,
    TrustConfig,
    TrustKeeper,
    TrustStore,
    open_trust_store,
)

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
