"""Why a session cannot log in, said on both ends (F7)."""

from __future__ import annotations

import ssl

import dns.rcode
import pytest
import trio

from choria.errors import BrokerUnreachable, ConfigError, Reason, TrustError
from choria.net import (
    Endpoint,
    SessionSettings,
    SrvEndpoints,
    StaticEndpoints,
    TlsConnector,
    load_credentials,
    open_session,
    wall_clock_ms,
)
from choria.net.tls_steps import TlsSteps
from tests.support.dns_server import a_dns_server
from tests.support.seeds import seeded
from tests.support.switches import EchoSwitch
from tests.support.tls_world import DAY_MS, Credentialed, a_port, a_tls_session


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Credentialed:
    return Credentialed(tmp_path_factory.mktemp("login"))


@pytest.fixture(scope="module")
def stranger_world(tmp_path_factory: pytest.TempPathFactory) -> Credentialed:
    """Another CA, of a network with the same name."""
    return Credentialed(tmp_path_factory.mktemp("other-ca"))


async def _why(session) -> str:
    with trio.fail_after(10):
        while not session.last_error:  # noqa: ASYNC110  # no event for it
            await trio.sleep(0.005)
    with pytest.raises(BrokerUnreachable) as info:
        await session.wait_connected(0.0)
    return str(info.value)


async def test_certificate_of_another_ca_is_named_on_both_ends(
    world: Credentialed, stranger_world: Credentialed, caplog
) -> None:
    """The alert comes after our handshake is done; it must be read all the same, every time."""
    mallory = stranger_world.of("client", "mallory")
    trusting = stranger_world.folder / "trusting"
    if not trusting.exists():
        trusting.mkdir()
        for name in ("certificate.pem", "key.pem"):
            (trusting / name).write_bytes((mallory.folder / name).read_bytes())
        (trusting / "key.pem").chmod(0o600)
        (trusting / "trust").symlink_to(world.broker.folder / "trust")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cafile=trusting / "trust" / "brokers.pem")
    context.load_cert_chain(trusting / "certificate.pem", trusting / "key.pem")
    context.set_alpn_protocols(["cwp/1"])
    async with a_port(EchoSwitch(), world.broker) as port:
        rng = seeded(1)
        endpoints = StaticEndpoints([Endpoint("127.0.0.1", port.number)], rng=rng)
        connector = TlsConnector(endpoints, mallory)
        connector._context = context  # it trusts the broker, but not the other way round
        connector._present = lambda: world.broker
        connector._made_of = (world.broker, world.broker.issuers.anchors)
        for _ in range(5):
            async with open_session(
                connector, SessionSettings(), rng=rng, now_ms=wall_clock_ms
            ) as session:
                why = await _why(session)
                assert "broker refused our certificate or TLS: tlsv1 alert unknown ca" in why
    assert "identity refused: its certificate: unable to get" in caplog.text
    assert port.greeter.refusals[Reason.IDENTITY_REFUSED] >= 5


async def test_broker_of_another_ca_is_refused_here(
    world: Credentialed, stranger_world: Credentialed, caplog
) -> None:
    # CWP-3-15
    async with a_port(EchoSwitch(), stranger_world.broker) as port:
        async with a_tls_session(port.number, world.of("client", "rip")) as session:
            why = await _why(session)
    assert "broker's certificate refused: unable to get" in why
    assert "it refused us" in caplog.text


async def test_host_name_must_match(world: Credentialed) -> None:
    elsewhere = world.of("broker", "b9", dns=["broker.example.net"])
    async with a_port(EchoSwitch(), elsewhere) as port:
        async with a_tls_session(port.number, world.of("client", "rip")) as session:
            why = await _why(session)
    assert "broker's certificate refused: IP address mismatch" in why


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_host_name_or_address_of_the_certificate_is_fine(
    world: Credentialed, host: str
) -> None:
    # CWP-3-16
    async with a_port(EchoSwitch(), world.broker) as port:
        async with a_tls_session(port.number, world.of("client", "rip"), host=host) as session:
            await session.wait_connected(5)
            assert session.broker == "b1"


async def test_broker_with_an_expired_certificate(world: Credentialed) -> None:
    facts = {"days": 1, "at_ms": wall_clock_ms() - 30 * DAY_MS, "dns": ["localhost"]}
    world.files("broker", "old", **facts)
    expired = load_credentials(
        world.files("broker", "old"), now_ms=lambda: wall_clock_ms() - 30 * DAY_MS
    )
    async with a_port(EchoSwitch(), expired) as port:
        async with a_tls_session(
            port.number, world.of("client", "rip"), host="localhost"
        ) as session:
            why = await _why(session)
    assert "broker's certificate refused: certificate has expired" in why


async def test_expired_certificate_of_ours_is_said_at_once(world: Credentialed) -> None:
    folder = world.files("client", "late", days=1, at_ms=wall_clock_ms() - 30 * DAY_MS)
    with pytest.raises(TrustError, match="expired"):
        load_credentials(folder)


async def test_expired_certificate_is_told_by_the_broker(world: Credentialed, caplog) -> None:
    # CWP-3-12
    folder = world.files("client", "late", days=1, at_ms=wall_clock_ms() - 30 * DAY_MS)
    late = load_credentials(folder, now_ms=lambda: wall_clock_ms() - 30 * DAY_MS)
    async with a_port(EchoSwitch(), world.broker) as port:
        async with a_tls_session(port.number, late) as session:
            why = await _why(session)
    assert "alert certificate expired" in why
    assert "identity refused: its certificate: certificate has expired" in caplog.text


