"""Certificates and issuers are replaced while processes run, and nobody is dropped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from cryptography import x509

from choria.ca import issue
from choria.enrol import ENROL_ALPN
from choria.net import ALPN, wall_clock_ms
from choria.programs.demo import free_port
from tests.support.machines import Machine, machines

pytestmark = pytest.mark.timeout(180)
DAY_MS = 86_400_000
NODES = ("web1", "web2")


@attrs.define
class Fleet:
    """A network on one machine: broker with a door, two nodes, an operator."""

    first: Machine
    port: int
    door: int
    broker: trio.Process | None = None
    nodes: dict[str, trio.Process] = attrs.field(factory=dict)

    @property
    def net(self) -> Path:
        return self.first.home / "net"

    def text(self, log: str) -> str:
        return (self.first.home / log).read_text(errors="replace")

    async def ask(self, *names: str) -> set[str]:
        """A signed answer of each node; every one must come."""
        which = [word for name in names or NODES for word in ("-I", name)]
        out, _ = await self.first.run("call", "rpcutil", "ping", "--json", *which)
        return {each["sender"] for each in json.loads(out)["replies"]}

    async def says(self, log: str, text: str, times: int = 1) -> None:
        with trio.fail_after(60):
            while self.text(log).count(text) < times:  # noqa: ASYNC110
                await trio.sleep(0.05)

    def serial_at(self, port: int, alpn: str) -> int:
        """Of the certificate that a newcomer meets."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([alpn])
        if alpn == ALPN:
            mine = self.net / "client"
            context.load_cert_chain(mine / "certificate.pem", mine / "key.pem")
        with (
            socket.create_connection(("127.0.0.1", port), 10) as tcp,
            context.wrap_socket(tcp, server_hostname="127.0.0.1") as tls,
        ):
            der = tls.getpeercert(binary_form=True)
            assert der is not None
            return x509.load_der_x509_certificate(der).serial_number

    def serial_of(self, folder: str) -> int:
        pem = (self.net / folder / "certificate.pem").read_bytes()
        return x509.load_pem_x509_certificate(pem).serial_number

    def links(self) -> dict[str, int]:
        """How often each node was linked, and how often one was lost without GOODBYE."""
        return {name: self.text(f"{name}.log").count("welcomed by") for name in NODES}

    def lost(self) -> list[str]:
        log = self.text("broker.log")
        return [line for line in log.splitlines() if "has left" in line and "node web" in line]


def credentials_of(fleet: Fleet, name: str, age_days: int) -> None:
    issue(
        fleet.net / "ca", "node", name, fleet.net / name, now_ms=wall_clock_ms() - age_days * DAY_MS,
        days=365, force=True,
    )  # fmt: skip


def configure(fleet: Fleet, name: str, *, renews: bool) -> None:
    doors = f'doors = ["127.0.0.1:{fleet.door}"]\nrenewal_spread_s = 0\n' if renews else ""
    (fleet.net / f"{name}.toml").write_text(
        f'credentials = "{name}"\nbrokers = ["127.0.0.1:{fleet.port}"]\n{doors}'
        f'policies = "node/policies"\nstate = "state-{name}"\naudit_log = "{name}.audit"\n'
    )


@asynccontextmanager
async def a_fleet(
    tmp_path: Path, *, age_days: int = 0, renews: bool = True
) -> AsyncIterator[Fleet]:
    async with machines(tmp_path, 1) as (first,):
        fleet = Fleet(first, free_port(), free_port())
        ports = ["--port", str(fleet.port), "--enrol-port", str(fleet.door)]
        await first.run(
            "init", "net", "--network", "alpha", "--host", "127.0.0.1", "--operator", "rip", *ports
        )
        fleet.broker = await first.start("broker", "--config", "net/broker.toml", log="broker.log")
        await fleet.says("broker.log", "listens on")
        for name in NODES:
            credentials_of(fleet, name, age_days)
            configure(fleet, name, renews=renews)
            fleet.nodes[name] = await first.start(
                "node", "--config", f"net/{name}.toml", log=f"{name}.log"
            )
        for name in NODES:
            await fleet.says(f"{name}.log", "serving ")
        await all_answer(fleet)
        yield fleet


