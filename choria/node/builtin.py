"""The two agents that every node hosts: who is there, and with which certificate it signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from choria.ddl import AgentDDL, parse_ddl
from choria.messages import CERTIFICATE_AGENT, DISCOVERY_AGENT, GET_ACTION, PING_ACTION

from .ports import Action, ActionContext


@dataclass(frozen=True, slots=True)
class BuiltinAgent:
    """A DDL and its functions."""

    ddl: AgentDDL
    actions: Mapping[str, Action]


BUILTIN_POLICIES: Final[Mapping[str, str]] = {
    "certificate.policy": "allow\t*\t*\t*\t*\n",
}
"""Policies of built-in agents; files of the same names in the policies folder replace them.

A certificate is no secret: our signed replies name it, and whoever may call us needs it. Discovery has
no such policy. Choria's is under none at all, but a discovery carries filters, and whoever may ask with
filters reads every fact by bisection (C4): it is an action like any other, under ``discovery.policy`` or
``default.policy``, and denied where there is neither.
"""


def discovery_agent() -> BuiltinAgent:
    """``discovery``: ``ping`` answers yes; a node whose filter does not match has said no before."""

    async def ping(_inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
        return {"pong": context.now_ms // 1000}

    return BuiltinAgent(parse_ddl(_DISCOVERY), {PING_ACTION: ping})


def certificate_agent(certificate_der: bytes) -> BuiltinAgent:
    """``certificate``: ``get`` gives the certificate whose hash our signed replies name."""

    async def get(_inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        return {"certificate": certificate_der}

    return BuiltinAgent(parse_ddl(_CERTIFICATE), {GET_ACTION: get})


def _document(name: str, description: str, action: dict[str, Any]) -> dict[str, Any]:
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
    return {"metadata": metadata, "actions": [action]}


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
        "output": {"certificate": {"description": "Certificate, DER", "display_as": "Certificate"}},
    },
)
