"""Who a program is: the credentials that configuration names, or those of Puppet on this machine."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from choria.errors import ConfigError, TrustError
from choria.net import (
    Credentials,
    PuppetConfig,
    Whereabouts,
    find_puppet_folder,
    finish_swap,
    is_puppet_folder,
    load_credentials,
    load_puppet_credentials,
    parse_endpoint,
)
from choria.trust import Role

from . import environment
from .logins import current_login, load_login

log = logging.getLogger(__name__)

EXPIRED = " expired "

HOW_TO_ISSUE = (
    "make some with `choria-trio ca issue ROLE NAME --ca DIR --out DIR` and name the folder with --credentials "
    "or in the configuration; an ssl folder of Puppet's is found by itself, and there is none that can be read here. "
    "People without a certificate run `choria-trio login`"
)


class Configured(Protocol):
    """The part of a program's configuration that says who it is."""

    credentials: Path | None
    puppet: PuppetConfig


def credentials_from(
    config: Configured, role: Role, *, brokers: Sequence[str] = (), srv_domain: str = ""
) -> Credentials:
    """Load the credentials folder that configuration names, or Puppet's.

    Args:
        config: Where to look.
        role: What the program is; Puppet's certificates do not say it.
        brokers: Where a member was told to find brokers: with Puppet's CA, those are brokers.
        srv_domain: Where it asks when ``brokers`` is empty.

    Raises:
        ConfigError: There are none, or they cannot be used.
        TrustError: They prove nothing.
    """
    who = _whereabouts(role)
    puppet = _with_users_certname(config.puppet, role)
    if (
        role is Role.CLIENT
        and config.credentials is None
        and (login := current_login()) is not None
    ):
        return load_login(login)
    folder = config.credentials or find_puppet_folder(puppet, who)
    if folder is None:
        raise ConfigError(f"no credentials are configured: {HOW_TO_ISSUE}")
    if folder != puppet.ssl_folder and not is_puppet_folder(folder):
        return _own_credentials(folder)
    if role is not Role.BROKER and not brokers and srv_domain and not puppet.brokers:
        # DNS proves nothing and Puppet's CA vouches for all alike: any node with a hold on DNS
        # could be the fleet's broker (A6).
        raise ConfigError(
            "with Puppet's certificates, brokers that are found by SRV records must be named: "
            "set puppet.brokers to their certnames"
        )
    hosts = [parse_endpoint(broker).host for broker in brokers]
    return load_puppet_credentials(folder, puppet, who, broker_hosts=hosts)


def _own_credentials(folder: Path) -> Credentials:
    """Those of our own CA; a renewal that this machine died over is brought to its end first."""
    try:
        if finish_swap(folder):
            log.warning("%s: a new certificate was found half-way in, and put in force", folder)
    except OSError as exc:
        raise ConfigError(f"{folder}: a renewal cannot be brought to its end: {exc}") from exc
    try:
        return load_credentials(folder)
    except TrustError as exc:
        if EXPIRED not in str(exc):
            raise
        raise TrustError(f"{exc}: `choria-trio ca renew {folder}` where the CA is") from exc


async def watch_revocations(credentials: Credentials) -> None:
    """Keep to what the revocation lists say, while the program runs. Runs until cancelled."""
    if credentials.revocation_file is not None:
        await credentials.revocation_file.run()


def _with_users_certname(puppet: PuppetConfig, role: Role) -> PuppetConfig:
    """Operators of Choria may have set theirs in the environment."""
    certname = environment().get("MCOLLECTIVE_CERTNAME", "")
    if role is not Role.CLIENT or puppet.certname or not certname:
        return puppet
    return msgspec.structs.replace(puppet, certname=certname)


def _whereabouts(role: Role) -> Whereabouts:
    return Whereabouts(role=role, hostname=os.uname().nodename, user=_user(), home=_home())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, in a container
        return str(os.getuid())


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None
