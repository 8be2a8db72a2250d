"""Who gets a link with certificates of Puppet's one CA: every attempt over a real TLS port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from choria.broker import Hub, Permissions
from choria.errors import BrokerUnreachable
from choria.net import (
    Credentials,
    PuppetConfig,
    Session,
    Whereabouts,
    load_puppet_credentials,
    wall_clock_ms,
)
from choria.trust import Principal, Role
from choria.wire import Limits
from tests.support.puppet_world import PuppetWorld, new_world
from tests.support.seeds import seeded
from tests.support.switches import EchoSwitch
from tests.support.tls_world import Port, a_port, a_tls_session

BROKER, WEB, RIP = "broker1.example.net", "web1.example.net", "rip.mcollective"
ALIASES = ["localhost", "127.0.0.1"]


class Site:
    """One Puppet CA, and an ssl folder with everybody's certificate."""

    def __init__(self, folder: Path) -> None:
        self.world: PuppetWorld = new_world(wall_clock_ms())
        self.folder = self.world.write(folder, WEB, RIP, "evil.example.net")
        for name in (BROKER, "rogue.example.net"):
            certificate = self.world.certificate(name, alt=sorted([name, *ALIASES]))
            self.world.add(folder, certificate, name)

    def of(self, role: Role, name: str, *, hosts: tuple[str, ...] = (), **config: Any):
        return load_puppet_credentials(
            self.folder,
            PuppetConfig(certname=name, **config),
            Whereabouts(role=role, hostname="", user="", home=None),
            broker_hosts=hosts,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("puppet"))


@asynccontextmanager
async def a_puppet_port(broker: Credentials) -> AsyncIterator[tuple[Port, EchoSwitch]]:
    switch = EchoSwitch(network=broker.network)
    switch.broker = broker.principal.name
    async with a_port(switch, broker) as port:
        yield port, switch


async def _why(session: Session) -> str:
    with trio.fail_after(10):
        while not session.last_error:  # noqa: ASYNC110  # no event for it
            await trio.sleep(0.005)
    with pytest.raises(BrokerUnreachable) as info:
        await session.wait_connected(0.0)
    return str(info.value)


@pytest.mark.parametrize(
    ("role", "name"), [(Role.NODE, WEB), (Role.CLIENT, RIP), (Role.NODE, BROKER)]
)
@pytest.mark.parametrize("named", [True, False])
async def test_members_get_in(site: Site, role: Role, name: str, named: bool) -> None:
    """Whether brokers are named, or known by where members look for them."""
    broker = site.of(Role.BROKER, BROKER)
    how: dict[str, Any] = {"brokers": [BROKER]} if named else {"hosts": ("127.0.0.1",)}
    async with a_puppet_port(broker) as (port, switch):
        async with a_tls_session(port.number, site.of(role, name, **how)) as session:
            await session.wait_connected(5)
            (principal,) = switch.principals.values()
            assert principal == Principal(broker.network, role, name, principal.grants)


@pytest.mark.parametrize("role", [Role.NODE, Role.CLIENT])
async def test_a_nodes_certificate_serves_nobody_as_broker(site: Site, role: Role) -> None:
    """It is genuine, of the same CA, for servers, and even its host name fits: its name is no broker's."""
    rogue = site.of(Role.BROKER, "rogue.example.net")
    member = site.of(role, WEB if role is Role.NODE else RIP, brokers=[BROKER])
    async with a_puppet_port(rogue) as (port, _), a_tls_session(port.number, member) as session:
        text = await _why(session)
    assert "not a broker of p-" in text
    assert "node rogue.example.net: a broker is wanted here" in text


async def test_the_host_name_is_checked_even_of_a_named_broker(site: Site) -> None:
    named = site.of(Role.BROKER, "evil.example.net")  # its certificate knows no other name
    member = site.of(Role.NODE, WEB, brokers=["evil.example.net"])
    async with a_puppet_port(named) as (port, _), a_tls_session(port.number, member) as session:
        assert "broker's certificate refused: IP address mismatch" in await _why(session)


async def test_another_broker_is_no_member(site: Site, caplog) -> None:
    broker = site.of(Role.BROKER, BROKER, brokers=["evil.example.net"])
    other = site.of(Role.BROKER, "evil.example.net", brokers=[BROKER])
    async with a_puppet_port(broker) as (port, switch):
        async with a_tls_session(port.number, other) as session:
            await session.wait_connected(5)  # its machine's node, and no more
            (principal,) = switch.principals.values()
            assert (principal.role, principal.grants) == (Role.NODE, frozenset())


