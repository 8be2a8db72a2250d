"""The agents that every node hosts: who is there, with which certificate it signs, what it offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from choria.ddl import AgentDDL, parse_ddl
from choria.messages import CERTIFICATE_AGENT, DISCOVERY_AGENT, GET_ACTION, PING_ACTION
from choria.trust import Signer

from . import registry
from .ports import Action, ActionContext


@dataclass(frozen=True, slots=True)
class BuiltinAgent:
    """A DDL and its functions."""

    ddl: AgentDDL
    actions: Mapping[str, Action]


BUILTIN_POLICIES: Final[Mapping[str, str]] = {
    "certificate.policy": "allow\t*\t*\t*\t*\n",
    "executor.policy": "policy default deny\n",
    "shell.policy": "policy default deny\n",
    "choria_registry.policy": "policy default deny\nallow\t*\tddl\t*\t*\n",
}
"""Policies of built-in agents; files of the same names in the policies folder replace them.

A certificate is no secret: our signed replies name it, and whoever may call us needs it. An interface
is none either: it says what may be asked, nothing of this machine, and a client needs it to ask well; but
the list of all agents is under policy, as rpcutil's is. ``shell`` runs whatever its caller types, and
``executor`` shows what all callers ran: neither is ever meant by ``default.policy``. Discovery has
no such policy. Choria's is under none at all, but a discovery carries filters, and whoever may ask with
filters reads every fact by bisection (C4): it is an action like any other, under ``discovery.policy`` or
``default.policy``, and denied where there is neither.
"""


REGISTRY_AGENT: Final = "choria_registry"


def discovery_agent() -> BuiltinAgent:
    """``discovery``: ``ping`` answers yes; a node whose filter does not match has said no before."""

    async def ping(_inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        return {"pong": context.now_ms // 1000}

    return BuiltinAgent(_parsed("discovery"), {PING_ACTION: ping})


def certificate_agent(signer: Signer) -> BuiltinAgent:
    """``certificate``: ``get`` gives the certificate whose hash our signed replies name now.

    And those before it: a reply that was signed just before a renewal names one (CWP-13.3-14).
    """

    async def get(_inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        data: dict[str, Any] = {"certificate": signer.certificate_der}
        return data | ({"previous": list(signer.previous)} if signer.previous else {})

    return BuiltinAgent(_parsed("certificate"), {GET_ACTION: get})


def registry_agent() -> BuiltinAgent:
    """``choria_registry``: the interfaces of what this node hosts."""
    return BuiltinAgent(_parsed(REGISTRY_AGENT), {"names": registry.names, "ddl": registry.ddl})


@cache
def _parsed(name: str) -> AgentDDL:
    """Read once: an emulator hosts these ten thousand times."""
    documents = {"discovery": _DISCOVERY, "certificate": _CERTIFICATE, REGISTRY_AGENT: _REGISTRY}
    return parse_ddl(documents[name])


def _document(name: str, description: str, *actions: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        "name": name,
        "description": description,
        "author": "choria-trio authors",
        "license": "Apache-2.0",
        "version": "0.1.0",
        "url": "https://choria.io/",
        "timeout": 5,
        "provider": "python",
    }
    return {"metadata": metadata, "actions": list(actions)}


_DISCOVERY: Final = _document(
    DISCOVERY_AGENT,
    "Which nodes are there and match a filter",
    {
        "action": PING_ACTION,
        "description": "Whether the node is there and matches",
        "display": "always",
        "input": {},
        "output": {
            "pong": {
                "description": "Unix time at the node",
                "display_as": "Timestamp",
                "type": "integer",
            }
        },
    },
)

_CERTIFICATE: Final = _document(
    CERTIFICATE_AGENT,
    "The certificate that a node signs with",
    {
        "action": GET_ACTION,
        "description": "The node's certificate",
        "display": "always",
        "input": {},
        "output": {
            "certificate": {"description": "Certificate, DER", "display_as": "Certificate"},
            "previous": {"description": "Those before it, DER", "display_as": "Previous"},
        },
    },
)

_PLUGIN_TYPE: Final = {
    "prompt": "Plugin type", "description": "What kind of plugin", "type": "list",
    "list": ["agent", "data"], "optional": True, "default": "agent",
}  # fmt: skip
_FORMAT: Final = {
    "prompt": "Format", "description": "JSON, or the Ruby of MCollective's .ddl files", "type": "list",
    "list": ["json", "ddl"], "optional": True, "default": "json",
}  # fmt: skip
_NAME: Final = {
    "prompt": "Name", "description": "The plugin", "type": "string", "optional": False,
    "validation": "^[a-z0-9_]+$", "maxlength": 64,
}  # fmt: skip

_REGISTRY: Final = _document(
    REGISTRY_AGENT,
    "Interfaces of the agents and data plugins that a node hosts",
    {
        "action": "names",
        "description": "The agents, or data plugins, that the node has",
        "display": "always",
        "input": {"plugin_type": _PLUGIN_TYPE},
        "output": {"names": {"description": "Their names", "display_as": "Names", "type": "array"}},
        "aggregate": [{"function": "summary", "args": ["names"]}],
    },
    {
        "action": "ddl",
        "description": "The interface of one agent or data plugin",
        "display": "always",
        "input": {"name": _NAME, "plugin_type": _PLUGIN_TYPE, "format": _FORMAT},
        "output": {
            "ddl": {"description": "The DDL", "display_as": "DDL", "type": "string"},
            "name": {"description": "The plugin", "display_as": "Name", "type": "string"},
            "plugin_type": {"description": "agent or data", "display_as": "Type", "type": "string"},
            "version": {"description": "Its version", "display_as": "Version", "type": "string"},
        },
        "aggregate": [{"function": "summary", "args": ["version"]}],
    },
)
