"""``choria_registry`` and `ruby_ddl`: interfaces of agents and data plugins, in both formats."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from choria.agents import shipped_agents
from choria.ddl import check_inputs, parse_ddl, ruby_ddl
from choria.errors import AgentError
from choria.node import ActionContext, DataPlugin
from choria.node.builtin import registry_agent
from tests.support.agent_context import a_context

REGISTRY = registry_agent()
PLUGIN = DataPlugin(
    name="mount",
    description="A file system",
    query="one of /, /var",
    outputs={"free_gb": "Room"},
    read=lambda _query: {"free_gb": 3},
)


def context() -> ActionContext:
    plain = a_context()
    hosted = tuple(agent.ddl for agent in shipped_agents())
    node = replace(plain.node, agents=lambda: hosted, data=lambda: {"mount": PLUGIN})
    return replace(plain, node=node)


async def ask(action: str, **given: Any) -> dict[str, Any]:
    inputs = check_inputs(REGISTRY.ddl.actions[action], given)
    return await REGISTRY.actions[action](inputs, context())


async def test_names_of_agents_and_of_data_plugins() -> None:
    assert "rpcutil" in (await ask("names"))["names"]
    assert await ask("names", plugin_type="data") == {"names": ["mount"]}


async def test_an_agent_in_json_is_what_the_node_read() -> None:
    found = await ask("ddl", name="package")
    assert (found["plugin_type"], found["name"], found["version"]) == ("agent", "package", "0.1.0")
    assert parse_ddl(found["ddl"].encode()) == next(
        agent.ddl for agent in shipped_agents() if agent.ddl.name == "package"
    )


async def test_an_agent_in_ruby() -> None:
    text = (await ask("ddl", name="rpcutil", format="ddl"))["ddl"]
    assert text.startswith("metadata :name => 'rpcutil',\n         :description => 'What a node")
    assert "action 'get_fact', :description => " in text
    assert "  input :source,\n        :prompt => 'Data plugin'" in text
    assert ":validation => '\\\\A\\\\w+\\\\z'" in text
    assert "    aggregate summary(:collectives)" in text


async def test_a_data_plugin_is_told_as_choria_tells_them() -> None:
    found = await ask("ddl", plugin_type="data", name="mount")
    document = json.loads(found["ddl"])
    assert document["metadata"]["name"] == "mount"
    assert document["query"]["description"] == "one of /, /var"
    assert document["output"] == {"free_gb": {"description": "Room", "display_as": "Free gb"}}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "gone"}, "no agent gone is hosted here"),
        ({"name": "gone", "plugin_type": "data"}, "there is no data plugin gone here"),
        ({"name": "mount", "plugin_type": "data", "format": "ddl"}, "are told as JSON"),
    ],
)
async def test_what_cannot_be_told(asked: dict[str, str], said: str) -> None:
    with pytest.raises(AgentError, match=said) as refused:
        await ask("ddl", **asked)
    assert refused.value.statuscode == 4


def test_no_text_of_a_ddl_becomes_ruby() -> None:
    nasty = "'; system('id') #{`id`} \\"
    action = {
        "action": "go",
        "description": nasty,
        "input": {
            "odd name": {
                "prompt": nasty,
                "type": "list",
                "list": [nasty, 1, None],
                "default": nasty,
            }
        },
        "output": {"x": {"display_as": nasty, "default": {"a": [True, 2.5]}}},
    }
    ddl = parse_ddl({"metadata": {"name": "odd", "timeout": 5}, "actions": [action]})
    text = ruby_ddl(ddl)
    assert "'\\'; system(\\'id\\') #{`id`} \\\\'" in text
    assert text.count("system(") == text.count("system(\\'id\\')")
    assert "input :'odd name'" in text
    assert ":default => {'a' => [true, 2.5]}" in text
