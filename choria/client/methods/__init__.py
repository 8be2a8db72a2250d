"""Ways to say which nodes are meant without asking them all: lists, inventories, programs, PuppetDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import CommandDiscovery as CommandDiscovery
    from .config import DiscoveryConfig as DiscoveryConfig
    from .config import PuppetDbConfig as PuppetDbConfig
    from .find import list_nodes as list_nodes
    from .flatfile import names_in as names_in
    from .inventory import INVENTORY_SCHEMA as INVENTORY_SCHEMA
    from .inventory import Inventory as Inventory
    from .inventory import parse_inventory as parse_inventory
    from .kinds import ALIASES as ALIASES
    from .kinds import GROUP_PREFIX as GROUP_PREFIX
    from .kinds import Method as Method
    from .kinds import check_filter as check_filter
    from .kinds import parse_method as parse_method
    from .kinds import parse_options as parse_options
    from .names import MAX_NODES as MAX_NODES
    from .names import checked_names as checked_names
    from .puppetdb import SRV_SERVICE as SRV_SERVICE
    from .puppetdb import PuppetDb as PuppetDb
    from .puppetdb import parse_url as parse_url
    from .reading import MAX_INVENTORY_BYTES as MAX_INVENTORY_BYTES
    from .reading import MAX_LIST_BYTES as MAX_LIST_BYTES
    from .reading import STDIN as STDIN
    from .reading import read_source as read_source
    from .reading import stdin_is_pipe as stdin_is_pipe
    from .wanted import Listed as Listed
    from .wanted import Wanted as Wanted
    from .wanted import check_wanted as check_wanted
else:
    from choria._lazy import lazily

    __getattr__, __dir__ = lazily(__name__, {
        ".config": ("CommandDiscovery", "DiscoveryConfig", "PuppetDbConfig"),
        ".find": ("list_nodes",),
        ".flatfile": ("names_in",),
        ".inventory": ("INVENTORY_SCHEMA", "Inventory", "parse_inventory"),
        ".kinds": ("ALIASES", "GROUP_PREFIX", "Method", "check_filter", "parse_method", "parse_options"),
        ".names": ("MAX_NODES", "checked_names"),
        ".puppetdb": ("SRV_SERVICE", "PuppetDb", "parse_url"),
        ".reading": ("MAX_INVENTORY_BYTES", "MAX_LIST_BYTES", "STDIN", "read_source", "stdin_is_pipe"),
        ".wanted": ("Listed", "Wanted", "check_wanted"),
    })  # fmt: skip
