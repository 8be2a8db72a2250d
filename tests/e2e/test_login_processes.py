"""Logging in as a user does, with real processes: init, the service, a kit, login, calls, and what fails."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from choria.programs.demo import free_port
from tests.support.machines import Machine, machines

pytestmark = pytest.mark.timeout(180)
PASSWORD = "correct horse"  # noqa: S105  # of nobody
POLICY = "policy default deny\nallow\tup=rip\t*\t*\t*\n"


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A socket's path has a hundred bytes at most, and pytest's folders are long."""
    with tempfile.TemporaryDirectory(prefix="ct") as folder:
        yield Path(folder)


@dataclass
class Network:
    """A network on one machine whose node obeys ``up=rip``, and a user's machine with the kit."""

    operator: Machine
    user: Machine
    folder: Path

    async def add(self, name: str, *limits: str) -> None:
        words = [word for limit in limits for word in ("--allow", limit)]
        await self.operator.run(
            "aaa", "user", "add", name, *words, "--password-stdin", stdin=f"{PASSWORD}\n"
        )

    async def login(self, password: str = PASSWORD, *words: str, exits: int = 0) -> tuple[str, str]:
        return await self.user.run(
            "login", "--user", "rip", "--password-stdin", *words, stdin=f"{password}\n", exits=exits
        )

    def audited(self, log: str = "net/node/audit.log") -> list[dict[str, Any]]:
        text = (self.operator.home / log).read_text()
        return [json.loads(line) for line in text.splitlines()]


@asynccontextmanager
async def a_network(folder: Path) -> AsyncIterator[Network]:
    port, enrol_port = free_port(), free_port()
    async with machines(folder) as (operator, user):
        await operator.run(
            "init", "net", "--network", "alpha", "--host", "127.0.0.1", "--operator", "root",
            "--port", str(port), "--enrol-port", str(enrol_port),
        )  # fmt: skip
        (operator.home / "net/node/policies/default.policy").write_text(POLICY)
        await operator.run("aaa", "init", "net/aaa")
        await operator.run("aaa", "kit", "kit")
        user.config.mkdir(parents=True)
        (operator.home / "kit").rename(user.config / "kit")
        for path in (user.config / "kit").iterdir():
            path.rename(user.config / path.name)
        await operator.start("broker", "--config", "net/broker.toml", log="broker.log")
        await operator.log_says("broker.log", "listens on")
        await operator.start("aaa", "run", log="aaa.log")
        await operator.log_says("aaa.log", "logins to network alpha")
        await operator.start("node", "--config", "net/node.toml", log="node.log")
        await operator.log_says("node.log", "serving ")
        yield Network(operator, user, operator.home / "net")


async def test_a_user_without_a_certificate_logs_in_and_calls_what_she_may(
    short_path: Path,
) -> None:
    async with a_network(short_path) as net:
        await net.add("rip", "rpcutil.ping")
        _, err = await net.user.run("ping", exits=1)
        assert "choria-trio login" in err
        _, err = await net.login("wrong password", exits=1)
        assert "user or password are wrong" in err
        out, _ = await net.login()
        assert "as up=rip, by aaa" in out
        assert "May call at most: rpcutil.ping" in out

        out, _ = await net.user.run("call", "rpcutil", "ping", "--json")
        assert json.loads(out)["replies"][0]["statuscode"] == 0
        allowed = net.audited()[-1]
        assert (allowed["caller"], allowed["via"]) == ("up=rip", "aaa")
        assert allowed["limits"] == ["rpcutil.ping"]

        out, _ = await net.user.run("call", "rpcutil", "get_fact", "fact=kernel", "--json", exits=7)
        assert "your login at aaa does not allow rpcutil.get_fact" in out
        denied = next(line for line in net.audited() if line["outcome"] == "outside-limits")
        assert denied["credential"] == allowed["credential"]
        await net.operator.run("audit", "verify", "net/node/audit.log")
        await net.operator.run("audit", "verify", "net/aaa/audit.log")

        issued = net.audited("net/aaa/audit.log")
        assert [(line["outcome"], line["sender"]) for line in issued] == [
            ("denied", "rip"), ("allowed", "up.rip"),
        ]  # fmt: skip
        assert issued[-1]["credential"] == allowed["credential"]
        assert PASSWORD not in "".join(path.read_text() for path in net.operator.home.glob("*.log"))


