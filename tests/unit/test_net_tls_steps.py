"""TLS in steps: what a peer may make us decrypt for nothing."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from choria.net.tls_steps import FloodError, TlsSteps
from tests.support.tls13 import RecordMaker, record_maker
from tests.support.tls_world import Credentialed


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Credentialed:
    return Credentialed(tmp_path_factory.mktemp("steps"))


@pytest.fixture
def pair(world: Credentialed, tmp_path: Path) -> tuple[TlsSteps, TlsSteps, RecordMaker]:
    """A broker's end, a member's end, and records by hand in the member's place."""
    context = world.of("client", "rip").member_context()
    context.keylog_filename = str(tmp_path / "keys")
    broker = TlsSteps(world.broker.broker_context())
    member = TlsSteps(context, server_hostname="localhost")
    assert not member.shake(b"")
    assert not broker.shake(member.ciphertext())
    assert member.shake(broker.ciphertext())
    assert broker.shake(member.ciphertext())
    return broker, member, record_maker(member._tls, tmp_path / "keys", sent=0)


def test_plaintext_comes_out_however_it_is_cut(pair) -> None:
    broker, member, _ = pair
    plain = bytes(range(256)) * 300
    cipher = member.encrypt(plain)
    got = b""
    for at in range(0, len(cipher), 7):
        got += broker.decrypt(cipher[at : at + 7])
    assert got == plain


def test_slow_cutting_is_no_flood(pair) -> None:
    broker, member, _ = pair
    for _ in range(20):
        for byte in member.encrypt(b"x" * 16384):
            broker.decrypt(bytes([byte]))
    assert broker._debt == 0


def test_tiny_records_are_no_flood(pair) -> None:
    broker, member, _ = pair
    for number in range(5000):
        assert broker.decrypt(member.encrypt(bytes([number & 255])))


def test_key_updates_alone_are_a_flood(pair) -> None:
    # CWP-15-1
    broker, _, maker = pair
    flood = b"".join(maker.key_update() for _ in range(4000))
    for at in range(4):
        broker.decrypt(flood[at * 16384 : (at + 1) * 16384])
    with pytest.raises(FloodError):
        broker.decrypt(flood[4 * 16384 : 5 * 16384])


def test_a_byte_now_and_then_does_not_buy_a_flood(pair) -> None:
    broker, _, maker = pair
    for _ in range(50):
        broker.decrypt(b"".join(maker.key_update() for _ in range(50)) + maker.data(b"x"))
    flood = b"".join(maker.key_update() for _ in range(100))
    with pytest.raises(FloodError):
        broker.decrypt(flood)


def test_a_key_update_with_each_record_is_no_flood(pair) -> None:
    broker, _, maker = pair
    for _ in range(500):
        assert broker.decrypt(maker.key_update(answer_wanted=True) + maker.data(b"x")) == b"x"
    assert broker._debt == 0
    assert (
        broker.out.pending > 500 * 20
    )  # OpenSSL answers each of them: the pump must not let that pile up


def test_close_notify_behind_data(pair) -> None:
    broker, member, _ = pair
    data = member.encrypt(b"last words") + member.close_notify()
    assert broker.decrypt(data) == b"last words"
    with pytest.raises(ssl.SSLZeroReturnError):
        broker.decrypt(b"")


def test_broken_records_leave_an_alert(pair) -> None:
    broker, _, _ = pair
    with pytest.raises(ssl.SSLError):
        broker.decrypt(b"\x17\x03\x03\x00\x20" + b"\x00" * 32)
    assert broker.ciphertext()
