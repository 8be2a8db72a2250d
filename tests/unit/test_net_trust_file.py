"""A broker's trust object as a file: taken when it is better, complained about when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from choria.ca import CaError, init_ca, issue
from choria.net import TrustFile, TrustStore
from choria.programs import ca as programs
from choria.trust import IssuerKind
from choria.wire import TrustMark
from tests.support.trust_world import NOW_MS, Maker, an_authority, first_standing, issuers_of

NODES = IssuerKind.NODES


class Broker:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "trust.object"
        self.store = TrustStore(first_standing(), issuers_of(an_authority()), now_ms=lambda: NOW_MS)
        self.offers: list[tuple[TrustMark, bytes]] = []
        self.file = TrustFile(self.path, self.store, lambda *offer: self.offers.append(offer))

    def put(self, data: bytes) -> None:
        beside = self.path.with_name("new")
        beside.write_bytes(data)
        beside.replace(self.path)


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    return Broker(tmp_path)


async def test_it_may_come_later_and_is_offered_once(broker: Broker) -> None:
    assert not await broker.file.refresh()
    data = Maker().revoking(NODES).data()
    broker.put(data)
    assert await broker.file.refresh()
    assert not await broker.file.refresh()
    ((mark, offered),) = broker.offers
    assert offered == data
    assert (mark.number, mark.size) == ((0, 1), len(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "deterministic CBOR"),
        (Maker().revoking(NODES).revoking(NODES).data()[:-1], "deterministic CBOR"),
        (Maker().data(), "has a copy of an old backup been put there"),
    ],
)
async def test_a_file_that_is_no_good_changes_nothing_and_is_complained_about(
    broker: Broker, data: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker.put(Maker().revoking(NODES).data())
    await broker.file.refresh()
    broker.put(data)
    assert not await broker.file.refresh()
    assert broker.store.standing.number == (0, 1)
    assert len(broker.offers) == 1
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "the trust known stays in force" in record.getMessage()
    assert said in record.getMessage()
    broker.put(Maker().revoking(NODES).revoking(NODES).data())
    assert await broker.file.refresh()


async def test_it_looks_by_itself_and_at_once_when_told(
    broker: Broker, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(broker.file.run)
        await trio.testing.wait_all_tasks_blocked()
        broker.put(Maker().revoking(NODES).data())
        while not broker.offers:  # noqa: ASYNC110  # it reads in a thread
            await trio.sleep(0.5)
        broker.put(Maker().revoking(NODES).revoking(NODES).data())
        broker.file.look_now()
        while len(broker.offers) < 2:  # noqa: ASYNC110
            await trio.sleep(0.5)
        nursery.cancel_scope.cancel()


def test_revoked_and_nobody_told_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    init_ca(ca, "alpha", programs.wall_clock_ms())
    for name in ("rip", "eve"):
        issue(ca, "client", name, tmp_path / name, now_ms=programs.wall_clock_ms())
    key = ca / "private" / "clients.key"
    elsewhere = key.rename(tmp_path / "clients.key")
    said = programs.revoke(ca, name="rip", role="", serial="", reason="")
    assert next(said).startswith("client rip: revoked")
    with pytest.raises(CaError, match=r"recorded, but nobody is told yet.*ca crl clients"):
        list(said)
    elsewhere.rename(key)
    lines = list(programs.write_crls(ca, ["clients"], days=1.0))
    assert lines[-1] == f"trust 0.1: {ca / 'trust.object'}"