async def test_status_logout_and_what_stays_on_disk(short_path: Path) -> None:
    async with a_network(short_path) as net:
        await net.add("rip", "*")
        out, _ = await net.user.run("login", "--status", exits=1)
        assert "Nobody is logged in" in out
        await net.login()
        await net.login()
        state = net.user.home / ".local/state/choria-trio/logins"
        secret = [path for path in state.rglob("*") if path.is_file() and path.suffix != ".pem"]
        secret += state.rglob("key.pem")
        assert len(secret) >= 3
        assert all(path.stat().st_mode & 0o077 == 0 for path in secret)
        out, _ = await net.user.run("login", "--status", "--json")
        document = json.loads(out)
        assert document["valid"] is True
        assert document["login"]["caller"] == "up=rip"
        out, _ = await net.user.run("logout")
        assert "up=rip is logged out" in out
        assert not state.exists()
        await net.user.run("ping", exits=1)


async def test_a_login_that_has_ended_says_what_to_run(short_path: Path) -> None:
    async with a_network(short_path) as net:
        await net.add("rip", "*")
        await net.login()
        facts = net.user.home / ".local/state/choria-trio/logins/current/login.json"
        known = json.loads(facts.read_text())
        facts.write_text(json.dumps(known | {"ends_s": known["issued_s"]}))
        _, err = await net.user.run("ping", exits=1)
        assert "your login as up=rip ended" in err
        assert "choria-trio login" in err
        out, _ = await net.user.run("login", "--status", exits=1)
        assert "ended" in out


async def test_a_user_who_takes_the_limits_off_is_refused_by_the_node(short_path: Path) -> None:
    # CWP-21.5-2
    async with a_network(short_path) as net:
        await net.add("rip", "rpcutil.ping")
        await net.login()
        current = net.user.home / ".local/state/choria-trio/logins/current"
        (current / "credential.cwt").unlink()
        out, _ = await net.user.run("ping", "--json", exits=7)
        assert "none came" in out
        assert net.audited()[-1]["outcome"] == "uncredentialed"


async def test_guesses_lock_the_user(short_path: Path) -> None:
    # CWP-21.3-7, CWP-21.2-1
    async with a_network(short_path) as net:
        await net.add("rip", "*")
        for _ in range(6):
            await net.login("wrong password", exits=1)
        _, err = await net.login(exits=1)
        assert "locked for a while" in err


async def test_a_door_without_a_service_says_so(short_path: Path) -> None:
    # CWP-21.2-1
    async with a_network(short_path) as net:
        os.unlink(net.folder / "aaa/login.sock")  # noqa: PTH108
        with trio.fail_after(60):
            _, err = await net.login(exits=1)
        assert "no login service answers" in err


async def test_users_are_managed_and_passwords_never_stand_in_arguments(short_path: Path) -> None:
    async with machines(short_path) as (operator, _):
        await operator.run("init", "net", "--network", "alpha", "--host", "127.0.0.1")
        await operator.run("aaa", "init", "net/aaa")
        _, err = await operator.run("aaa", "init", "net/aaa", exits=1)
        assert "not empty" in err
        line = f"{PASSWORD}\n"
        await operator.run(
            "aaa", "user", "add", "rip", "--allow", "*", "--password-stdin", stdin=line
        )
        _, err = await operator.run(
            "aaa", "user", "add", "rip", "--allow", "*", "--password-stdin", stdin=line, exits=1
        )
        assert "there is a user rip already" in err
        _, err = await operator.run("aaa", "user", "add", "max", "--allow", "*", exits=2)
        assert "--password-stdin" in err
        _, err = await operator.run(
            "aaa",
            "user",
            "add",
            "max",
            "--allow",
            "*",
            "--grant",
            "broker-admin",
            "--password-stdin",
            stdin=line,
            exits=1,
        )
        assert "cannot be granted by a login" in err
        out, _ = await operator.run("aaa", "user", "list", "--json")
        assert [user["name"] for user in json.loads(out)["users"]] == ["rip"]
        assert "argon2" not in out
        await operator.run(
            "aaa", "user", "passwd", "rip", "--password-stdin", stdin="another one\n"
        )
        await operator.run("aaa", "user", "disable", "rip")
        out, _ = await operator.run("aaa", "user", "list")
        assert "disabled" in out
        await operator.run("aaa", "user", "remove", "rip")
        _, err = await operator.run("aaa", "user", "remove", "rip", exits=1)
        assert "there is no user rip" in err
