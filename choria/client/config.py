"""What a client is told by its configuration file, the environment and flags."""

from __future__ import annotations

from pathlib import Path

import msgspec

from choria.net import PuppetConfig, TrustConfig

from .methods import DiscoveryConfig


class RolloutConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What ``call`` asks before it asks nodes.

    Attributes:
        confirm_above: More nodes than this are asked only after somebody said yes; by default
            their number alone is no reason to ask.
        high_impact: Actions that are confirmed for any number of nodes, as ``agent.action`` with
            ``*`` and ``?``: ``["*.reboot", "shell.*"]``. A DDL may say it too: ``"impact": "high"``.
    """

    confirm_above: int | None = None
    high_impact: list[str] = []


class LoginConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How somebody without a certificate logs in.

    Attributes:
        doors: ``host:port`` each, usually port 7424; tried in this order.
        trust: Folder with ``root.pem``, ``brokers.pem``, ``nodes.pem``, ``clients.pem`` and ``logins.pem``,
            from whoever runs the network: what is believed comes from here and from nowhere else.
        user: Name to log in as; by default the name of this machine's user.
    """

    doors: list[str] = []
    trust: Path | None = None
    user: str = ""


class ClientConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Configuration of ``ping``, ``discover`` and ``call``.

    Attributes:
        credentials: Folder made by ``choria-trio ca issue client NAME``, or Puppet's ssl folder, which is looked
            for when this is not set.
        puppet: How Puppet's certificates are used.
        trust: How revocation lists of our own CA are held to.
        brokers: ``host:port`` each; tried in random order.
        srv_domain: Domain whose ``_cwp-broker._tcp`` record names brokers, when ``brokers`` is empty.
        collective: The collective that is asked.
        connect_timeout_s: Seconds until an unreachable broker is an error.
        discovery_timeout_s: Seconds a node has to say whether it matches.
        ttl_s: Seconds after which a node refuses the request.
        discovery: How nodes are found when no flag says it.
        rollout: When ``call`` wants a yes first.
        login: How to log in where there is no certificate.
        networks: Networks behind relays, by name: PEM file of the issuer of that network's nodes,
            which replies must chain to.
        ddl_folders: Folders with DDLs of agents, searched first, as Choria's library folders are.
        ddl_cache_s: Seconds after which a DDL that the fleet handed out is asked for again.
    """

    credentials: Path | None = None
    puppet: PuppetConfig = msgspec.field(default_factory=PuppetConfig)
    trust: TrustConfig = msgspec.field(default_factory=TrustConfig)
    brokers: list[str] = []
    srv_domain: str = ""
    collective: str = "choria"
    connect_timeout_s: float = 10.0
    discovery_timeout_s: float = 2.0
    ttl_s: int = 60
    discovery: DiscoveryConfig = msgspec.field(default_factory=DiscoveryConfig)
    rollout: RolloutConfig = msgspec.field(default_factory=RolloutConfig)
    login: LoginConfig = msgspec.field(default_factory=LoginConfig)
    networks: dict[str, Path] = {}
    ddl_folders: list[Path] = []
    ddl_cache_s: int = 86_400