async def all_answer(fleet: Fleet) -> None:
    """Nodes load their agents after they were welcomed; other processes offer no event."""
    with trio.fail_after(60):
        while True:
            with contextlib.suppress(AssertionError):
                if await fleet.ask() == set(NODES):
                    return


async def test_nodes_renew_by_themselves_and_answer_all_the_time(tmp_path: Path) -> None:
    """CWP-18.7-1, CWP-18.7-8 and CWP-18.7-9."""
    async with a_fleet(tmp_path, age_days=300) as fleet:
        for name in NODES:
            await fleet.says(f"{name}.log", "renewed: the certificate of node")
        assert await fleet.ask() == set(NODES)
        for name in NODES:
            folder = fleet.net / name
            certificate = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
            left_ms = certificate.not_valid_after_utc.timestamp() * 1000 - wall_clock_ms()
            assert left_ms > 364 * DAY_MS
            assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
            assert not (folder / "previous").exists()
            assert "holds for 365" in fleet.text(f"{name}.log")
        assert fleet.links() == {"web1": 2, "web2": 2}
        listed, _ = await fleet.first.run("ca", "list")
        assert listed.count("node web1") == 2
        await fleet.first.run("audit", "verify", "net/ca/enrol.log")


async def test_a_broker_s_certificate_is_replaced_and_no_member_notices(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as fleet:
        before = fleet.serial_of("broker")
        assert fleet.serial_at(fleet.port, ALPN) == before
        told, _ = await fleet.first.run("ca", "renew", "net/broker")
        assert "renewed for 365 days" in told
        await fleet.says("broker.log", "strangers meet a new certificate")
        after = fleet.serial_of("broker")
        assert after != before
        assert fleet.serial_at(fleet.port, ALPN) == after
        assert fleet.serial_at(fleet.door, ENROL_ALPN) == after
        assert await fleet.ask() == set(NODES)  # the operator is a newcomer, and checks the name
        assert fleet.links() == {"web1": 1, "web2": 1}
        assert fleet.lost() == []
        token, _ = await fleet.first.run("invite", "web9", "--token-only")
        await fleet.first.run("join", "web9", stdin=token)


async def test_files_that_do_not_fit_change_nothing_and_are_complained_about(
    tmp_path: Path,
) -> None:
    """CWP-18.8-2: half-written, then whole; SIGHUP looks at once."""
    async with a_fleet(tmp_path) as fleet:
        assert fleet.broker is not None
        certificate = fleet.net / "broker" / "certificate.pem"
        whole, before = certificate.read_bytes(), fleet.serial_of("broker")
        certificate.write_bytes(whole[: len(whole) // 2])
        fleet.broker.send_signal(signal.SIGHUP)
        await fleet.says("broker.log", "do not fit together, nothing changes")
        assert fleet.serial_at(fleet.port, ALPN) == before
        assert await fleet.ask() == set(NODES)
        certificate.write_bytes(whole)
        fleet.broker.send_signal(signal.SIGHUP)
        await fleet.says("broker.log", "was read again")
        assert fleet.lost() == []


async def test_the_issuer_of_nodes_is_rotated_with_overlap(tmp_path: Path) -> None:
    """CWP-18.8-1: added, trusted, switched to, everybody renewed, the old one retired."""
    async with a_fleet(tmp_path) as fleet:
        rotate = ("ca", "rotate", "nodes")
        await fleet.first.run(*rotate, "add")
        folders = [f"net/{name}" for name in ("broker", "client", "node/credentials", *NODES)]
        await fleet.first.run("ca", "trust", *folders)
        await fleet.says("broker.log", "was read again")
        for name in NODES:
            await fleet.says(f"{name}.log", "was read again")
        _, refused = await fleet.first.run(*rotate, "retire", exits=1)
        assert "does not sign yet" in refused
        await fleet.first.run(*rotate, "switch")
        await fleet.first.run("ca", "trust", *folders)
        for name in NODES:
            await fleet.says(f"{name}.log", "renewed: ")
        assert await fleet.ask() == set(NODES)
        _, refused = await fleet.first.run(*rotate, "retire", exits=1)
        assert "1 members have no certificate" in refused  # this machine's own node never ran
        await fleet.first.run("ca", "renew", "net/node/credentials")
        retired, _ = await fleet.first.run(*rotate, "retire")
        assert "counts no more" in retired
        read_before = fleet.text("broker.log").count("new certificate or new issuers")
        await fleet.first.run("ca", "trust", *folders)
        await fleet.says("broker.log", "new certificate or new issuers", read_before + 1)
        assert await fleet.ask() == set(NODES)
        assert fleet.links() == {"web1": 2, "web2": 2}  # each moved once, none was thrown out


async def test_the_issuer_of_brokers_is_rotated_with_overlap(tmp_path: Path) -> None:
    """CWP-18.8-1: nodes that are linked stay; those who come later meet the new certificate."""
    async with a_fleet(tmp_path) as fleet:
        rotate = ("ca", "rotate", "brokers")
        await fleet.first.run(*rotate, "add")
        folders = [f"net/{name}" for name in ("broker", "client", *NODES)]
        await fleet.first.run("ca", "trust", *folders)
        for log in ("broker", *NODES):
            await fleet.says(f"{log}.log", "was read again")
        await fleet.first.run(*rotate, "switch")
        changes = fleet.text("broker.log").count("new certificate or new issuers")
        await fleet.first.run("ca", "renew", "net/broker")
        await fleet.says("broker.log", "new certificate or new issuers", changes + 1)
        assert fleet.serial_at(fleet.port, ALPN) == fleet.serial_of("broker")
        assert await fleet.ask() == set(NODES)
        await fleet.first.run(*rotate, "retire")
        await fleet.first.run("ca", "trust", *folders)
        for name in NODES:
            await fleet.says(f"{name}.log", "was read again", 2)
        assert await fleet.ask() == set(NODES)
        assert fleet.links() == {"web1": 1, "web2": 1}
        assert fleet.lost() == []
        os.kill(fleet.nodes["web1"].pid, signal.SIGKILL)
        await fleet.first.start("node", "--config", "net/web1.toml", log="again.log")
        await fleet.says("again.log", "serving ")  # a newcomer, by the new issuer alone
        await all_answer(fleet)


async def test_an_operator_is_told_before_and_after_it_is_too_late(tmp_path: Path) -> None:
    async with a_fleet(tmp_path) as fleet:
        for age_days, exits in ((364, 0), (366, 1)):
            issue(
                fleet.net / "ca", "client", "rip", fleet.net / "client",
                now_ms=wall_clock_ms() - age_days * DAY_MS, days=365, force=True,
            )  # fmt: skip
            out, err = await fleet.first.run("ping", exits=exits)
            assert ("ends on" if exits == 0 else "expired") in err
            assert f"choria-trio ca renew {fleet.net}/client" in err
            assert ("web1" in out) is (exits == 0)
        await fleet.first.run("ca", "renew", "net/client")
        assert "ends" not in (await fleet.first.run("ping"))[1]


async def test_the_root_s_word_carries_a_rotation_to_everybody(tmp_path: Path) -> None:
    """``ca bundle`` instead of files by hand: members learn of the new issuer over their links."""
    async with a_fleet(tmp_path) as fleet:
        rotate, bundle = ("ca", "rotate", "nodes"), ("ca", "bundle")
        await fleet.first.run(*rotate, "add")
        await fleet.first.run(*bundle)
        for name in NODES:
            await fleet.says(f"{name}.log", "is in force")
        await fleet.first.run(*rotate, "switch")
        await fleet.first.run(*bundle)
        for name in NODES:
            await fleet.says(f"{name}.log", "renewed: ")
        assert await fleet.ask() == set(NODES)
        await fleet.first.run("ca", "renew", "net/node/credentials")
        await fleet.first.run(*rotate, "retire")
        await fleet.first.run(*bundle)
        for name in NODES:
            await fleet.says(f"{name}.log", "is in force", 3)
        assert await fleet.ask() == set(NODES)
        assert fleet.links() == {"web1": 2, "web2": 2}
