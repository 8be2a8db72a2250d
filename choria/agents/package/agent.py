"""The package agent: every action of MCollective's, and ``remove`` for those who type it."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from choria.agents.library import ShippedAgent, own_ddl
from choria.errors import AgentError
from choria.node import Action, ActionContext

from .dpkg import PROVIDER as APT
from .dpkg import Dpkg
from .model import Provider, Told, digest
from .rpm import Rpm

_Work: TypeAlias = Callable[[Provider, dict[str, Any]], Awaitable[dict[str, Any]]]
_CHANGES: Final = {"install": "install", "update": "update", "uninstall": "uninstall",
                   "remove": "uninstall", "purge": "purge"}  # fmt: skip
_GONE: Final = frozenset({"absent", "purged"})


def package_agent(provider: Provider | None = None) -> ShippedAgent:
    """The agent on ``provider``; without one, on the machine's own package database."""
    chosen = provider or detect_provider()
    actions = {name: _bind(chosen, work) for name, work in WORK.items()}
    actions |= {name: _bind(chosen, _change(verb)) for name, verb in _CHANGES.items()}
    return ShippedAgent(own_ddl("package"), actions)


def _bind(provider: Provider | None, work: _Work) -> Action:
    async def act(inputs: dict[str, Any], _context: ActionContext) -> dict[str, Any]:
        if provider is None:
            raise AgentError("this machine has neither dpkg nor rpm")
        return await work(provider, inputs)

    return act


def _change(verb: str) -> _Work:
    async def change(provider: Provider, inputs: dict[str, Any]) -> dict[str, Any]:
        name = inputs["package"]
        if verb == "update" and (await provider.status(name))["ensure"] in _GONE:
            raise AgentError(f"{name} is not installed, so there is nothing to update")
        said = await provider.change(verb, name, inputs.get("version", ""))
        if said.exitcode:
            raise AgentError(
                f"{provider.name} could not {verb} {name} (exit code {said.exitcode}): "
                f"{said.output[-1000:]}"
            )
        return await provider.status(name) | {"output": said.output}

    return change


async def _status(provider: Provider, inputs: dict[str, Any]) -> dict[str, Any]:
    return await provider.status(inputs["package"])


async def _count(provider: Provider, _inputs: dict[str, Any]) -> dict[str, Any]:
    return {"output": str(len(await provider.installed())), "exitcode": 0}


async def _md5(provider: Provider, _inputs: dict[str, Any]) -> dict[str, Any]:
    return {"output": digest(await provider.installed()), "exitcode": 0}


async def _refresh(provider: Provider, _inputs: dict[str, Any]) -> dict[str, Any]:
    return _checked(provider, await provider.refresh())


async def _search(provider: Provider, inputs: dict[str, Any]) -> dict[str, Any]:
    found = await provider.search(inputs["package"])
    return {"package_count": len(found), "available_packages": found}


async def _check_updates(provider: Provider, _inputs: dict[str, Any]) -> dict[str, Any]:
    said, updates = await provider.updates()
    outputs = _checked(provider, said) | {"outdated_packages": [each.plain() for each in updates]}
    return outputs | {"package_manager": provider.name}


def _checked(provider: Provider, said: Told) -> dict[str, Any]:
    if said.exitcode:
        raise AgentError(
            f"{provider.name} failed with exit code {said.exitcode}: {said.output[-1000:]}"
        )
    return {"output": said.output, "exitcode": said.exitcode}


def _only_on(names: tuple[str, ...], work: _Work) -> _Work:
    """An action that MCollective has for one package manager only."""

    async def act(provider: Provider, inputs: dict[str, Any]) -> dict[str, Any]:
        if provider.name not in names:
            raise AgentError(f"this machine has {provider.name}, not {' or '.join(names)}")
        outputs = await work(provider, inputs)
        outputs.pop("package_manager", None)
        return outputs

    return act


async def _apt_update(provider: Provider, inputs: dict[str, Any]) -> dict[str, Any]:
    return await _refresh(provider, inputs) | {"outdated_packages": []}


async def _clean(provider: Provider, inputs: dict[str, Any]) -> dict[str, Any]:
    return _checked(provider, await provider.clean(inputs.get("mode") or "all"))


_YUM: Final = ("dnf", "yum")
WORK: Final[dict[str, _Work]] = {
    "status": _status,
    "count": _count,
    "md5": _md5,
    "refresh": _refresh,
    "search": _search,
    "checkupdates": _check_updates,
    "apt_update": _only_on((APT,), _apt_update),
    "apt_checkupdates": _only_on((APT,), _check_updates),
    "yum_checkupdates": _only_on(_YUM, _check_updates),
    "yum_clean": _only_on(_YUM, _clean),
}


def detect_provider(
    which: Callable[[str], str | None] = shutil.which, root: Path = Path("/")
) -> Provider | None:
    """The database that this machine is built from; None when it has none that we know.

    dpkg's status file decides, not the tools: Debian can have rpm installed with an empty database.
    """
    if which("dpkg-query") and (root / "var/lib/dpkg/status").exists():
        return Dpkg()
    if which("rpm"):
        return Rpm("dnf" if which("dnf") else "yum")
    return None
