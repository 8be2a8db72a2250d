"""A context to call actions with, without a node."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from choria.node import ActionContext, NodeInfo
from choria.trust import Principal, Role


def a_context(
    facts: Mapping[str, Any] | None = None,
    callerid: str = "choria=rip",
    request_id: bytes = b"r" * 16,
) -> ActionContext:
    """What an action would be told of a request of ``rip``."""
    node = NodeInfo(
        identity="web1",
        version="0.1.0",
        started_ms=1_800_000_000_000,
        collectives=("choria",),
        main_collective="choria",
        config_file="/etc/choria-trio/node.toml",
        agents=tuple,
        classes=tuple,
        counters=dict,
    )
    return ActionContext(
        request_id=request_id,
        callerid=callerid,
        principal=Principal("alpha", Role.CLIENT, "rip"),
        collective="choria",
        facts=MappingProxyType(dict(facts or {})),
        node=node,
        now_ms=1_800_000_060_500,
        created_ms=1_800_000_060_000,
        ttl_ms=60_000,
    )