async def test_port_that_speaks_no_tls(world: Credentialed) -> None:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def greet(stream: trio.SocketStream) -> None:
            await stream.send_all(b"220 mail.example.net ESMTP\r\n")

        nursery.start_soon(trio.serve_listeners, greet, listeners)
        number = listeners[0].socket.getsockname()[1]
        async with a_tls_session(number, world.of("client", "rip")) as session:
            assert "TLS handshake failed: no TLS that we speak: wrong version number" in await _why(
                session
            )
        nursery.cancel_scope.cancel()


async def test_port_that_closes_without_a_word(world: Credentialed) -> None:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def close(_stream: trio.SocketStream) -> None:
            return

        nursery.start_soon(trio.serve_listeners, close, listeners)
        number = listeners[0].socket.getsockname()[1]
        async with a_tls_session(number, world.of("client", "rip")) as session:
            assert "TLS handshake failed: " in await _why(session)
        nursery.cancel_scope.cancel()


async def test_broker_that_closes_during_login(world: Credentialed) -> None:
    context = world.broker.broker_context()

    async def vanish(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True)
        await tls.do_handshake()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, vanish, listeners)
        number = listeners[0].socket.getsockname()[1]
        async with a_tls_session(number, world.of("client", "rip")) as session:
            why = await _why(session)
        nursery.cancel_scope.cancel()
    assert "closed during login: certificate probably refused, see the broker's log" in why


async def test_server_with_another_alpn_is_no_broker(world: Credentialed) -> None:
    # CWP-3-2, CWP-3-3
    context = world.broker.broker_context()
    context.set_alpn_protocols(["h2"])

    async def serve(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True)
        await tls.do_handshake()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        number = listeners[0].socket.getsockname()[1]
        async with a_tls_session(number, world.of("client", "rip")) as session:
            assert "no CWP broker here: it did not agree on cwp/1" in await _why(session)
        nursery.cancel_scope.cancel()


async def test_member_that_plays_broker_is_refused(world: Credentialed) -> None:
    """A4: the store of members holds the broker issuer alone."""
    node = world.of("node", "web1")
    async with a_port(EchoSwitch(), node) as port:
        async with a_tls_session(port.number, world.of("client", "rip")) as session:
            assert "broker's certificate refused" in await _why(session)


async def test_only_the_leaf_travels(world: Credentialed) -> None:
    """F1: our own issuer is not in the TLS store, so OpenSSL does not append it (4 KB a link)."""
    # CWP-3-14
    broker = TlsSteps(world.broker.broker_context())
    member = TlsSteps(world.of("client", "rip").member_context(), server_hostname="localhost")
    member.shake(b"")
    broker.shake(member.ciphertext())
    member.shake(broker.ciphertext())
    broker.shake(member.ciphertext())
    for end in (broker, member):
        assert len(end._tls._sslobj.get_unverified_chain()) == 1  # type: ignore[attr-defined]


async def test_brokers_are_looked_up_again_at_every_round(world: Credentialed) -> None:
    """The brokers move: the old address is dead, DNS fails for a while, then names the new one."""
    with trio.fail_after(10):
        async with a_dns_server() as server, a_port(EchoSwitch(), world.broker) as port:
            server.records = ["0 0 1 localhost."]
            rng = seeded(1)
            srv = SrvEndpoints("example.net", rng=rng, resolver=server.resolver())
            connector = TlsConnector(srv, world.of("client", "rip"))
            settings = SessionSettings(backoff_cap_s=0.05)
            async with open_session(connector, settings, rng=rng, now_ms=wall_clock_ms) as session:
                assert "localhost:1: cannot connect" in await _why(session)
                server.rcode = dns.rcode.SERVFAIL
                asked = len(server.questions)
                while len(server.questions) < asked + 3:  # noqa: ASYNC110  # a counter
                    await trio.sleep(0.005)
                server.rcode = dns.rcode.NOERROR
                server.records = [f"0 0 {port.number} localhost."]
                await session.wait_connected(5)
                assert session.broker == "b1"


async def test_missing_file_says_what_writes_it(world: Credentialed, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"key\.pem: No such file.*`ca issue` writes this folder"):
        load_credentials(tmp_path)


async def test_open_key_is_refused(world: Credentialed) -> None:
    folder = world.files("client", "careless")
    (folder / "key.pem").chmod(0o644)
    with pytest.raises(ConfigError, match="others may read this private key: chmod 600"):
        load_credentials(folder)


async def test_key_of_another_certificate_is_refused(world: Credentialed) -> None:
    folder = world.files("client", "mixed")
    (folder / "key.pem").write_bytes((world.files("client", "rip") / "key.pem").read_bytes())
    with pytest.raises((ConfigError, TrustError)):
        load_credentials(folder).member_context()


async def test_credentials_say_who_we_are(world: Credentialed) -> None:
    rip = world.of("client", "rip")
    assert (rip.network, rip.principal.name) == ("alpha", "rip")
    assert "key=" not in repr(rip)


async def test_broker_under_another_name_than_its_certificate_s(world: Credentialed) -> None:
    """CWP-6.2-3: WELCOME may not claim what the certificate does not prove."""
    async with a_port(EchoSwitch(broker="b2"), world.broker) as port:
        rng = seeded(1)
        endpoints = StaticEndpoints([Endpoint("127.0.0.1", port.number)], rng=rng)
        connector = TlsConnector(endpoints, world.of("client", "rip"))
        async with open_session(
            connector, SessionSettings(), rng=rng, now_ms=wall_clock_ms
        ) as session:
            assert "b1 by its certificate calls itself b2" in await _why(session)
