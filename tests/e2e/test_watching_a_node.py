"""A node as a process: its status file, its data plugins in filters, and both once it is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from choria.programs.status_file import read_status
from tests.support.fleet import a_fleet, ask, kill, log_says

pytestmark = pytest.mark.timeout(180)

BACKUP = '''
from typing import Any
from choria.agents import Agent, action, data

class Backup(Agent):
    """Backups."""

    @data(name="backup", queries=["db", "web"])
    async def newest(self, what: str) -> dict[str, Any]:
        """The newest backup."""
        return {"age_days": len(what)}

    @action()
    async def start(self) -> None:
        """Start one."""
'''


def outcomes(folder: Path) -> dict[str, int]:
    counts: dict[str, int] = read_status(folder / "state/node1/status.json")["outcomes"]
    return counts


async def test_status_and_data_plugins_of_a_running_node(tmp_path: Path) -> None:
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "backup.py").write_text(BACKUP)
    async with a_fleet(tmp_path, nodes=1) as stage:
        await log_says(stage, "node1", "agent backup")
        asked = ("call", "rpcutil", "get_data", "source=backup", "query=web")
        reply = (await ask(stage, *asked))["replies"][0]
        assert reply["data"] == {"age_days": 3}
        young = 'backup("db").age_days == 2 and choria().connected_broker == "broker1"'
        assert (await ask(stage, "call", "rpcutil", "ping", "-S", young))["request_stats"][
            "ok"
        ] == 1
        await ask(stage, "call", "rpcutil", "ping", "-S", "absent().x", exits=3)
        mistyped = ("call", "rpcutil", "ping", "--config", "client.toml", "-S", 'wiht("x")')
        assert "did you mean with()?" in (await stage.run(*mistyped, exits=2)).errors

        with trio.fail_after(30):
            while "not-matched" not in outcomes(tmp_path):  # noqa: ASYNC110  # another process
                await trio.sleep(0.2)
        step = await stage.run("node", "status", "--json", "--config", "node1.toml", exits=0)
        said = json.loads(step.output)
        status = said["status"]
        assert said["health"] == "ok"
        assert status["broker"] == "broker1"
        assert status["agents"]["backup"]["origin"].endswith("agents/backup.py")
        assert status["agents"]["package"]["origin"] == "choria-trio"
        assert status["data"]["backup"]["age_s"] >= 0
        assert status["certificate"]["expires_ms"] > status["written_ms"]
        from_afar = (await ask(stage, "call", "choria_util", "status"))["replies"][0]["data"]
        assert from_afar.keys() == status.keys()

        await kill(stage, "node1")
        gone = await stage.run("node", "status", "--config", "node1.toml", exits=1)
        assert "the node is gone" in gone.output
