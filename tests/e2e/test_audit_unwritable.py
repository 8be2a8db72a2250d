"""A node whose audit log is on a full disk, as processes: it refuses, or runs if it was told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from choria.programs.demo import Stage
from tests.support.fleet import a_fleet, ask, log_says

pytestmark = pytest.mark.timeout(120)


async def restart(stage: Stage, old: str, text: str, log: str) -> None:
    """node1 again, with more in its configuration and no room for its audit log."""
    process = stage.processes[old]
    process.terminate()
    await process.wait()
    config = stage.folder / "node1.toml"
    config.write_text(config.read_text().replace("audit/node1.log", "/dev/full") + text)
    await stage.start("node", "--config", "node1.toml", log=f"{log}.log")
    await log_says(stage, log, "serving ")


async def test_a_full_disk(tmp_path: Path) -> None:
    async with a_fleet(tmp_path, nodes=1) as stage:
        await restart(stage, "node1", "", "full")
        document = await ask(stage, "ping", exits=4)  # discovery is an action like any other
        assert [each["statusmsg"] for each in document["refused"]] == [
            "this node cannot write its audit log (No space left on device), so it runs nothing"
        ]
        await log_says(stage, "full", "the audit log cannot be written, so nothing is run")
        await restart(stage, "full", '\n[audit]\nwhen_unwritable = "run"\n', "unseen")
        document = await ask(stage, "call", "rpcutil", "ping", "-I", "node1")
        assert document["replies"][0]["refusal"] is None
        await log_says(stage, "unseen", "requests run and nobody sees it")
