"""A renewed pair proves itself by logging in, or the old one is put back (CWP-18.7-8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import trio

from choria.ca import DeskSettings, EnrolDesk, NodeIssuer
from choria.enrol import Renew, decode_enrol_frame, encode_enrol_frame
from choria.errors import EnrolError, LinkLost
from choria.net import (
    LiveCredentials,
    has_previous,
    load_credentials,
    new_succession,
    swap_in,
    wall_clock_ms,
)
from choria.programs.renewal import Renewals
from choria.trust import parse_certificate
from tests.support.applicants import Trail
from tests.support.seeds import seeded
from tests.support.tls_world import Credentialed


class Link:
    """A session and its link: a broker that takes us, or does not."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.followed = 0
        self.last_error = refuses

    async def follow(self) -> None:
        self.followed += 1
        if self.refuses:
            raise LinkLost(self.refuses)

    async def wait_connected(self) -> None:
        if self.refuses:
            await trio.sleep_forever()


class Node:
    """A node on disk, a desk, and a way from one to the other without sockets."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, refuses: str = "") -> None:
        self.world = Credentialed(folder)
        self.folder = self.world.files("node", "web1", days=30)
        self.live = LiveCredentials(
            load_credentials(self.folder), lambda: load_credentials(self.folder)
        )
        settings = DeskSettings(brokers=(), days=30)
        issuer = NodeIssuer(self.world.folder / "ca")
        self.desk = EnrolDesk(issuer, settings, Trail(), wall_clock_ms)
        self.link = cast("Any", Link(refuses))
        self.renewals = Renewals(
            live=self.live, session=self.link, link=self.link, doors=("d:1",), spread_s=0, rng=seeded(1)
        )  # fmt: skip
        monkeypatch.setattr("choria.net.enrol_renew.ask_door", self._ask)

    async def _ask(self, _door: object, frame: Renew, _judge: object) -> object:
        return decode_enrol_frame(self.desk.answer(encode_enrol_frame(frame), "192.0.2.1", "a"))

    @property
    def in_force(self) -> bytes:
        return load_credentials(self.folder).certificate_der


async def test_what_logs_in_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(tmp_path, monkeypatch)
    before = node.in_force
    assert await node.renewals._attempt(new_succession(node.live.current))
    assert node.in_force == node.live.current.certificate_der != before
    assert node.link.followed == 1
    assert not has_previous(node.folder)


async def test_what_is_refused_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(tmp_path, monkeypatch, "identity refused: it was revoked")
    before, succession = node.in_force, new_succession(node.live.current)
    assert not await node.renewals._attempt(succession)
    assert "the old one is put back: identity refused" in caplog.text
    assert node.in_force == before == node.live.current.certificate_der
    assert node.live.current.signer.certificate_der == before
    assert not has_previous(node.folder)
    node.link.refuses = ""
    assert await node.renewals._attempt(succession)  # the same question, the same certificate
    index = (tmp_path / "ca" / "issued.jsonl").read_text()
    assert index.count('"web1"') == 2


async def test_a_door_that_refuses_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(tmp_path, monkeypatch)

    async def refuses(*_: object) -> object:
        raise EnrolError("no door could be reached")

    monkeypatch.setattr("choria.programs.renewal.renew", refuses)
    before = node.in_force
    assert not await node.renewals._attempt(new_succession(node.live.current))
    assert node.in_force == before
    assert "could not be renewed: no door" in caplog.text


@pytest.mark.parametrize("refuses", ["", "identity refused: it was revoked"])
async def test_a_pair_of_a_process_that_died_is_proved_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: str
) -> None:
    node = Node(tmp_path, monkeypatch, refuses)
    before = node.in_force
    succession = new_succession(node.live.current)
    answer: Any = await node._ask(None, Renew(request=succession.request), None)
    swap_in(node.folder, parse_certificate(answer.certificate), succession.key)
    await node.live.refresh()
    if refuses:
        monkeypatch.setattr("choria.programs.renewal.PROVED_WITHIN_S", 0)
    await node.renewals._settle()
    assert (node.in_force == before) is bool(refuses)
    assert not has_previous(node.folder)
