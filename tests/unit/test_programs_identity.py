"""Who a program is: what is configured, or Puppet's folder of this machine."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from choria import ca
from choria.client import ClientConfig
from choria.errors import ConfigError
from choria.federation import RelaySide
from choria.net import PuppetConfig, wall_clock_ms
from choria.node import NodeConfig
from choria.programs.identity import credentials_from, watch_revocations
from choria.trust import Role
from tests.support.puppet_world import new_world

BROKERS = ["broker1.example.net:7422"]
SRV_NEEDS_NAMES = "brokers that are found by SRV records must be named: set puppet.brokers"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a certificate of this machine, and those of two operators."""
    world = new_world(wall_clock_ms())
    folder = tmp_path / ".puppetlabs/etc/puppet/ssl"
    world.write(folder, os.uname().nodename.lower(), "rip.mcollective", "ann.choria")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "rip")
    monkeypatch.delenv("MCOLLECTIVE_CERTNAME", raising=False)
    return folder


def test_nothing_needs_to_be_configured(home: Path):
    node = credentials_from(NodeConfig(), Role.NODE, brokers=BROKERS)
    assert (node.folder, node.principal.role) == (home, Role.NODE)
    client = credentials_from(ClientConfig(), Role.CLIENT, brokers=BROKERS)
    assert client.principal.callerid == "choria=rip.mcollective"


def test_operators_may_choose_a_certificate(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MCOLLECTIVE_CERTNAME", "ann.choria")
    assert credentials_from(ClientConfig(), Role.CLIENT).principal.name == "ann.choria"
    told = ClientConfig(puppet=PuppetConfig(certname="rip.mcollective"))
    assert credentials_from(told, Role.CLIENT).principal.name == "rip.mcollective"
    assert credentials_from(NodeConfig(), Role.NODE).principal.role is Role.NODE


def test_dns_makes_no_brokers(home: Path):
    for config, role in ((NodeConfig(), Role.NODE), (RelaySide(), Role.RELAY)):
        with pytest.raises(ConfigError, match=SRV_NEEDS_NAMES):
            credentials_from(config, role, srv_domain="example.net")
    named = NodeConfig(puppet=PuppetConfig(brokers=["broker1.example.net"]))
    assert credentials_from(named, Role.NODE, srv_domain="example.net").folder == home


def test_what_is_configured_comes_first(home: Path, tmp_path: Path):
    ca.init_ca(tmp_path / "ca", "alpha", wall_clock_ms())
    ca.issue(tmp_path / "ca", "node", "web1", tmp_path / "web1", now_ms=wall_clock_ms())
    ours = credentials_from(NodeConfig(credentials=tmp_path / "web1"), Role.NODE, srv_domain="x")
    assert (ours.network, ours.revocation_file) == ("alpha", None)
    puppets = credentials_from(NodeConfig(credentials=home), Role.NODE)
    assert puppets.revocation_file is not None
    missing = NodeConfig(puppet=PuppetConfig(ssl_folder=tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="readable here: none"):
        credentials_from(missing, Role.NODE)


async def test_without_a_list_there_is_nothing_to_watch(tmp_path: Path):
    ca.init_ca(tmp_path / "ca", "alpha", wall_clock_ms())
    ca.issue(tmp_path / "ca", "node", "web1", tmp_path / "web1", now_ms=wall_clock_ms())
    await watch_revocations(credentials_from(NodeConfig(credentials=tmp_path / "web1"), Role.NODE))


def test_a_user_without_name_and_home_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch):
    def nobody(*_: object) -> str:
        raise KeyError("getpwuid(): uid not found")

    def homeless(*_: object) -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr("choria.programs.identity.find_puppet_folder", lambda *_: None)
    with pytest.raises(ConfigError, match="no credentials are configured: make some with"):
        credentials_from(ClientConfig(), Role.CLIENT)
