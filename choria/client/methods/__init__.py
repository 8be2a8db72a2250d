"""Ways to say which nodes are meant without asking them all: lists, inventories, programs, PuppetDB."""

from __future__ import annotations

from .config import CommandDiscovery, DiscoveryConfig, PuppetDbConfig
from .find import Listed, Wanted, check_wanted, list_nodes
from .flatfile import names_in
from .inventory import SCHEMA as INVENTORY_SCHEMA
from .inventory import Inventory, parse_inventory
from .kinds import ALIASES, GROUP_PREFIX, Method, check_filter, parse_method, parse_options
from .names import MAX_NODES, checked_names
from .puppetdb import SRV_SERVICE, PuppetDb, parse_url
from .reading import MAX_INVENTORY_BYTES, MAX_LIST_BYTES, STDIN, read_source, stdin_is_pipe

__all__ = [
    "ALIASES",
    "GROUP_PREFIX",
    "INVENTORY_SCHEMA",
    "MAX_INVENTORY_BYTES",
    "MAX_LIST_BYTES",
    "MAX_NODES",
    "SRV_SERVICE",
    "STDIN",
    "CommandDiscovery",
    "DiscoveryConfig",
    "Inventory",
    "Listed",
    "Method",
    "PuppetDb",
    "PuppetDbConfig",
    "Wanted",
    "check_filter",
    "check_wanted",
    "checked_names",
    "list_nodes",
    "names_in",
    "parse_inventory",
    "parse_method",
    "parse_options",
    "parse_url",
    "read_source",
    "stdin_is_pipe",
]
