"""From nothing to a second machine's node that answers: init, invite, the line, ping."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from choria.enrol import TOKEN_PREFIX
from choria.programs.demo import free_port
from tests.support.machines import Machine, machines, typed_after

pytestmark = pytest.mark.timeout(180)
CHECKOUT = Path(__file__).parents[2]


async def a_network(first: Machine) -> None:
    """``init``, on ports that are free here, with the broker in the foreground."""
    ports = ["--port", str(free_port()), "--enrol-port", str(free_port())]
    await first.start(
        "init", "net", "--network", "alpha", "--host", "127.0.0.1", "--operator", "rip",
        *ports, "--start", log="broker.log",
    )  # fmt: skip
    await first.log_says("broker.log", "listens on")


async def who_answers(first: Machine) -> set[str]:
    out, _ = await first.run("ping", "--json")
    return {node["sender"] for node in json.loads(out)["nodes"]}


NO_SECRETS = {"status.json", "seen.json"}
"""For monitoring, which is somebody else, and for the shell: how a node is, and names of nodes."""


def secrets_open_to_others(folder: Path) -> list[Path]:
    kinds = (".key", ".json", ".jsonl")
    secret = [p for p in folder.rglob("*") if p.suffix in kinds and p.name not in NO_SECRETS]
    secret += folder.rglob("key.pem")
    assert len(secret) > 8
    return [path for path in secret if path.stat().st_mode & 0o077]


async def test_four_commands(tmp_path: Path) -> None:
    async with machines(tmp_path) as (first, second):
        await a_network(first)
        line, told = await first.run("invite", "web1", "--from", str(CHECKOUT))
        assert line.count("\n") == 1
        assert "once, within 60 minutes" in told
        words, token = typed_after(line)
        assert TOKEN_PREFIX not in " ".join(words)
        process = await second.start(*words, stdin=token, log="join.log")
        await second.log_says("join.log", "serving ")
        assert await who_answers(first) == {"web1"}

        out, _ = await first.run(
            "call", "rpcutil", "get_fact", "fact=kernel", "--json", "-I", "web1"
        )
        assert json.loads(out)["replies"][0]["statuscode"] == 0
        await first.run("call", "package", "status", "package=bash", "-I", "web1", exits=7)

        words, _ = typed_after(line)
        _, error = await first.run("join", "again", "--name", "web1", stdin=token, exits=1)
        assert "spent" in error
        listed, _ = await first.run("ca", "list")
        assert listed.count("node web1") == 1
        verified, _ = await first.run("audit", "verify", "net/ca/enrol.log")
        assert "2" in verified
        assert secrets_open_to_others(tmp_path) == []
        assert process.returncode is None


async def test_this_machine_and_its_first_node(tmp_path: Path) -> None:
    async with machines(tmp_path, 1) as (first,):
        await a_network(first)
        await first.start("node", "--config", "net/node.toml", log="node.log")
        await first.log_says("node.log", "serving ")
        (name,) = await who_answers(first)
        await first.run("call", "package", "status", "package=bash", "-I", name)
        for words in (["init", "net"], ["init", "other"]):
            _, error = await first.run(*words, exits=1)
            assert "already" in error
        assert not (first.home / "other").exists()


async def test_approval_by_hand_and_revocation(tmp_path: Path) -> None:
    async with machines(tmp_path) as (first, second):
        await a_network(first)
        line, _ = await first.run("invite", "web*", "--approve", "--allow-all")
        words, token = typed_after(line)
        await second.start(*words, "--name", "web7", stdin=token, log="join.log")
        await second.log_says("join.log", "choria-trio ca sign web7")
        waiting, _ = await first.run("ca", "pending")
        key = waiting.split(" key ")[1].split()[0]
        assert waiting.startswith("web7")
        assert key in (second.home / "join.log").read_text()
        await first.run("ca", "sign", "web7")
        await second.log_says("join.log", "serving ")
        assert await who_answers(first) == {"web7"}
        await first.run("call", "package", "status", "package=bash", "-I", "web7")
        assert await first.run("ca", "pending") == ("", "")
        revoked, _ = await first.run("ca", "revoke", "web7", "--reason", "sold")
        assert "node web7: revoked" in revoked
        written, _ = await first.run("ca", "crl", "nodes")
        assert (first.home / "net/ca/crl/nodes.pem").read_text().startswith("-----BEGIN X509 CRL")
        assert "crl/nodes.pem" in written
        assert "web7" not in (await first.run("ca", "list"))[0]
        assert "sold" in (await first.run("ca", "list", "--all"))[0]


async def test_the_token_is_in_no_process_s_arguments(tmp_path: Path) -> None:
    async with machines(tmp_path) as (first, second):
        await a_network(first)
        line, _ = await first.run("invite", "web1")
        words, token = typed_after(line)
        process = await second.start(*words, stdin=token, log="join.log")
        await second.log_says("join.log", "serving ")
        assert places_of(token.strip().removeprefix(TOKEN_PREFIX), tmp_path, process.pid) == []


def places_of(secret: str, folder: Path, pid: int) -> list[Path]:
    """Files and processes' faces that hold ``secret``."""
    faces = [Path(f"/proc/{pid}/{kind}") for kind in ("cmdline", "environ")]
    paths = [*faces, *(path for path in folder.rglob("*") if path.is_file())]
    return [path for path in paths if secret.encode() in path.read_bytes()]


async def test_in_the_background_as_over_ssh(tmp_path: Path) -> None:
    async with machines(tmp_path) as (first, second):
        await a_network(first)
        token, _ = await first.run("invite", "web1", "--token-only")
        out, _ = await second.run("join", "--start", "background", stdin=token)
        pid = int(out.split("process ")[1].split()[0])
        try:
            assert await who_answers(first) == {"web1"}
        finally:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (["join"], "", "no token"),
        (["join"], "hunter2\n", "no token"),
        (["join"], "cwpe1-AAAA\n", "damaged"),
        (["invite"], "", "no CA"),
        (["ca", "list"], "", "no CA"),
        (["ca", "list", "--ca", "nowhere"], "", "nowhere"),
        (["ca", "revoke"], "", "one of the two"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_wrong_input(tmp_path: Path, words: list[str], stdin: str, says: str) -> None:
    async with machines(tmp_path, 1) as (first,):
        if words[-1] == "revoke":
            words = [*words, "--ca", "."]
        _, error = await first.run(*words, stdin=stdin, exits=1)
        assert says in error
        assert "hunter2" not in error
