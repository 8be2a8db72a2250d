"""The data plugins that every node has: ``choria`` and ``config_item``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from choria.ddl import is_secret_name

from .config import NodeConfig
from .plain import plain_facts
from .ports import DataPlugin, NodeInfo

MASKED: Final = "[masked]"
_MASKED_KEYS: Final = frozenset({"facts_commands"})
"""Commands may have passwords among their arguments."""


def own_plugins(
    info: NodeInfo, items: Mapping[str, Any], now_ms: Callable[[], int]
) -> tuple[DataPlugin, ...]:
    """The node's own plugins. ``items``: the configuration, as `config_items` gives it."""
    choria = DataPlugin(
        name="choria",
        description="What the node process says of itself",
        outputs={
            "identity": "Name of the node",
            "version": "Version of choria-trio",
            "uptime": "Seconds since the node started",
            "agents": "Agents that are hosted",
            "classes_count": "Configuration management classes known",
            "collectives": "Collectives that the node is in",
            "main_collective": "The first of them",
            "connected_broker": "Broker that the node is connected to; empty without one",
            "config_file": "Configuration file",
            "data_plugins": "Data plugins there are",
        },
        read=partial(_choria, info, now_ms),
    )
    config = DataPlugin(
        name="config_item",
        description="A setting of the node's configuration, defaults included",
        query="a key such as grace_s or audit.when_unwritable",
        outputs={"present": "Whether there is such a key", "value": "Its value; secrets masked"},
        read=partial(_config_item, items),
    )
    return choria, config


def _choria(info: NodeInfo, now_ms: Callable[[], int]) -> dict[str, Any]:
    return {
        "identity": info.identity,
        "version": info.version,
        "uptime": max(0, now_ms() - info.started_ms) // 1000,
        "agents": [ddl.name for ddl in info.agents()],
        "classes_count": len(info.classes()),
        "collectives": list(info.collectives),
        "main_collective": info.main_collective,
        "connected_broker": info.broker(),
        "config_file": info.config_file,
        "data_plugins": sorted(info.data()),
    }


def _config_item(items: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {"present": key in items, "value": items.get(key)}


def config_items(config: NodeConfig) -> dict[str, Any]:
    """``config`` as dotted keys to plain values; what may be a secret is masked."""
    tree = plain_facts(msgspec.to_builtins(config, enc_hook=str))
    return {key: MASKED if _hides(key) else value for key, value in _flat(tree, "").items()}


def _flat(tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found[f"{prefix}{name}"] = value
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
    return found


def _hides(key: str) -> bool:
    return key in _MASKED_KEYS or any(is_secret_name(part) for part in key.split("."))
