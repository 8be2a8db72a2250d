"""Our programs on certificates of a real Puppet CA, made offline with Puppet Server's own tool.

RSA-4096, an intermediate CA, critical purposes, names as Puppet writes them. One thing is ours: a
running server would be needed to revoke, so that the new list is signed here with the CA's key.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from choria.ca import KeyPair
from choria.net import wall_clock_ms
from choria.programs.demo import Stage, free_port
from choria.programs.demo_story import DISCOVERY_POLICY
from tests.support.fleet import a_stage, log_says
from tests.support.puppet_world import PuppetWorld

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]
Run = Callable[..., str]

BROKER, RIP, EVE = "broker.test.local", "rip.mcollective", "eve.mcollective"
IMPOSTOR = "impostor.test.local"  # a node whose certificate fits the broker's address
NODE = os.uname().nodename.lower()  # so that a node finds its certificate by itself
HOME_FOLDER = ".puppetlabs/etc/puppet/ssl"
POLICY = f"policy default deny\nallow\tchoria={RIP}\t*\t*\t*\n"

PUPPET_CONF = """[main]
confdir = {folder}
vardir = {folder}/var
ssldir = {folder}/ssl
cadir = {folder}/ca
certname = {certname}
ca_server = localhost
ca_port = {port}
"""


@dataclass(frozen=True)
class Ca:
    """What the tool has made, and a successor of its revocation list that names ``EVE``."""

    ssl: Path
    newer_list: bytes

    def serial(self, certname: str) -> int:
        return _certificate(self.ssl / "certs" / f"{certname}.pem").serial_number


@pytest.fixture(scope="module")
def ca(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Ca:
    folder = tmp_path_factory.mktemp("puppet")
    config = folder / "puppet.conf"
    config.write_text(PUPPET_CONF.format(folder=folder, certname=BROKER, port=free_port()))
    tool = ("puppetserver", "ca")
    run(
        *tool, "setup", "--config", str(config), "--subject-alt-names", "localhost,alias.test.local"
    )
    generate = (*tool, "generate", "--config", str(config), "--ca-client", "--force")
    run(*generate, "--certname", f"{NODE},{RIP},{EVE}")
    run(*generate, "--certname", IMPOSTOR, "--subject-alt-names", "localhost")
    return Ca(folder / "ssl", _newer_list(folder))


def _newer_list(folder: Path) -> bytes:
    certificates = x509.load_pem_x509_certificates((folder / "ca" / "ca_crt.pem").read_bytes())
    keys = [
        load_pem_private_key((folder / "ca" / name).read_bytes(), password=None)
        for name in ("ca_key.pem", "root_key.pem")
    ]
    issuing, root = (KeyPair(*pair) for pair in zip(certificates, keys, strict=True))
    eve = _certificate(folder / "ssl" / "certs" / f"{EVE}.pem").serial_number
    return PuppetWorld(root, issuing, wall_clock_ms()).crls(eve, number=1)


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.fixture
def home(ca: Ca, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's and a node's home, where Puppet without root keeps its folder."""
    folder = tmp_path / "home" / HOME_FOLDER
    shutil.copytree(ca.ssl, folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOGNAME", "rip")
    return folder


@asynccontextmanager
async def a_puppet_fleet(ca: Ca, folder: Path, *, certname: str = BROKER) -> AsyncIterator[Stage]:
    """A broker and a node; of certificates only the broker's is configured: two live on one machine."""
    shutil.copytree(ca.ssl, folder / "ssl", dirs_exist_ok=True)
    async with a_stage(folder) as stage:
        address = f"localhost:{stage.port}"
        stage.write(
            "broker.toml",
            f'credentials = "ssl"\nlisten = ["{address}"]\nready_file = "ready"\n'
            f'puppet.certname = "{certname}"\n',
        )
        reach = f'brokers = ["{address}"]\nconnect_timeout_s = 5\n'
        stage.write("client.toml", reach)
        stage.write("named.toml", f'{reach}puppet.brokers = ["{BROKER}"]\n')
        stage.write("policies/default.policy", POLICY)
        stage.write("policies/discovery.policy", DISCOVERY_POLICY)
        stage.write(
            "node.toml",
            f'brokers = ["{address}"]\npolicies = "policies"\nstate = "state"\naudit_log = "audit.log"\n',
        )
        await stage.start("broker", "--config", "broker.toml", log="broker.log")
        await log_says(stage, "broker", "listens on")
        await stage.start("node", "--config", "node.toml", log="node.log")
        yield stage


async def test_ping_and_a_signed_call(ca: Ca, home: Path, tmp_path: Path) -> None:
    async with a_puppet_fleet(ca, tmp_path) as stage:
        await log_says(stage, "node", f"welcomed by broker {BROKER}")
        await log_says(stage, "node", "serving ")
        ping = await stage.run("ping", "--json", "--config", "client.toml", contains=[NODE])
        assert json.loads(ping.output)
        await stage.run(
            "call", "rpcutil", "ping", "--config", "client.toml", "--json", contains=[NODE, "pong"]
        )
        audit = (tmp_path / "audit.log").read_text()
        assert f"choria={RIP}" in audit
        broker = (tmp_path / "broker.log").read_text()
        assert f"broker {BROKER} of network p-" in broker


async def test_a_plain_node_is_nobodys_broker(ca: Ca, home: Path, tmp_path: Path) -> None:
    async with a_puppet_fleet(ca, tmp_path, certname=IMPOSTOR) as stage:
        says = [f"node {IMPOSTOR}: a broker is wanted here"]
        await stage.run("ping", "--config", "named.toml", exits=8, contains=says)
    async with a_puppet_fleet(ca, tmp_path, certname=NODE) as stage:
        says = ["broker's certificate refused: Hostname mismatch"]
        await stage.run("ping", "--config", "client.toml", exits=8, contains=says)
        await log_says(stage, "node", "Hostname mismatch")


async def test_the_revoked_are_refused(ca: Ca, home: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MCOLLECTIVE_CERTNAME", EVE)
    revoked = f"client {EVE} (serial {ca.serial(EVE):x}) was revoked by its issuer"
    async with a_puppet_fleet(ca, tmp_path) as stage:
        await log_says(stage, "node", f"welcomed by broker {BROKER}")
        await log_says(stage, "node", "serving ")
        await stage.run("ping", "--config", "client.toml", contains=[NODE])  # nobody has heard yet
        _renew(tmp_path / "ssl", ca)
        await log_says(stage, "broker", "was read again")
        await stage.run("ping", "--config", "client.toml", exits=7, contains=[revoked])
        await log_says(stage, "broker", revoked)
        _renew(home, ca)  # now she knows it herself
        await stage.run("ping", "--config", "client.toml", exits=1, contains=[revoked])
        monkeypatch.delenv("MCOLLECTIVE_CERTNAME")
        await stage.run("ping", "--config", "client.toml", contains=[NODE])


def _renew(folder: Path, ca: Ca) -> None:
    beside = folder / "crl.new"
    beside.write_bytes(ca.newer_list)
    beside.replace(folder / "crl.pem")
