"""Who may not come in, and who may not ask: each attempt fails and says why, on both ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from choria import ca
from choria.net import wall_clock_ms
from choria.programs.ca import init_ca
from tests.support.kept_demo import choria_trio, kept_demo

pytestmark = pytest.mark.timeout(120)
DAY_MS = 24 * 3600 * 1000


def of_another_ca(folder: Path) -> None:
    """The same names, another root."""
    init_ca(folder / "ca2", "demo")
    ca.issue(folder / "ca2", "client", "operator", folder / "bad", now_ms=wall_clock_ms())
    shutil.copytree(
        folder / "credentials" / "operator" / "trust", folder / "bad" / "trust", dirs_exist_ok=True
    )


def expired(folder: Path) -> None:
    long_ago = wall_clock_ms() - 3 * DAY_MS
    ca.issue(folder / "ca", "client", "operator", folder / "bad", now_ms=long_ago, days=1)


def not_yet_valid(folder: Path) -> None:
    ca.issue(folder / "ca", "client", "operator", folder / "bad", now_ms=wall_clock_ms() + DAY_MS)


def of_a_node(folder: Path) -> None:
    shutil.copytree(folder / "credentials" / "node1", folder / "bad")


def of_a_broker(folder: Path) -> None:
    ca.issue(folder / "ca", "broker", "broker2", folder / "bad", now_ms=wall_clock_ms())


def key_of_another(folder: Path) -> None:
    shutil.copytree(folder / "credentials" / "operator", folder / "bad")
    shutil.copy(folder / "credentials" / "guest" / "key.pem", folder / "bad" / "key.pem")


def key_open_to_all(folder: Path) -> None:
    shutil.copytree(folder / "credentials" / "operator", folder / "bad")
    (folder / "bad" / "key.pem").chmod(0o644)


def without_a_certificate(folder: Path) -> None:
    (folder / "bad").mkdir()


ROWS: list[tuple[Callable[[Path], None], int, str, str]] = [
    # what is wrong, exit code, what the client says, what the broker's log says
    (of_another_ca, 1, "comes from another CA", ""),
    (expired, 1, "expired 2 days ago", ""),
    (not_yet_valid, 1, "is not valid before", ""),
    (of_a_node, 7, "node node1 may not publish on", "has left"),
    (of_a_broker, 8, "broker refused our certificate", "refused: identity refused"),
    (key_of_another, 1, "two files are of different issues", ""),
    (key_open_to_all, 1, "chmod 600", ""),
    (without_a_certificate, 1, "`ca issue` writes this folder", ""),
]
"""What our own client notices before it connects, the broker's log need not know. That the broker
refuses each by itself, whatever a client checks, is tested in test_tls_login.py."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with kept_demo(tmp_path_factory.mktemp("fleet")) as folder:
        yield folder


@pytest.mark.parametrize(
    ("spoil", "code", "says", "log"), ROWS, ids=[row[0].__name__ for row in ROWS]
)
def test_nobody_gets_in(fleet: Path, spoil, code: int, says: str, log: str) -> None:
    shutil.rmtree(fleet / "bad", ignore_errors=True)
    spoil(fleet)
    command = ["call", "rpcutil", "ping", "--config", "client.toml", "--credentials", "bad"]
    done = choria_trio(fleet, *command)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr
    assert log in (fleet / "broker.log").read_text()
