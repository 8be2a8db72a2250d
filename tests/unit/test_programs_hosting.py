"""Agents of installed distributions, by entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from choria.agents import Agent, action
from choria.programs.hosting import ENTRY_POINTS, installed_agents


class Mine(Agent):
    """Ours."""

    @action()
    async def act(self) -> dict[str, Any]:
        """Act."""
        return {}


class Rpcutil(Mine):
    """Takes a name that is not its own."""


class Broken(Mine):
    """Cannot be made."""

    def __init__(self) -> None:
        raise OSError("no such device")


def point(name: str) -> EntryPoint:
    return EntryPoint(name.lower(), f"{__name__}:{name}", ENTRY_POINTS)


def test_what_loads_is_hosted_and_what_does_not_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {"mine": Mine, "rpcutil": Rpcutil, "broken": Broken, "odd": dict}
    monkeypatch.setattr(EntryPoint, "load", lambda self: kinds[self.name])
    found = installed_agents(point(name) for name in ("Broken", "Mine", "Rpcutil", "Odd"))
    assert [agent.ddl.name for agent in found] == ["mine"]
    for said in ("no such device", "rpcutil is reserved", "is no class of choria.agents.Agent"):
        assert said in caplog.text


def test_without_a_list_the_installed_ones_are_asked_for() -> None:
    assert list(installed_agents()) == []
