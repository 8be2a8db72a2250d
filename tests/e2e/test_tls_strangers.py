"""Every hostile stranger is refused with its reason, and another member keeps being served."""

from __future__ import annotations

import logging
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from choria.errors import Reason
from choria.net import Session
from choria.wire import encode_frame
from tests.support.switches import EchoSwitch
from tests.support.tls_world import (
    Credentialed,
    Port,
    RawMember,
    a_hello,
    a_port,
    a_raw_member,
    a_tls_session,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Credentialed:
    return Credentialed(tmp_path_factory.mktemp("strangers"))


@asynccontextmanager
async def a_served_member(world: Credentialed, **port_facts) -> AsyncIterator[tuple[Port, Session]]:
    """A port and an innocent member, who must still be served at the end."""
    with trio.fail_after(10):
        async with a_port(EchoSwitch(), world.broker, **port_facts) as port:
            async with a_tls_session(port.number, world.of("client", "rip")) as session:
                await session.wait_connected(5)
                await session.subscribe("a/b")
                yield port, session
                receipt = await session.publish_for_receipt(["a/b"], b"still here")
                assert receipt is not None
                assert receipt.handed == 1
                assert session.links == 1


async def _until_refused(port: Port, count: int = 1) -> None:
    while port.greeter.refusals.total() < count:  # noqa: ASYNC110  # a counter
        await trio.sleep(0.005)


async def _everything(stream: trio.SocketStream) -> bytes:
    data = b""
    while more := await stream.receive_some(65536):
        data += more
    return data


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        bytes(range(256)),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        encode_frame(a_hello()),
    ],
    ids=["zeros", "bytes", "http", "plaintext-cwp"],
)
async def test_no_tls_at_all(world: Credentialed, garbage: bytes, caplog) -> None:
    async with a_served_member(world) as (port, _):
        async with await trio.open_tcp_stream("127.0.0.1", port.number) as stream:
            await stream.send_all(garbage)
            alert = await _everything(stream)
        await _until_refused(port)
        assert port.greeter.refusals == {Reason.MALFORMED: 1}
        assert alert == b"" or alert[0] == 21
        assert "no TLS that we speak" in caplog.text


async def test_one_byte_at_a_time_meets_the_deadline(world: Credentialed, caplog) -> None:
    async with a_served_member(world) as (port, _):
        async with a_raw_member(port.number, world.of("client", "mallory")) as member:
            with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
                await _drip(member)
        assert port.greeter.refusals == {Reason.TIMEOUT: 1}
        assert "in the TLS handshake" in caplog.text


async def _drip(member: RawMember) -> None:
    with pytest.raises(ssl.SSLWantReadError):
        member.tls.do_handshake()
    for byte in member.outgoing.read():
        await member.stream.send_all(bytes([byte]))
        await trio.sleep(0.02)
    while True:
        await member.stream.send_all(b"\x00")
        await trio.sleep(0.02)


async def test_silent_stranger(world: Credentialed) -> None:
    async with a_served_member(world) as (port, _):
        async with await trio.open_tcp_stream("127.0.0.1", port.number) as stream:
            assert await _everything(stream) == b""
        assert port.greeter.refusals == {Reason.TIMEOUT: 1}


async def test_silent_after_the_handshake_is_told_why(world: Credentialed) -> None:
    async with a_served_member(world) as (port, _):
        async with a_raw_member(port.number, world.of("client", "mallory")) as member:
            await member.shake()
            goodbye = await member.farewell()
        assert goodbye.reason is Reason.TIMEOUT
        assert goodbye.text == "no HELLO in time, after the TLS handshake"


def _framed(body: bytes) -> bytes:
    assert len(body) < 256
    return bytes([0x58, len(body)]) + body if len(body) > 23 else bytes([0x40 + len(body)]) + body


HELLO = encode_frame(a_hello())
BAD_FIRST_FRAMES = {
    "over-long": (b"\x5a\x7f\xff\xff\xff", Reason.FRAME_TOO_LARGE),
    "one-byte-over": (b"\x59\x10\x01", Reason.FRAME_TOO_LARGE),
    "deep-nesting": (_framed(b"\x81" * 40 + b"\x00"), Reason.MALFORMED),
    "duplicate-keys": (_framed(b"\x82\x01\xa2\x01\x01\x01\x02"), Reason.MALFORMED),
    "trailing-bytes": (_framed(b"\x82\x01\x00\x00"), Reason.MALFORMED),
    "forbidden-tag": (_framed(b"\x82\x01\xc1\x00"), Reason.MALFORMED),
    "indefinite": (_framed(b"\x9f\x01\xff"), Reason.MALFORMED),
    "not-a-frame": (b"\x83\x01\x02\x03", Reason.MALFORMED),
    "empty-frame": (b"\x40", Reason.MALFORMED),
    "unknown-type": (_framed(b"\x81\x18\x63"), Reason.UNKNOWN_FRAME),
    "ping-first": (_framed(b"\x82\x03\x01"), Reason.ILLEGAL_STATE),
    "two-frames": (HELLO + _framed(b"\x82\x03\x01"), Reason.ILLEGAL_STATE),
}


