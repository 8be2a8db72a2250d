"""Where brokers are: texts, lists and SRV records."""

from __future__ import annotations

from collections import Counter

import dns.rcode
import pytest

from choria.errors import ConfigError
from choria.net import Endpoint, SrvEndpoints, StaticEndpoints, parse_endpoint
from tests.support.dns_server import DnsServer, a_dns_server
from tests.support.seeds import seeded


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("b1.example.net", "b1.example.net", 7422),
        ("b1:1", "b1", 1),
        (" b1:65535 ", "b1", 65535),
        ("10.0.0.1:99", "10.0.0.1", 99),
        ("::1", "::1", 7422),
        ("[::1]", "::1", 7422),
        ("[::1]:99", "::1", 99),
    ],
)
def test_parses(text: str, host: str, port: int) -> None:
    assert parse_endpoint(text) == Endpoint(host, port)


@pytest.mark.parametrize(
    "text",
    ["", ":7422", "b1:0", "b1:65536", "b1:x", "b1:-1", "[::1", "[::1]7", "a b", "b1/x", "b1:٣"],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_endpoint(text)


def test_text_round_trip() -> None:
    for endpoint in (Endpoint("b1", 5), Endpoint("::1", 5)):
        assert parse_endpoint(endpoint.text) == endpoint


async def test_static_order_is_random() -> None:
    brokers = [Endpoint(f"b{n}") for n in range(4)]
    endpoints = StaticEndpoints(brokers, rng=seeded(1))
    orders = [tuple(await endpoints.lookup()) for _ in range(50)]
    assert len(set(orders)) > 10
    assert all(sorted(order, key=str) == brokers for order in orders)


def _srv(server: DnsServer, seed: int = 1) -> SrvEndpoints:
    return SrvEndpoints("example.net", rng=seeded(seed), resolver=server.resolver())


async def test_srv_is_asked_again_each_time() -> None:
    # CWP-3-4
    async with a_dns_server() as server:
        endpoints = _srv(server)
        server.records = ["0 0 7422 B1.example.net."]
        assert await endpoints.lookup() == [Endpoint("b1.example.net", 7422)]
        server.records = ["0 0 7500 b2.example.net."]
        assert await endpoints.lookup() == [Endpoint("b2.example.net", 7500)]
        assert server.questions == ["_cwp-broker._tcp.example.net."] * 2


@pytest.mark.parametrize("fault", ["servfail", "nxdomain", "empty", "silent"])
async def test_last_good_answer_is_kept_while_dns_fails(fault: str) -> None:
    async with a_dns_server() as server:
        endpoints = _srv(server)
        server.records = ["0 0 7422 b1.example.net."]
        await endpoints.lookup()
        match fault:
            case "servfail":
                server.rcode = dns.rcode.SERVFAIL
            case "nxdomain":
                server.rcode = dns.rcode.NXDOMAIN
            case "empty":
                server.records = []
            case _:
                server.silent = True
        assert await endpoints.lookup() == [Endpoint("b1.example.net", 7422)]
        assert "SRV _cwp-broker._tcp.example.net." in endpoints.last_error
        server.rcode, server.silent = dns.rcode.NOERROR, False
        server.records = ["0 0 7422 b3.example.net."]
        assert await endpoints.lookup() == [Endpoint("b3.example.net", 7422)]
        assert endpoints.last_error == ""


async def test_no_answer_at_all_is_no_broker() -> None:
    async with a_dns_server() as server:
        server.rcode = dns.rcode.NXDOMAIN
        endpoints = _srv(server)
        assert await endpoints.lookup() == []
        assert endpoints.last_error


async def test_srv_priorities_come_first_and_weights_draw() -> None:
    # CWP-3-4
    async with a_dns_server() as server:
        server.records = [
            "10 0 7422 backup.example.net.",
            "1 90 7422 big.example.net.",
            "1 10 7422 small.example.net.",
            "1 0 7422 idle.example.net.",
        ]
        endpoints = _srv(server)
        firsts: Counter[str] = Counter()
        for _ in range(200):
            order = await endpoints.lookup()
            firsts[order[0].host] += 1
            assert order[-1].host == "backup.example.net"
        assert firsts["big.example.net"] > 150
        assert 0 < firsts["small.example.net"] < 50


async def test_srv_that_says_not_here() -> None:
    async with a_dns_server() as server:
        server.records = ["0 0 0 ."]
        assert await _srv(server).lookup() == []
