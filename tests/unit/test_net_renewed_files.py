"""Key and certificate are replaced as one, whatever the machine dies of; what ends is said in time."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from choria.ca import issue_key_in_memory, open_ca
from choria.net import (
    Credentials,
    Life,
    LiveCredentials,
    anchors_in,
    finish_swap,
    forget_previous,
    has_previous,
    load_credentials,
    roll_back,
    swap_in,
    wall_clock_ms,
    write_trust,
)
from tests.support.seeds import seeded
from tests.support.tls_world import Credentialed

DAY_MS = 86_400_000


@pytest.fixture
def world(tmp_path: Path) -> Credentialed:
    return Credentialed(tmp_path)


def a_pair(
    world: Credentialed, name: str = "web1"
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    issued = issue_key_in_memory(
        open_ca(world.folder / "ca"), "node", name, now_ms=wall_clock_ms(), days=30
    )
    return x509.load_der_x509_certificate(issued.certificate_der), issued.key


def serial(folder: Path) -> int:
    return x509.load_der_x509_certificate(load_credentials(folder).certificate_der).serial_number


def test_a_new_pair_is_in_force_and_the_old_one_kept(world: Credentialed) -> None:
    folder = world.files("node", "web1")
    before, (certificate, key) = serial(folder), a_pair(world)
    swap_in(folder, certificate, key)
    assert serial(folder) == certificate.serial_number
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    assert (folder / "previous" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert roll_back(folder)
    assert serial(folder) == before
    assert not has_previous(folder)
    assert not roll_back(folder)


def test_what_has_logged_in_needs_no_way_back(world: Credentialed) -> None:
    folder = world.files("node", "web1")
    swap_in(folder, *a_pair(world))
    forget_previous(folder)
    assert not has_previous(folder)
    assert not finish_swap(folder)


@pytest.mark.parametrize("moved", [(), ("key.pem",), ("key.pem", "certificate.pem")])
def test_a_swap_that_the_machine_died_over_goes_on(
    world: Credentialed, moved: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWP-18.7-8: at each point of the way exactly one whole pair can be had."""
    folder = world.files("node", "web1")
    certificate, key = a_pair(world)
    with monkeypatch.context() as patch:
        patch.setattr("choria.net.credential_files.finish_swap", lambda _: False)
        swap_in(folder, certificate, key)  # dies before it begins to move
    for name in moved:
        (folder / "next" / name).replace(folder / name)
    assert finish_swap(folder)
    assert serial(folder) == certificate.serial_number
    assert not (folder / "next").exists()


def test_trust_files_are_written_where_they_differ(world: Credentialed) -> None:
    folder = world.files("node", "web1")
    anchors = anchors_in(folder)
    untouched = (folder / "trust" / "nodes.pem").stat().st_mtime_ns
    write_trust(folder, anchors)
    assert (folder / "trust" / "nodes.pem").stat().st_mtime_ns == untouched
    (folder / "trust" / "nodes.pem").write_text("damaged")
    write_trust(folder, anchors)
    assert anchors_in(folder) == anchors


class TestLive:
    """Files are taken up while a program runs (CWP-18.8-2)."""

    def live(self, folder: Path) -> LiveCredentials:
        return LiveCredentials(load_credentials(folder), lambda: load_credentials(folder))

    async def test_a_renewed_pair_is_taken_up_in_place(self, world: Credentialed) -> None:
        folder = world.files("node", "web1")
        live, told = self.live(folder), list[Credentials]()
        live.on_change(told.append)
        assert not await live.refresh()
        issuers, signer = live.current.issuers, live.current.signer
        certificate, key = a_pair(world)
        assert await live.swap(lambda: swap_in(folder, certificate, key))
        assert told == [live.current]
        assert (live.current.issuers, live.current.signer) == (issuers, signer)
        assert signer.certificate_der == live.current.certificate_der
        assert not await live.refresh()

    @pytest.mark.parametrize(
        ("name", "text"),
        [("certificate.pem", b"-----BEGIN"), ("key.pem", b""), ("trust/nodes.pem", b"half")],
    )
    async def test_half_written_files_change_nothing(
        self, world: Credentialed, caplog: pytest.LogCaptureFixture, name: str, text: bytes
    ) -> None:
        folder = world.files("node", "web1")
        live = self.live(folder)
        before, whole = live.current, (folder / name).read_bytes()
        (folder / name).write_bytes(text)
        assert not await live.refresh()
        assert not await live.refresh()
        assert live.current is before
        assert caplog.text.count("nothing changes") == 1
        (folder / name).write_bytes(whole)
        assert await live.refresh()

    async def test_another_s_credentials_are_not_taken_up(
        self, world: Credentialed, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = world.files("node", "web1")
        live = self.live(folder)
        swap_in(folder, *a_pair(world, "web2"))
        assert not await live.refresh()
        assert live.current.principal.name == "web1"
        assert "that needs a restart" in caplog.text

    async def test_told_to_look_it_looks_at_once(self, world: Credentialed) -> None:
        folder = world.files("node", "web1")
        live, changed = self.live(folder), trio.Event()
        live.on_change(lambda _: changed.set())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live.run)
            await trio.testing.wait_all_tasks_blocked()
            swap_in(folder, *a_pair(world))
            live.look_now()
            with trio.fail_after(4):  # less than it waits between two looks
                await changed.wait()
            nursery.cancel_scope.cancel()


def test_renewal_begins_after_two_thirds_and_is_spread() -> None:
    """CWP-18.7-1."""
    life = Life(0, 300 * DAY_MS)
    times = [life.renew_at_ms(seeded(number)) / DAY_MS for number in range(200)]
    assert 200 <= min(times) < 203
    assert 227 < max(times) <= 230


def test_what_ends_soon_is_said() -> None:
    life = Life(0, 100 * DAY_MS)
    assert life.warning(79 * DAY_MS) == ""
    assert "19 days from now" in life.warning(81 * DAY_MS)
    assert "23 hours from now" in life.warning(99 * DAY_MS + 1)
    assert "10 minutes from now" in life.warning(100 * DAY_MS - 600_000)
    assert life.warning(101 * DAY_MS).startswith("ended on 1970-04-11")