async def test_who_calls_himself_a_relay_is_none(site: Site) -> None:
    """A member's own configuration gives it no rights: the broker's does."""
    broker = site.of(Role.BROKER, BROKER)
    relay = site.of(Role.RELAY, WEB, brokers=[BROKER])
    assert relay.principal.role is Role.RELAY
    async with a_puppet_port(broker) as (port, switch):
        async with a_tls_session(port.number, relay) as session:
            await session.wait_connected(5)
            (principal,) = switch.principals.values()
            assert principal.role is Role.NODE


async def test_the_revoked_stay_out_as_soon_as_the_list_says_so(tmp_path: Path, caplog) -> None:
    site = Site(tmp_path)
    broker = site.of(Role.BROKER, BROKER)
    client = site.of(Role.CLIENT, RIP, brokers=[BROKER])  # serial 2, with the list of yesterday
    async with a_puppet_port(broker) as (port, _):
        async with a_tls_session(port.number, client) as session:
            await session.wait_connected(5)
        beside = tmp_path / "crl.new"
        beside.write_bytes(site.world.crls(2, number=2))
        beside.replace(tmp_path / "crl.pem")
        assert broker.revocation_file is not None
        broker.revocation_file.refresh_now()
        async with a_tls_session(port.number, client) as session:
            text = await _why(session)
    said = "certificate of client rip.mcollective (serial 2) was revoked by its issuer"
    assert said in text
    assert said in caplog.text


async def test_a_revoked_broker_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path)
    broker = site.of(Role.BROKER, BROKER)  # serial 4
    (tmp_path / "crl.pem").write_bytes(site.world.crls(4, number=2))
    member = site.of(Role.NODE, WEB, brokers=[BROKER])
    async with a_puppet_port(broker) as (port, _), a_tls_session(port.number, member) as session:
        assert "broker broker1.example.net (serial 4) was revoked" in await _why(session)


async def test_a_certificate_of_the_companys_root_is_nobodys(tmp_path: Path) -> None:
    """Puppet's CA below a company's root: what else the root signed does not count here."""
    site = Site(tmp_path)
    broker = site.of(Role.BROKER, BROKER)
    member = site.of(Role.CLIENT, RIP, brokers=[BROKER])
    site.world.add(tmp_path, site.world.certificate(RIP, issuer=site.world.root), RIP)
    async with a_puppet_port(broker) as (port, _), a_tls_session(port.number, member) as session:
        assert "broker refused our certificate" in await _why(session)


async def test_the_links_of_the_revoked_end_when_the_list_says_so(tmp_path: Path) -> None:
    """CWP-20.4-2 with Puppet's CA: the file is read again, one link ends, the other stays."""
    site = Site(tmp_path)
    broker = site.of(Role.BROKER, BROKER)
    rip = site.of(Role.CLIENT, RIP, brokers=[BROKER])  # serial 2
    web = site.of(Role.NODE, WEB, brokers=[BROKER])
    file = broker.revocation_file
    assert file is not None
    limits = Limits()
    permissions = Permissions(broker.network, ["choria"])
    hub = Hub(broker.network, BROKER, limits, permissions, wall_clock_ms, seeded(5))
    hub.rounds.judge_by(broker.issuers.inspect)
    async with a_port(hub, broker, limits=limits) as port, trio.open_nursery() as nursery:

        def changed() -> None:
            hub.rounds.begin()
            port.engine.rouse()

        nursery.start_soon(file.run, changed)
        async with (
            a_tls_session(port.number, rip) as gone,
            a_tls_session(port.number, web) as stays,
        ):
            await gone.wait_connected(5)
            await stays.wait_connected(5)
            beside = tmp_path / "crl.new"
            beside.write_bytes(site.world.crls(2, number=2))
            beside.replace(tmp_path / "crl.pem")
            with trio.fail_after(20):
                while gone.connected:  # it may not look before the file is there
                    file.look_now()
                    await trio.sleep(0.05)
            assert "revoked: certificate of client rip.mcollective (serial 2)" in gone.last_error
            assert stays.connected
            assert stays.links == 1
        nursery.cancel_scope.cancel()
