"""The policies folder: read again when it changes, and closed when it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from choria.node import PolicyFolder
from choria.policy import Authorized, Denied

ALLOW = "allow\t*\t*\t*\t*\n"


def may(folder: PolicyFolder, agent: str) -> bool:
    return isinstance(folder.current.decide("choria=rip", agent, "x", {}, ()), Authorized)


def test_without_a_folder_only_certificates_are_told(tmp_path: Path) -> None:
    for folder in (PolicyFolder(None), PolicyFolder(tmp_path / "missing")):
        assert not may(folder, "discovery")
        assert may(folder, "certificate")
        assert not may(folder, "rpcutil")


def test_discovery_is_an_action_like_any_other(tmp_path: Path) -> None:
    """C4: who may ask with filters reads every fact by bisection."""
    (tmp_path / "default.policy").write_text("policy default deny\n")
    assert not may(PolicyFolder(tmp_path), "discovery")
    (tmp_path / "discovery.policy").write_text(ALLOW)
    assert may(PolicyFolder(tmp_path), "discovery")
    assert not may(PolicyFolder(tmp_path), "rpcutil")


def test_changes_are_taken_up(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path)
    (tmp_path / "rpcutil.policy").write_text(ALLOW)
    (tmp_path / "subfolder").mkdir()
    folder.refresh_now()
    assert may(folder, "rpcutil")
    (tmp_path / "rpcutil.policy").unlink()
    folder.refresh_now()
    assert not may(folder, "rpcutil")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"#" * ((1 << 20) + 1)])
def test_a_file_that_cannot_be_read_denies_everything(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "default.policy").write_text(ALLOW)
    folder = PolicyFolder(tmp_path)
    assert may(folder, "rpcutil")
    (tmp_path / "other.policy").write_bytes(data)
    folder.refresh_now()
    assert not may(folder, "rpcutil")
    assert not may(folder, "discovery")
    assert "all requests are denied" in caplog.text


def test_problems_are_logged_once_with_their_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rpcutil.policy").write_text(ALLOW + "allow * * * *\n")
    folder = PolicyFolder(tmp_path)
    folder.refresh_now()
    assert caplog.text.count("rpcutil.policy:2") == 1
    verdict = folder.current.decide("choria=rip", "rpcutil", "ping", {}, ())
    assert isinstance(verdict, Denied)


async def test_the_folder_is_read_again_by_itself(tmp_path: Path, mock_clock: MockClock) -> None:
    folder = PolicyFolder(tmp_path)
    (tmp_path / "rpcutil.policy").write_text(ALLOW)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(folder.run)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(11)
        with trio.fail_after(1000):
            while not may(folder, "rpcutil"):
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
