"""The service agent, as MCollective's: status, start, stop, restart, enable, disable."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from choria.agents.library import ShippedAgent, own_ddl
from choria.errors import AgentError
from choria.node import Action, ActionContext

from .model import Provider, check_service
from .systemd import Systemd
from .sysv import SysV

VERBS: Final = ("start", "stop", "restart", "enable", "disable")


def service_agent(provider: Provider | None = None) -> ShippedAgent:
    """The agent on ``provider``; without one, on what starts this machine's services."""
    chosen = provider or detect_provider()

    async def status(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        return await _tell(chosen, inputs["service"])

    actions: dict[str, Action] = {"status": status}
    for verb in VERBS:
        actions[verb] = _act(chosen, verb)
    return ShippedAgent(own_ddl("service"), actions)


def _act(provider: Provider | None, verb: str) -> Action:
    async def act(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        service = check_service(inputs["service"])
        await _known(provider).act(verb, service)
        return await _tell(provider, service)

    return act


async def _tell(provider: Provider | None, service: str) -> dict[str, Any]:
    known = _known(provider)
    return (await known.state(check_service(service))).outputs(known.name)


def _known(provider: Provider | None) -> Provider:
    if provider is None:
        raise AgentError("this machine has neither systemd nor the program `service`")
    return provider


def detect_provider(
    which: Callable[[str], str | None] = shutil.which, root: Path = Path("/")
) -> Provider | None:
    """What starts services on this machine; None when nothing that we know does.

    ``/run/systemd/system`` is systemd's own test (sd_booted): in a container, systemctl is there
    and answers nobody.
    """
    if (root / "run/systemd/system").is_dir() and which("systemctl"):
        return Systemd()
    return SysV() if which("service") else None
