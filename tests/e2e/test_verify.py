"""``--verify`` in real processes: signatures are asked for, and the grade is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fleet import a_fleet, ask

pytestmark = pytest.mark.timeout(120)


async def test_ping_and_discover_name_the_grade(tmp_path: Path) -> None:
    async with a_fleet(tmp_path, nodes=2) as stage:
        for command in ("ping", "discover"):
            document = await ask(stage, command)
            assert [node["grade"] for node in document["nodes"]] == ["link"] * 2
            document = await ask(stage, command, "--verify")
            assert sorted(node["sender"] for node in document["nodes"]) == ["node1", "node2"]
            assert [node["grade"] for node in document["nodes"]] == ["signed"] * 2
        text = await stage.run("ping", "--config", "client.toml")
        assert "Grade: 2 by link (the broker's word for who answered; --verify" in text.output
        text = await stage.run("ping", "--verify", "--config", "client.toml")
        assert "Grade: 2 signed" in text.output
        text = await stage.run("ping", "--verify", "-I", "node1", "--config", "client.toml")
        assert "Grade: 1 signed" in text.output
