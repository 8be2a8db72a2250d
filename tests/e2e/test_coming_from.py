"""What the pages for people who come from elsewhere tell them to type: each line, against a fleet."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from choria.cli import main
from tests.support.kept_demo import kept_demo
from tools import coming_from
from tools.coming_from import Row

ROWS = [(peer, row) for peer, rows in coming_from.load().items() for row in rows]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with kept_demo(tmp_path_factory.mktemp("coming"), nodes=3) as folder:
        home = folder / "home" / ".config" / "choria-trio"
        home.mkdir(parents=True)
        for name in ("credentials", "policies"):
            (home / name).symlink_to(folder / name)
        shutil.copy(folder / "client.toml", home)
        (folder / "hosts.txt").write_text("node1\nnode2\n")
        yield folder


@pytest.mark.parametrize(("peer", "row"), ROWS, ids=[f"{peer}: {row.ours}" for peer, row in ROWS])
def test_what_is_typed_here(
    fleet: Path, peer: str, row: Row, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    monkeypatch.chdir(fleet)
    monkeypatch.setenv("HOME", str(fleet / "home"))
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code = main(shlex.split(row.ours))
    told = capfd.readouterr()
    assert code == row.exits, told.err
    assert row.shows in told.out + told.err


@pytest.mark.parametrize("peer", coming_from.load())
def test_pages_are_fresh(peer: str) -> None:
    page = coming_from.page(peer)
    text = page.read_text()
    assert text == coming_from.render(peer, text), "run: python -m tools.generate_reference"


def test_each_table_is_worth_reading() -> None:
    assert {peer: len(rows) >= 15 for peer, rows in coming_from.load().items()} == dict.fromkeys(
        ("choria", "salt", "ansible"), True
    )
    theirs = [(peer, row.theirs) for peer, row in ROWS]
    assert len(set(theirs)) == len(theirs)
