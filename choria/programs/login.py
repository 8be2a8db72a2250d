"""Logging in and out as programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from choria.client import ClientConfig
from choria.enrol import Device
from choria.errors import ConfigError
from choria.net import (
    LoggedIn,
    LoginDoors,
    login_by_device,
    login_with_password,
    parse_endpoint,
    read_trust,
    wall_clock_ms,
)
from choria.wire import parse_identity

from .logins import LoginFacts, keep_login
from .places import user_name

HOW_TO_CONFIGURE = (
    "whoever runs the network hands out a folder with client.toml and trust files (`choria-trio aaa kit`): "
    "put it where your configuration is, or name --door and --trust"
)


@attrs.frozen(kw_only=True)
class Where:
    """Doors and trust, judged before anything is sent."""

    doors: LoginDoors
    trust: Path


def plan_login(config: ClientConfig) -> Where:
    """Judge where to log in.

    Raises:
        ConfigError: no door or no trust is configured.
        TrustError: the trust files are none.
    """
    if not config.login.doors or config.login.trust is None:
        missing = "trust" if config.login.doors else "doors"
        raise ConfigError(f"login.{missing} is not configured: {HOW_TO_CONFIGURE}")
    issuers = read_trust(config.login.trust)
    if not any(anchor.logins for anchor in issuers.anchors):
        raise ConfigError(
            f"{config.login.trust} has no logins.pem: nobody can log in to this network"
        )
    doors = tuple(parse_endpoint(door) for door in config.login.doors)
    return Where(
        doors=LoginDoors(doors=doors, issuers=issuers, now_ms=wall_clock_ms),
        trust=config.login.trust,
    )


def login_user(config: ClientConfig, named: str) -> str:
    """Whose password is asked for. Raises InvalidName for what is no name."""
    return str(parse_identity(named or config.login.user or user_name()))


async def run_password_login(where: Where, user: str, password: str) -> LoginFacts:
    """Log in and keep it. Cancelling keeps nothing.

    Raises:
        LoginError: the service says no.
        LinkLost: no door leads to a service that can be believed.
        ConfigError: it cannot be kept.
    """
    return _kept(await login_with_password(where.doors, user, password), where)


async def run_device_login(where: Where, on_device: Callable[[Device], None]) -> LoginFacts:
    """As :func:`run_password_login`, approved elsewhere; ``on_device`` is told where."""
    return _kept(await login_by_device(where.doors, on_device), where)


def _kept(logged_in: LoggedIn, where: Where) -> LoginFacts:
    return keep_login(logged_in, where.trust)
