"""What a relay is told by its configuration file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from choria.net import PuppetConfig, TrustConfig

from .window import DEFAULT_CAPACITY, MIN_CAPACITY


class RelaySide(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One of the two networks that a relay joins.

    Attributes:
        credentials: Folder made by that network's ``choria-trio ca issue relay NAME``, or Puppet's ssl
            folder, which is looked for when this is not set.
        puppet: How Puppet's certificates are used.
        trust: How revocation lists of that network's own CA are held to.
        brokers: ``host:port`` each.
        srv_domain: Domain whose SRV record names brokers, when ``brokers`` is empty.
    """

    credentials: Path | None = None
    puppet: PuppetConfig = msgspec.field(default_factory=PuppetConfig)
    trust: TrustConfig = msgspec.field(default_factory=TrustConfig)
    brokers: list[str] = []
    srv_domain: str = ""


class RelayConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Configuration of ``choria-trio relay``: both directions are carried.

    Attributes:
        left: One network.
        right: The other one.
        collectives: Collectives whose replies are carried.
        remember: How many forwarded subjects each direction remembers for 300 s, so that nothing goes
            over twice: about 110 bytes each. When all are in use, further messages are dropped.
    """

    left: RelaySide
    right: RelaySide
    collectives: list[str] = msgspec.field(default_factory=lambda: ["choria"])
    remember: int = DEFAULT_CAPACITY

    def __post_init__(self) -> None:
        """Refuse what would drop everything. msgspec says where it stands."""
        if self.remember < MIN_CAPACITY:
            raise ValueError(f"remember must be {MIN_CAPACITY} or more, not {self.remember}")
