"""``choria_registry``: the interfaces of what a node hosts, agents and data plugins.

Inputs and outputs are those of Choria's service of the same name (choria.md 1.6).
"""

from __future__ import annotations

import json
from typing import Any, Final

from choria.ddl import ruby_ddl
from choria.errors import AgentError

from .ports import ActionContext, DataPlugin

DATA: Final = "data"
_INVALID: Final = 4
_DATA_SCHEMA: Final = "https://choria.io/schemas/mcorpc/ddl/v1/data.json"


async def names(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """The plugins of a kind."""
    if inputs["plugin_type"] == DATA:
        return {"names": sorted(context.node.data())}
    return {"names": [ddl.name for ddl in context.node.agents()]}


async def ddl(inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """The interface of one plugin.

    Raises:
        AgentError: nothing of that name is hosted here; or a data plugin is asked for in Ruby's format.
    """
    name, kind = inputs["name"], inputs["plugin_type"]
    text, version = _data(inputs, context) if kind == DATA else _agent(inputs, context)
    return {"ddl": text, "name": name, "plugin_type": kind, "version": version}


def _agent(inputs: dict[str, Any], context: ActionContext) -> tuple[str, str]:
    hosted = {each.name: each for each in context.node.agents()}
    found = hosted.get(inputs["name"])
    if found is None:
        raise AgentError(f"no agent {inputs['name']} is hosted here", statuscode=_INVALID)
    in_ruby = inputs["format"] == "ddl"
    return ruby_ddl(found) if in_ruby else json.dumps(found.source), found.metadata.version


def _data(inputs: dict[str, Any], context: ActionContext) -> tuple[str, str]:
    found = context.node.data().get(inputs["name"])
    if found is None:
        raise AgentError(f"there is no data plugin {inputs['name']} here", statuscode=_INVALID)
    if inputs["format"] != "json":
        raise AgentError("interfaces of data plugins are told as JSON", statuscode=_INVALID)
    return json.dumps(data_document(found, context.node.version)), context.node.version


def data_document(plugin: DataPlugin, version: str) -> dict[str, Any]:
    """The interface of a data plugin, as Choria has them."""
    query = {
        "prompt": "Query", "description": plugin.query, "type": "string", "optional": False,
        "validation": ".", "maxlength": 200,
    }  # fmt: skip
    document: dict[str, Any] = {
        "$schema": _DATA_SCHEMA,
        "metadata": {
            "name": plugin.name,
            "description": plugin.description,
            "author": "choria-trio authors",
            "license": "Apache-2.0",
            "version": version,
            "url": "https://choria.io/",
            "timeout": 1,
            "provider": "python",
        },
        "output": {
            name: {"description": said or name, "display_as": name.replace("_", " ").capitalize()}
            for name, said in plugin.outputs.items()
        },
    }
    return document | {"query": query} if plugin.query else document
