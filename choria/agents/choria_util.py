"""choria_util: how the node is connected and how it fares. Outputs are Choria's where they mean something."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from typing import Any, Final

import trio

from choria.node import Action, ActionContext

from .library import ShippedAgent, own_ddl
from .rpcutil import look_up

_DOMAINS: Final = ("networking.domain", "domain")
"""Facter's name for the machine's domain, and its older one."""


def choria_util_agent() -> ShippedAgent:
    """The agent, ready to be hosted."""
    return ShippedAgent(own_ddl("choria_util"), ACTIONS)


async def info(_inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """How the node is built and connected."""
    node = context.node
    return {
        "security": "x509",
        "secure_protocol": True,
        "connector": "cwp/1",
        "connector_tls": True,
        "path": os.environ.get("PATH", ""),
        "choria_version": node.version,
        "client_version": trio.__version__,
        "client_flavour": f"{platform.python_implementation()} {platform.python_version()}",
        "connected_server": node.broker(),
        "facter_domain": _domain(context.facts),
        "facter_command": shutil.which("facter") or "",
        "srv_domain": node.srv_domain,
        "using_srv": bool(node.srv_domain) and not node.brokers,
        "middleware_servers": list(node.brokers),
    }


def _domain(facts: Mapping[str, Any]) -> str:
    found = look_up(facts, _DOMAINS)
    return next((str(found[path]) for path in _DOMAINS if found[path]), "")


async def status(_inputs: dict[str, Any], context: ActionContext) -> dict[str, Any]:
    """What the status file says, of this moment."""
    return dict(context.node.status())


ACTIONS: Final[Mapping[str, Action]] = {"info": info, "status": status}
"""Action name to function: the only way from a name on the wire to this module."""
