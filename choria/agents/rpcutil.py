"""rpcutil: what a node says about itself. Inputs and outputs are Choria's (choria.md 1.6)."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import pygjson

from choria.errors import AgentError, FilterError
from choria.filters import Facts
from choria.node import Action, ActionContext

from .library import ShippedAgent, own_ddl


def rpcutil_agent() -> ShippedAgent:
    """The agent, ready to be hosted."""
    return ShippedAgent(own_ddl("rpcutil"), ACTIONS)


async def ping(_inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """The node's wall clock in unix seconds."""
    return {"pong": context.now_ms // 1000}


async def get_fact(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """One fact by its path; ``None`` when there is none."""
    path = inputs["fact"]
    return {"fact": path, "value": look_up(context.facts, [path])[path]}


async def get_facts(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """Several facts, separated by commas."""
    paths = [path.strip() for path in inputs["facts"].split(",")]
    return {"values": look_up(context.facts, paths)}


def look_up(facts: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """Value by path, ``None`` where there is none. Unlike a filter, this also gives whole objects.

    Raises:
        AgentError: a path that filters would refuse too; status code 4, invalid data.
    """
    text, searchable = msgspec.json.encode(dict(facts)), Facts(facts)
    try:
        for path in paths:
            searchable.lookup(path)  # refuses paths that the library could choke on
    except FilterError as wrong:
        raise AgentError(str(wrong), statuscode=4) from None
    found = {path: pygjson.get_bytes(text, path) for path in paths}
    return {path: _plain(value) if value.exists() else None for path, value in found.items()}


def _plain(found: Any) -> Any:
    """A pygjson result without its wrappers, which only know each other."""
    if not isinstance(found, pygjson.Result):
        return found
    if found.type_ is dict:
        return {key: _plain(value) for key, value in found.items()}
    return [_plain(item) for item in found] if found.type_ is list else found.value


async def collective_info(_inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """The collectives that the node is in."""
    return {
        "main_collective": context.node.main_collective,
        "collectives": list(context.node.collectives),
    }


async def agent_inventory(_inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """Every hosted agent's metadata, with Choria's field names."""
    return {
        "agents": [
            {
                "agent": ddl.name,
                "name": ddl.name,
                "description": ddl.metadata.description,
                "author": ddl.metadata.author,
                "license": ddl.metadata.license,
                "version": ddl.metadata.version,
                "url": ddl.metadata.url,
                "timeout": ddl.metadata.timeout,
            }
            for ddl in context.node.agents()
        ]
    }


async def get_config_item(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """One setting of the node. Raises AgentError when there is no such key."""
    found = read_data(context, "config_item", inputs["item"])
    if not found["present"]:
        raise AgentError(f"the configuration has no key {inputs['item']}")
    return {"item": inputs["item"], "value": found["value"]}


async def get_data(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """All that a data plugin gives; see `read_data`."""
    asked = [inputs["query"]] if inputs.get("query") is not None else []
    return read_data(context, inputs["source"], *asked)


def read_data(context: ActionContext, source: str, *query: str) -> dict[str, Any]:
    """What the data plugin ``source`` gives.

    Raises:
        AgentError: there is none, or it has nothing to give; status code 4 when the call is at fault.
    """
    plugin = context.node.data().get(source)
    if plugin is None:
        known = ", ".join(sorted(context.node.data()))
        raise AgentError(f"there is no data plugin {source} here; there are {known}", statuscode=4)
    if len(query) != bool(plugin.query):
        wanted = f"needs a query: {plugin.query}" if plugin.query else "takes no query"
        raise AgentError(f"{source} {wanted}", statuscode=4)
    try:
        return plugin.read(*query)
    except FilterError as wrong:
        raise AgentError(str(wrong)) from None


async def inventory(_inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """Everything about the node in one answer."""
    node = context.node
    return {
        "agents": _agent_names(context),
        "facts": dict(context.facts),
        "classes": list(node.classes()),
        "version": node.version,
        "main_collective": node.main_collective,
        "collectives": list(node.collectives),
        "data_plugins": sorted(node.data()),
        "machines": {},
        "upgradable": False,
    }


async def daemon_stats(_inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """Counters and resource use of the node's process."""
    node = context.node
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "agents": _agent_names(context),
        "pid": os.getpid(),
        "times": _times(),
        "starttime": node.started_ms // 1000,
        "configfile": node.config_file,
        "version": node.version,
        **_counts(node.counters()),
    }


def _agent_names(context: ActionContext) -> list[str]:
    return [ddl.name for ddl in context.node.agents()]


def _times() -> dict[str, float]:
    used = os.times()
    return {
        "utime": used.user,
        "stime": used.system,
        "cutime": used.children_user,
        "cstime": used.children_system,
    }


def _counts(counters: Mapping[str, int]) -> dict[str, int]:
    return {name: counters.get(name, 0) for name in _COUNTERS}


_COUNTERS: Final = (
    "validated", "unvalidated", "passed", "filtered", "total", "replies", "ttlexpired", "events",
)  # fmt: skip
"""Choria's names; the node counts under the same ones."""

ACTIONS: Final[Mapping[str, Action]] = {
    "agent_inventory": agent_inventory,
    "collective_info": collective_info,
    "daemon_stats": daemon_stats,
    "get_config_item": get_config_item,
    "get_data": get_data,
    "get_fact": get_fact,
    "get_facts": get_facts,
    "inventory": inventory,
    "ping": ping,
}
"""Action name to function: the only way from a name on the wire to this module."""
