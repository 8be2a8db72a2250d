"""A node as a process: agents put into its folder are called, upgraded and taken away while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from choria.programs.demo import Stage
from tests.support.fleet import a_fleet, ask, log_says

pytestmark = pytest.mark.timeout(120)

NATIVE = '''
from choria.agents import About, Agent, action

class Deploy(Agent):
    """Deploys."""
    about = About(version="{version}")

    @action(display="always")
    async def running(self) -> dict[str, str]:
        """What runs."""
        print("printed by an agent")
        return {{"version": "{version}"}}
'''
DDL = """{"metadata": {"name": "probe", "description": "Probe", "provider": "external",
"version": "1.0", "timeout": 5}, "actions": [{"action": "run", "input": {}, "output": {}}]}"""
PROGRAM = """#!/bin/sh
case $CHORIA_EXTERNAL_PROTOCOL in
  *activation_request) echo '{"activate": true}' > $CHORIA_EXTERNAL_REPLY ;;
  *) echo '{"statuscode": 0, "statusmsg": "", "data": {"said": "yes"}}' > $CHORIA_EXTERNAL_REPLY ;;
esac
"""


def put(path: Path, text: str, mode: int = 0o644) -> None:
    """A file as a deployment tool leaves it: complete at once."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(path)


def remove(path: Path) -> None:
    path.unlink()


async def called(stage: Stage, agent: str, action: str, *more: str) -> list[dict[str, object]]:
    document = await ask(stage, "call", agent, action, *more)
    return [reply["data"] for reply in document["replies"]]


async def test_agents_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "agents"
    async with a_fleet(tmp_path, nodes=1) as stage:
        folder.mkdir(mode=0o755, exist_ok=True)
        put(folder / "deploy.py", NATIVE.format(version="1.0"))
        put(folder / "probe", PROGRAM, 0o755)
        put(folder / "probe.json", DDL)
        await log_says(stage, "node1", "agent deploy 1.0 is hosted")
        await log_says(stage, "node1", "agent probe 1.0 is hosted")
        assert await called(stage, "deploy", "running") == [{"version": "1.0"}]
        assert await called(stage, "probe", "run") == [{"said": "yes"}]
        put(folder / "deploy.py", NATIVE.format(version="2.0"))
        await log_says(stage, "node1", "agent deploy 2.0 is hosted")
        assert await called(stage, "deploy", "running") == [{"version": "2.0"}]
        remove(folder / "deploy.py")
        await log_says(stage, "node1", "agent deploy is no longer there")
        with trio.fail_after(20):
            await ask(stage, "call", "deploy", "running", "-A", "deploy", exits=3)
