"""PuppetDB over HTTPS with client certificates: what is asked, what is believed, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
import trio

from choria.client import ClientConfig
from choria.client.methods import DiscoveryConfig, Method, PuppetDbConfig, Wanted, list_nodes
from choria.client.methods.http import MAX_BODY_BYTES
from choria.errors import ConfigError, DiscoveryError
from choria.filters import parse_filter
from choria.net import Endpoint, PuppetConfig, wall_clock_ms
from choria.programs.choosing import Choice, choose
from tests.support.puppet_world import make_ca, new_world, rsa_key
from tests.support.puppetdb_server import a_puppetdb, client_of, rows

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def world():
    return new_world(now_ms=wall_clock_ms())


def _wanted(db, timeout_s: float = 10.0, **which) -> Wanted:
    async def puppetdb():
        await trio.lowlevel.checkpoint()
        return db

    return Wanted(
        method=Method.PUPPETDB,
        which=parse_filter(**which),
        collective="mcollective",
        timeout_s=timeout_s,
        puppetdb=puppetdb,
    )


async def test_active_nodes_are_asked_for_with_our_certificate(world, tmp_path: Path) -> None:
    async with a_puppetdb(world, tmp_path / "s", rows("web2", "web1", gone=("old1",))) as server:
        db = client_of(world, tmp_path / "c", server.port)
        listed = await list_nodes(_wanted(db, facts=["os.family=RedHat"]))
    assert listed.names == ("web1", "web2")
    assert listed.source == f"localhost:{server.port}"
    assert (server.callers, server.methods) == (["rip.mcollective"], ["GET"])
    assert server.queries == [
        (r'nodes[certname, deactivated] { (certname in inventory[certname] '
        r'{ facts.mcollective.server.collectives.match("\d+") = "mcollective" }) '
        r'and (inventory {facts.os.family = "RedHat"}) }')
    ]  # fmt: skip


async def test_a_long_question_is_posted(world, tmp_path: Path) -> None:
    names = [f"node{number:04}.example.net" for number in range(200)]
    async with a_puppetdb(world, tmp_path / "s", rows(*names)) as server:
        db = client_of(world, tmp_path / "c", server.port)
        listed = await list_nodes(_wanted(db, identities=names))
    assert listed.names == tuple(names)
    assert server.methods == ["POST"]
    assert server.queries[0].count("certname = ") == 200


BAD = [
    ((500, b"java.lang.\nStackOverflow"), "answers 500: java.lang. StackOverflow"),
    ((403, b"denied"), "answers 403: denied"),
    ((200, b"<html>"), "not JSON"),
    ((200, b'{"certname": "a"}'), "no list of nodes"),
    ((200, b'[{"name": "a"}]'), "no list of nodes"),
    ((200, b'[{"certname": "../a"}]'), "no names of nodes"),
    ((200, b" " * (MAX_BODY_BYTES + 1)), "more than 64 MiB"),
]


@pytest.mark.parametrize(("answer", "says"), BAD, ids=[row[1] for row in BAD])
async def test_an_answer_that_cannot_be_used_names_nobody(
    world, tmp_path: Path, answer, says: str
) -> None:
    async with a_puppetdb(world, tmp_path / "s", lambda _: answer) as server:
        db = client_of(world, tmp_path / "c", server.port)
        assert says in await _error_of(_wanted(db))


async def _error_of(wanted: Wanted) -> str:
    try:
        await list_nodes(wanted)
    except (DiscoveryError, ConfigError) as error:
        return str(error)
    raise AssertionError("it gave names")


async def test_a_server_of_another_ca_or_name_is_not_believed(world, tmp_path: Path) -> None:
    other = new_world(now_ms=wall_clock_ms(), host="elsewhere")
    other.root, other.issuing = _another_ca()
    async with a_puppetdb(other, tmp_path / "s", rows("web1")) as server:
        db = client_of(world, tmp_path / "c", server.port)
        assert "CERTIFICATE_VERIFY_FAILED" in await _error_of(_wanted(db))
    async with a_puppetdb(world, tmp_path / "s2", rows("web1"), name="puppet.example") as server:
        db = client_of(world, tmp_path / "c", server.port)
        assert "Hostname mismatch" in await _error_of(_wanted(db))
    assert server.queries == []


def _another_ca():
    root = make_ca("Another root", rsa_key(4), above=None, now_ms=wall_clock_ms())
    return root, make_ca("Another", rsa_key(5), above=root, now_ms=wall_clock_ms())


async def test_a_client_without_a_certificate_of_the_ca_gets_nothing(world, tmp_path: Path) -> None:
    other = new_world(now_ms=wall_clock_ms())
    other.root, other.issuing = _another_ca()
    async with a_puppetdb(world, tmp_path / "s", rows("web1")) as server:
        foreign = client_of(other, tmp_path / "f", server.port)
        db = attrs.evolve(foreign, ca=tmp_path / "s/certs/ca.pem")
        assert "PuppetDB: https://localhost" in await _error_of(_wanted(db))
    assert server.queries == []


async def test_one_that_hangs_does_not_use_up_the_time_of_the_next(world, tmp_path: Path) -> None:
    async with a_puppetdb(world, tmp_path / "s", rows("web1")) as server, trio.open_nursery() as n:
        silent = await trio.open_tcp_listeners(0, host="localhost")
        n.start_soon(trio.serve_listeners, _say_nothing, silent)
        hangs = Endpoint("localhost", silent[0].socket.getsockname()[1])
        db = client_of(world, tmp_path / "c", server.port)
        both = attrs.evolve(db, servers=(hangs, *db.servers))
        assert (await list_nodes(_wanted(both, timeout_s=6.0))).names == ("web1",)
        only = attrs.evolve(db, servers=(hangs,))
        assert "no answer within 0.5 s" in await _error_of(_wanted(only, timeout_s=0.5))
        n.cancel_scope.cancel()


async def _say_nothing(stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def test_nobody_there_is_told_with_the_address(world, tmp_path: Path) -> None:
    db = client_of(world, tmp_path / "c", 1)
    assert "https://localhost:1" in await _error_of(_wanted(db))


async def test_files_that_cannot_be_read_are_named(world, tmp_path: Path) -> None:
    db = client_of(world, tmp_path / "c", 1)
    assert "missing.pem" in await _error_of(_wanted(attrs.evolve(db, ca=tmp_path / "missing.pem")))
    assert "missing.pem" in await _error_of(_wanted(attrs.evolve(db, key=tmp_path / "missing.pem")))


async def test_with_puppet_s_certificates_a_url_is_all_that_is_configured(
    world, tmp_path: Path
) -> None:
    async with a_puppetdb(world, tmp_path / "s", rows("web1")) as server:
        world.write(tmp_path / "ssl", "rip.mcollective")
        config = ClientConfig(
            puppet=PuppetConfig(ssl_folder=tmp_path / "ssl", certname="rip.mcollective"),
            brokers=["localhost:1"],
            collective="mcollective",
            discovery=DiscoveryConfig(
                method="choria", puppetdb=PuppetDbConfig(url=f"https://localhost:{server.port}")
            ),
        )
        wanted = choose("discover", config, parse_filter(classes=["apache"]), Choice())
        assert (await list_nodes(wanted)).names == ("web1",)
    assert server.callers == ["rip.mcollective"]
    assert json.dumps("Apache") in server.queries[0]


async def test_without_an_address_it_says_what_to_configure(world, tmp_path: Path) -> None:
    world.write(tmp_path / "ssl", "rip.mcollective")
    config = ClientConfig(
        puppet=PuppetConfig(ssl_folder=tmp_path / "ssl", certname="rip.mcollective"),
        brokers=["localhost:1"],
    )
    wanted = choose("discover", config, parse_filter(), Choice(method="puppetdb"))
    assert "set url in [discovery.puppetdb]" in await _error_of(wanted)
