"""Two networks, each with its own CA and broker, joined by a relay; everything a process of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from choria.programs.demo import Stage, free_port
from tests.support.fleet import a_stage, kill, log_says

pytestmark = pytest.mark.timeout(180)


async def _network(stage: Stage, network: str, port: int, other: str) -> None:
    await stage.run("ca", "init", f"{network}/ca", "--network", network)
    issue = ["ca", "issue"]
    where = ["--ca", f"{network}/ca", "--out", network]
    await stage.run(*issue, "broker", "b1", *where, "--host", "127.0.0.1")
    await stage.run(*issue, "relay", "r1", "r2", *where, "--grant", f"relay:{other}")
    stage.write(f"{network}/broker.toml", f'credentials = "b1"\nlisten = ["127.0.0.1:{port}"]\n')
    await stage.start("broker", "--config", f"{network}/broker.toml", log=f"broker-{network}.log")
    await log_says(stage, f"broker-{network}", "listens on")


def _relay(stage: Stage, name: str, alpha: int, london: int) -> None:
    sides = "".join(
        f'[{side}]\ncredentials = "{network}/{name}"\nbrokers = ["127.0.0.1:{port}"]\n'
        for side, network, port in (("left", "alpha", alpha), ("right", "london", london))
    )
    stage.write(f"{name}.toml", sides)


async def _members(stage: Stage, alpha: int, london: int) -> None:
    """Nodes in London that let alpha's operator in; a node and the operator in alpha."""
    await stage.run("ca", "issue", "client", "rip", "--ca", "alpha/ca", "--out", "alpha")
    await stage.run("ca", "issue", "node", "web1", "--ca", "alpha/ca", "--out", "alpha")
    await stage.run("ca", "issue", "node", "web1", "web2", "--ca", "london/ca", "--out", "london")
    stage.write(
        "client.toml",
        f'credentials = "alpha/rip"\nbrokers = ["127.0.0.1:{alpha}"]\n'
        '[networks]\nlondon = "london/web1/trust/nodes.pem"\n',
    )
    stage.write(
        "alpha/policies/default.policy", "policy default deny\nallow\tchoria=rip\t*\t*\t*\n"
    )
    stage.write(
        "london/policies/default.policy",
        "policy default deny\nallow\talpha:choria=rip\tping get_fact\t*\t*\n",
    )
    for network, port, names in (("alpha", alpha, ["web1"]), ("london", london, ["web1", "web2"])):
        for name in names:
            await _node(stage, network, port, name)


async def _node(stage: Stage, network: str, port: int, name: str) -> None:
    foreign = (
        '[networks]\nalpha = "../alpha/rip/trust/clients.pem"\n' if network == "london" else ""
    )
    stage.write(
        f"{network}/{name}.toml",
        f'credentials = "{name}"\nbrokers = ["127.0.0.1:{port}"]\npolicies = "policies"\n'
        f'state = "state/{name}"\naudit_log = "{name}.audit"\n{foreign}',
    )
    await stage.start("node", "--config", f"{network}/{name}.toml", log=f"{network}-{name}.log")
    await log_says(stage, f"{network}-{name}", "serving ")


@pytest.fixture
async def two_networks(tmp_path: Path) -> AsyncIterator[Stage]:
    alpha, london = free_port(), free_port()
    async with a_stage(tmp_path) as stage:
        await _network(stage, "alpha", alpha, "london")
        await _network(stage, "london", london, "alpha")
        await _members(stage, alpha, london)
        for name in ("r1", "r2"):
            _relay(stage, name, alpha, london)
            await stage.start("relay", "--config", f"{name}.toml", log=f"{name}.log")
            await log_says(stage, name, "welcomed by", times=2)
        yield stage


async def _ask(stage: Stage, *args: str, exits: int = 0):
    step = await stage.run(*args, "--json", "--config", "client.toml", exits=exits)
    return json.loads(step.output)


async def test_ping_and_a_signed_call_cross_the_relay(two_networks: Stage) -> None:
    stage = two_networks
    found = await _ask(stage, "ping", "--network", "london")
    assert [(node["sender"], node["grade"]) for node in found["nodes"]] in (
        [("web1", "relay"), ("web2", "relay")],
        [("web2", "relay"), ("web1", "relay")],
    )
    assert (found["network"], found["asked"], found["partial"]) == ("london", 2, False)
    document = await _ask(
        stage, "call", "rpcutil", "get_fact", "fact=kernel", "--network", "london"
    )
    assert {(r["sender"], r["network"], r["grade"]) for r in document["replies"]} == {
        ("web1", "london", "signed"),
        ("web2", "london", "signed"),
    }
    assert document["request_stats"]["handed"] == 2  # the receipt counts the far side
    text = await stage.run("ping", "--network", "london", "--config", "client.toml")
    assert "web1 (london)" in text.output
    # The node of the same name at home is another one, and was not asked.
    assert "get_fact" not in (stage.folder / "alpha" / "web1.audit").read_text()
    own = await _ask(stage, "ping")
    assert [(node["sender"], node["grade"]) for node in own["nodes"]] == [("web1", "link")]
    await _foreign_policy_decides(stage)
    await _one_relay_is_enough(stage)


async def _foreign_policy_decides(stage: Stage) -> None:
    """London's policy names alpha's operator, and lets her do what it says."""
    command = ["call", "package", "status", "package=bash", "--network", "london"]
    document = await _ask(stage, *command, exits=7)
    assert {reply["refusal"] for reply in document["replies"]} == {"denied"}
    audit = (stage.folder / "london" / "web1.audit").read_text().splitlines()
    assert json.loads(audit[-1])["caller"] == "alpha:choria=rip"


async def _one_relay_is_enough(stage: Stage) -> None:
    await kill(stage, "r1")
    await log_says(stage, "broker-alpha", "r1")
    document = await _ask(stage, "call", "rpcutil", "ping", "--network", "london")
    assert document["request_stats"]["ok"] == 2
    await kill(stage, "r2")
    await log_says(stage, "broker-alpha", "r2")
    await _ask(stage, "ping", "--network", "london", exits=3)
