"""Our own CA from the command line."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from choria import ca
from choria.net import wall_clock_ms

DEFAULT_HOSTS = ("localhost", "127.0.0.1", "::1")


def init_ca(folder: Path, network: str) -> None:
    """Make a CA in ``folder``. Raises CaError when there is one."""
    ca.init_ca(folder, network, wall_clock_ms())


def issue_credentials(  # noqa: PLR0913  # the facts of one certificate, all by name
    folder: Path,
    role: str,
    name: str,
    out: Path,
    *,
    days: float,
    hosts: Sequence[str],
    grants: Sequence[str],
    force: bool,
) -> Path:
    """Issue credentials for ``name`` into ``out``; returns it.

    A broker's certificate bears its name, ``hosts``, and this machine's loopback names when no host
    is given.
    """
    is_broker = role == "broker"
    named = (hosts or DEFAULT_HOSTS) if is_broker else hosts
    addresses = [host for host in named if _is_address(host)]
    ca.issue(
        folder,
        role,
        name,
        out,
        now_ms=wall_clock_ms(),
        days=days,
        dns=[host for host in named if host not in addresses],
        ips=addresses,
        grants=grants or None,
        force=force,
    )
    return out


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
