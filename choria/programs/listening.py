"""Listeners of a program, and what is said when an address cannot be had."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from choria.errors import ConfigError
from choria.net import Endpoint, parse_endpoint

BACKLOG = 4096
"""The whole fleet reconnects at once: connections wait in the kernel, not in SYN retries."""


async def listen(addresses: Sequence[str]) -> list[trio.SocketListener]:
    """Listen on each ``host:port``.

    Raises:
        ConfigError: An address is malformed or cannot be listened on.
    """
    listeners: list[trio.SocketListener] = []
    for endpoint in [parse_endpoint(address) for address in addresses]:
        try:
            listeners += await trio.open_tcp_listeners(
                endpoint.port, host=endpoint.host, backlog=BACKLOG
            )
        except OSError as exc:
            raise ConfigError(f"cannot listen on {endpoint.text}: {exc.strerror or exc}") from exc
    return listeners


def address_of(listener: trio.SocketListener) -> str:
    """``host:port`` of a listener."""
    host, port, *_ = listener.socket.getsockname()
    return Endpoint(host, port).text
