"""Puppet's ssl folder: which one, which certificate in it, what it may be, and what is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from choria.errors import ChoriaError, ConfigError, TrustError
from choria.net import (
    Credentials,
    PuppetConfig,
    Whereabouts,
    find_puppet_folder,
    is_puppet_folder,
    load_puppet_credentials,
)
from choria.trust import Role
from tests.support.odd_certificates import DAY_MS, NOW_MS
from tests.support.puppet_world import PuppetWorld, new_world, rsa_key


@pytest.fixture
def world() -> PuppetWorld:
    return new_world()


def whereabouts(
    role: Role, *, hostname: str = "web1.example.net", user: str = "rip", home: Path | None = None
) -> Whereabouts:
    return Whereabouts(role=role, hostname=hostname, user=user, home=home)


NODE = whereabouts(Role.NODE)
CLIENT = whereabouts(Role.CLIENT)


def load(folder: Path, who: Whereabouts = NODE, hosts: tuple[str, ...] = (), **config: Any):
    return load_puppet_credentials(
        folder, PuppetConfig(**config), who, broker_hosts=hosts, now_ms=lambda: NOW_MS
    )


def role_at(credentials: Credentials, world: PuppetWorld, name: str, **facts: Any) -> Role:
    der = world.der(name, **facts)
    return credentials.issuers.identify(der, frozenset(Role), NOW_MS).role


WEB, DB, RIP = "web1.example.net", "db1.example.net", "rip.mcollective"


@pytest.mark.parametrize(
    ("held", "who", "config", "name"),
    [
        ([WEB], NODE, {}, WEB),
        ([DB], NODE, {}, DB),  # the only one
        ([DB, WEB], NODE, {}, WEB),  # the machine's name
        ([DB, WEB], whereabouts(Role.NODE, hostname="web1"), {}, WEB),  # its first part
        ([DB, WEB], whereabouts(Role.NODE, hostname="WEB1.Example.net"), {}, WEB),
        ([DB, RIP], NODE, {}, DB),  # an operator's is no machine's
        ([DB, WEB], NODE, {"certname": DB}, DB),
        ([WEB], whereabouts(Role.BROKER), {}, WEB),
        ([WEB], whereabouts(Role.RELAY), {}, WEB),
        ([WEB, RIP, "ann.mcollective"], CLIENT, {}, RIP),
        ([WEB, "rip.choria"], CLIENT, {}, "rip.choria"),
        ([WEB, RIP, "rip.choria"], CLIENT, {}, RIP),
        ([RIP, "boss"], CLIENT, {"certname": "boss", "clients": ["boss"]}, "boss"),
    ],
)
def test_the_certificate_is_the_machines_or_the_users(
    world: PuppetWorld, tmp_path: Path, held: list[str], who, config: dict[str, Any], name: str
):
    credentials = load(world.write(tmp_path, *held), who, **config)
    assert (credentials.principal.role, credentials.principal.name) == (who.role, name)
    assert credentials.network.startswith("p-")
    assert credentials.certificate_file == tmp_path / "certs" / f"{name}.pem"
    credentials.member_context()
    credentials.broker_context()


@pytest.mark.parametrize(
    ("held", "who", "config", "says"),
    [
        ([DB, "mail.example.net"], NODE, {}, "certificate and key of this machine, web1.example.net; readable here: db1.example.net, mail.example.net"),
        (["web1.a.net", "web1.b.net"], whereabouts(Role.NODE, hostname="web1"), {}, "want the certificate"),
        ([RIP], NODE, {}, "want the certificate"),
        ([], NODE, {}, "readable here: none"),
        ([WEB], CLIENT, {}, r"rip\.mcollective or rip\.choria for user rip"),
        ([WEB], NODE, {"certname": "../../etc/passwd"}, r"puppet\.certname"),
        ([WEB], NODE, {"certname": "nobody"}, "nobody.pem: No such file"),
        ([WEB], CLIENT, {"certname": WEB}, "a client is wanted here"),
        ([RIP], NODE, {"certname": RIP}, "a node is wanted here"),
        ([WEB], whereabouts(Role.BROKER), {"relays": [WEB]}, "named as a broker and as a relay"),
        ([WEB], NODE, {"relays": [WEB]}, "relay web1.example.net: a node is wanted here"),
        ([WEB], NODE, {"network": "London"}, "cannot be a network's name"),
    ],
)  # fmt: skip
def test_what_cannot_be_ours_says_why(
    world: PuppetWorld, tmp_path: Path, held: list[str], who, config: dict[str, Any], says: str
):
    with pytest.raises(ChoriaError, match=says):
        load(world.write(tmp_path, *held), who, **config)


def test_the_usual_places(world: PuppetWorld, tmp_path: Path):
    first, second, home = (tmp_path / name for name in ("etc", "var", "home"))
    own = home / ".puppetlabs/etc/puppet/ssl"
    system = (tmp_path / "nowhere", first, second)

    def found(role: Role, **config: Any) -> Path | None:
        return find_puppet_folder(
            PuppetConfig(**config), whereabouts(role, home=home), system=system
        )

    assert found(Role.NODE) is None
    assert found(Role.NODE, ssl_folder=first) == first
    world.write(first, DB, "mail.example.net")
    assert found(Role.NODE) == first  # so that the error says what is missing there
    world.write(second, WEB)
    assert found(Role.NODE) == second
    assert found(Role.CLIENT) == first
    world.write(second, RIP)
    assert found(Role.CLIENT) == second
    world.write(own, RIP, WEB)
    assert found(Role.CLIENT) == own  # an operator's own comes first
    assert found(Role.NODE) == second
    assert find_puppet_folder(PuppetConfig(), NODE, system=()) is None
    assert is_puppet_folder(own)
    assert not is_puppet_folder(home)


def test_members_take_for_brokers_whom_they_were_told_to_reach(world: PuppetWorld, tmp_path: Path):
    folder = world.write(tmp_path, WEB)
    told = load(folder, hosts=("Broker1.example.net.", "192.0.2.7"))
    assert role_at(told, world, "broker1.example.net") is Role.BROKER
    assert role_at(told, world, "b2", alt=["b2", "192.0.2.7"]) is Role.BROKER
    assert role_at(told, world, DB) is Role.NODE
    named = load(folder, hosts=("broker1.example.net",), brokers=[DB])  # a list is the whole list
    assert role_at(named, world, "broker1.example.net") is Role.NODE
    assert role_at(named, world, DB) is Role.BROKER


def test_a_broker_takes_for_brokers_only_itself_and_whom_it_was_told(
    world: PuppetWorld, tmp_path: Path
):
    broker = load(world.write(tmp_path, WEB), whereabouts(Role.BROKER), hosts=(DB,))
    assert role_at(broker, world, WEB) is Role.BROKER
    assert role_at(broker, world, DB) is Role.NODE


def test_a_brokers_machine_runs_a_node_too(world: PuppetWorld, tmp_path: Path):
    node = load(world.write(tmp_path, WEB), hosts=(WEB,))
    assert node.principal.role is Role.NODE


def spoil_mode(folder: Path) -> None:
    (folder / "private_keys" / f"{WEB}.pem").chmod(0o644)


def spoil_key(folder: Path) -> None:
    new_world().add(folder, new_world().certificate(WEB), WEB, rsa_key(4))


def revoke(folder: Path) -> None:
    (folder / "crl.pem").write_bytes(new_world().crls(1, number=2))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "crl.pem").unlink(), 'crl.pem: No such file.*set puppet.crl = "if-present"'),
        (lambda f: (f / "crl.pem").write_bytes(b"?"), "holds no revocation list"),
        (lambda f: (f / "crl.pem").write_bytes(b""), "no revocation list of its issuer is known"),
        (lambda f: (f / "certs" / "ca.pem").write_bytes(b"?"), "no readable certificate"),
        (lambda f: (f / "certs" / f"{WEB}.pem").write_bytes(b"?"), "no certificates in PEM"),
        (spoil_mode, "others may read this private key"),
        (spoil_key, "two files are of different issues"),
        (revoke, "was revoked by its issuer"),
    ],
)  # fmt: skip
def test_damaged_folders_say_what_is_wrong(
    world: PuppetWorld, tmp_path: Path, spoil: Callable[[Path], None], says: str
):
    folder = world.write(tmp_path, WEB)
    load(folder)
    spoil(folder)
    with pytest.raises((ConfigError, TrustError), match=says):
        load(folder)


def test_puppet_without_revocation_lists(world: PuppetWorld, tmp_path: Path):
    folder = world.write(tmp_path, WEB)
    (folder / "crl.pem").unlink()
    assert load(folder, crl="if-present").principal.name == WEB


# --- the list is read again


def newer(path: Path, data: bytes) -> None:
    """As Puppet does: a new file in the place of the old one."""
    beside = path.with_suffix(".new")
    beside.write_bytes(data)
    beside.replace(path)


def test_a_new_list_comes_into_force_while_we_run(world: PuppetWorld, tmp_path: Path, caplog):
    folder = world.write(tmp_path, WEB)
    credentials = load(folder)
    bob = world.der("bob.choria")  # serial 2
    file = credentials.revocation_file
    assert file is not None

    def known(crl: bytes) -> str:
        newer(folder / "crl.pem", crl)
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            file.refresh_now()
        return " ".join(record.message for record in caplog.records)

    file.refresh_now()
    assert credentials.issuers.identify(bob, frozenset(Role), NOW_MS).name == "bob.choria"
    assert known(world.crls(2, number=2)) == ""
    with pytest.raises(TrustError, match=r"bob\.choria .* was revoked"):
        credentials.issuers.identify(bob, frozenset(Role), NOW_MS)
    assert "older than number 2" in known(world.crls(number=1))
    assert "lists known stay in force: crl.pem holds no" in known(b"rubbish")
    (folder / "crl.pem").unlink()
    file.refresh_now()
    with pytest.raises(TrustError, match="was revoked"):
        credentials.issuers.identify(bob, frozenset(Role), NOW_MS)


def test_an_overdue_list_is_said_once_a_day(world: PuppetWorld, tmp_path: Path, caplog):
    folder = world.write(tmp_path, WEB, crl=world.crls(days=1))
    now = [NOW_MS]
    credentials = load_puppet_credentials(folder, PuppetConfig(), NODE, now_ms=lambda: now[0])
    file = credentials.revocation_file
    assert file is not None
    for days in (0.5, 2.1, 2.2, 2.3, 3.1):
        now[0] = NOW_MS + int(days * DAY_MS)
        file.refresh_now()
    assert [each.message.split(", ")[-1] for each in caplog.records] == [
        "1 day ago: fetch the CA's newest",
        "2 days ago: fetch the CA's newest",
    ]