@pytest.mark.parametrize(("data", "reason"), BAD_FIRST_FRAMES.values(), ids=BAD_FIRST_FRAMES)
async def test_bad_first_frame(world: Credentialed, data: bytes, reason: Reason) -> None:
    async with a_served_member(world) as (port, _):
        async with a_raw_member(port.number, world.of("client", "mallory")) as member:
            await member.shake()
            await member.send_plain(data)
            goodbyes = []
            while events := await member.receive():
                goodbyes += events
        assert goodbyes[-1].reason is reason


@pytest.mark.parametrize(
    "protocols", [[], ["h2"], ["cwp/2", "http/1.1"]], ids=["none", "h2", "cwp/2"]
)
async def test_wrong_alpn_gets_no_frame(world: Credentialed, protocols: list[str], caplog) -> None:
    # CWP-3-2, CWP-3-3
    credentials = world.of("client", "mallory")
    context = credentials.member_context()
    context.set_alpn_protocols(protocols)
    async with a_served_member(world) as (port, _):
        async with a_raw_member(port.number, credentials, context=context) as member:
            await member.shake()
            assert await member.receive() == []
        assert port.greeter.refusals == {Reason.UNSUPPORTED_VERSION: 1}
        assert "ALPN cwp/1 is spoken here" in caplog.text


async def test_tls_1_2_is_refused_by_alert(world: Credentialed) -> None:
    # CWP-3-1
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with a_served_member(world) as (port, _):
        async with a_raw_member(
            port.number, world.of("client", "mallory"), context=context
        ) as member:
            with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
                await member.shake()
        assert port.greeter.refusals.total() == 1


async def test_no_certificate(world: Credentialed) -> None:
    credentials = world.of("client", "mallory")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cafile=credentials.folder / "trust" / "brokers.pem")
    async with a_served_member(world) as (port, _):
        async with a_raw_member(port.number, credentials, context=context) as member:
            await member.shake()  # with TLS 1.3 the client is done before it is judged
            with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
                await member.receive()
        assert port.greeter.refusals == {Reason.IDENTITY_REFUSED: 1}


async def test_broker_certificate_is_no_member(world: Credentialed, caplog) -> None:
    credentials = world.of("broker", "b2", dns=["localhost"])
    async with a_served_member(world) as (port, _):
        async with a_raw_member(port.number, credentials) as member:
            await member.shake()
            with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
                await member.receive()
        assert port.greeter.refusals == {Reason.IDENTITY_REFUSED: 1}
        assert "unable to get" in caplog.text


async def test_truncated_hello_then_close(world: Credentialed, caplog) -> None:
    async with a_served_member(world) as (port, _):
        async with a_raw_member(port.number, world.of("client", "mallory")) as member:
            await member.shake()
            await member.send_plain(HELLO[:-3])
        await _until_refused(port)
        assert port.greeter.refusals == {Reason.NORMAL: 1}
        assert "it left after the TLS handshake" in caplog.text


async def test_reset_in_the_handshake(world: Credentialed) -> None:
    async with a_served_member(world) as (port, _):
        stream = await trio.open_tcp_stream("127.0.0.1", port.number)
        await stream.send_all(b"\x16\x03\x01\x02\x00\x01")
        linger = struct.pack("ii", 1, 0)
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
        stream.socket.close()
        await _until_refused(port)
        assert port.greeter.refusals == {Reason.NORMAL: 1}


async def test_a_full_lobby_evicts_the_oldest_and_serves_the_newest(world: Credentialed) -> None:
    # CWP-11.1-2
    async with a_served_member(world, places=5) as (port, _):
        flood = [await trio.open_tcp_stream("127.0.0.1", port.number) for _ in range(20)]
        async with a_tls_session(port.number, world.of("node", "web1")) as late:
            await late.wait_connected(5)
        assert port.greeter.waiting <= 5
        assert port.greeter.refusals[Reason.BUSY] >= 15
        for stream in flood:
            await stream.aclose()


async def test_strangers_are_refused_while_the_broker_stops(world: Credentialed) -> None:
    with trio.fail_after(5):
        async with a_port(EchoSwitch(), world.broker) as port:
            async with a_raw_member(port.number, world.of("client", "rip")) as member:
                await member.shake()
                while not port.greeter.waiting:  # noqa: ASYNC110  # a counter
                    await trio.sleep(0.005)
                port.shutdown.set()
                goodbye = await member.farewell()
        assert goodbye.reason is Reason.DRAINING


async def test_refusals_are_logged_with_address_and_reason(world: Credentialed, caplog) -> None:
    caplog.set_level(logging.WARNING)
    async with a_served_member(world) as (port, _):
        async with await trio.open_tcp_stream("127.0.0.1", port.number) as stream:
            await stream.send_all(b"\x00" * 50)
            await _everything(stream)
        await _until_refused(port)
    assert "stranger at 127.0.0.1 refused: malformed" in caplog.text
