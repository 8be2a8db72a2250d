"""What configuration says about discovery."""

from __future__ import annotations

from pathlib import Path

import msgspec


class PuppetDbConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How PuppetDB is reached: HTTPS, with a certificate of ours.

    Attributes:
        url: ``https://host:8081``; by default what the ``_x-puppet-db._tcp`` record of
            ``srv_domain`` says.
        ca_file: PEM file of the CA that vouches for PuppetDB; by default Puppet's, where our credentials
            are Puppet's.
        certificate_file: PEM file of our certificate; by default the one of our credentials.
        key_file: Its key, in PEM.
    """

    url: str = ""
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


class CommandDiscovery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What one command does otherwise.

    Attributes:
        method: Discovery method.
        options: Its options, as with ``--do``.
        timeout_s: Seconds to find nodes.
    """

    method: str | None = None
    options: dict[str, str] | None = None
    timeout_s: float | None = None


class DiscoveryConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How nodes are found when no flag says it.

    Attributes:
        method: broadcast, flatfile, inventory, external or puppetdb.
        options: The method's options, as with ``--do``.
        inventory: Inventory file.
        external: Command of the external method, with its arguments.
        puppetdb: How PuppetDB is reached.
        commands: Defaults of single commands, by name: ``[discovery.commands.call]``.
    """

    method: str = "broadcast"
    options: dict[str, str] = {}
    inventory: Path | None = None
    external: str = ""
    puppetdb: PuppetDbConfig = msgspec.field(default_factory=PuppetDbConfig)
    commands: dict[str, CommandDiscovery] = {}
