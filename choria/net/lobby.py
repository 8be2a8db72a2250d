"""How many strangers may wait, and who leaves when one more comes.

A stranger costs about 30 KB before it has proved anything. Their number is bounded by memory, not
by how many handshakes run at once: slots that slow strangers hold would be a cheap way to keep
everybody out (E7). When all places are taken, the oldest stranger of the busiest network leaves: in
a flood from one place that is the flood, and when a fleet comes back at once it is who had longest.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

DEFAULT_PLACES: Final = 4096
_V4_PREFIX: Final = 24
_V6_PREFIX: Final = 48


@dataclass(eq=False, slots=True)
class Guest:
    """One stranger. ``evict`` ends it. ``source``: what it counts for, see `source_of`."""

    address: str
    evict: Callable[[str], None]
    source: str = field(init=False)

    def __post_init__(self) -> None:
        self.source = source_of(self.address)


class Lobby:
    """Strangers by where they come from, oldest first.

    Attributes:
        evicted: How many had to leave for others.
    """

    def __init__(self, places: int = DEFAULT_PLACES) -> None:
        self._places = places
        self._count = 0
        self._by_source: dict[str, dict[Guest, None]] = {}
        self.evicted = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, guest: Guest) -> None:
        """Give ``guest`` a place; somebody else may lose one."""
        if self._count >= self._places:
            self._evict_one()
        self._by_source.setdefault(guest.source, {})[guest] = None
        self._count += 1

    def leave(self, guest: Guest) -> None:
        """Free the place, if it still has one."""
        guests = self._by_source.get(guest.source, {})
        if guest in guests:
            del guests[guest]
            self._count -= 1
            if not guests:
                del self._by_source[guest.source]

    def everybody(self) -> list[Guest]:
        """All who wait."""
        return [guest for guests in self._by_source.values() for guest in guests]

    def _evict_one(self) -> None:
        busiest = max(self._by_source.values(), key=len)
        guest = next(iter(busiest))
        self.leave(guest)
        self.evicted += 1
        guest.evict("too many strangers wait")


def source_of(address: str) -> str:
    """The network that an address counts for: IPv4 /24, IPv6 /48, else the text itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    prefix = _V4_PREFIX if parsed.version == 4 else _V6_PREFIX
    return str(ipaddress.ip_network((parsed, prefix), strict=False))
