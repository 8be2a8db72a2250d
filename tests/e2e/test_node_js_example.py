"""The example in Node.js was written from the specification alone: it agrees with the vectors and with real processes."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "protocol" / "examples" / "node"
PRODUCT = str(Path(sys.executable).with_name("choria-trio"))
POLICY = "policy default deny\nallow\tchoria=operator\t*\t*\t*\n"
START_WITHIN_S = 30
STOP_WITHIN_S = 15


def _node_js() -> str:
    found = shutil.which("node")
    assert found, (
        "`node` is not on PATH: install Node.js 20 or later, the example needs nothing else"
    )
    return found


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def _process(folder: Path, log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_WITHIN_S)


def _until(holds: Callable[[], bool], processes: Sequence[subprocess.Popen[bytes]], log: Path):
    deadline = time.monotonic() + START_WITHIN_S
    while not holds():
        assert all(process.poll() is None for process in processes), log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A broker and the node web1; the folder, and the broker's address."""
    for command in (
        ("init", "ca", "--network", "lab"),
        ("issue", "broker", "broker1", "--ca", "ca", "--out", "credentials", "--host", "127.0.0.1"),
        ("issue", "node", "web1", "--ca", "ca", "--out", "credentials"),
        ("issue", "client", "operator", "guest", "--ca", "ca", "--out", "credentials"),
    ):
        done = _run(tmp_path, PRODUCT, "ca", *command)
        assert done.returncode == 0, done.stderr
    address = f"127.0.0.1:{_free_port()}"
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "default.policy").write_text(POLICY)
    (tmp_path / "broker.toml").write_text(
        f'credentials = "credentials/broker1"\nlisten = ["{address}"]\nready_file = "ready"\n'
    )
    (tmp_path / "node.toml").write_text(
        f'credentials = "credentials/web1"\nbrokers = ["{address}"]\npolicies = "policies"\n'
        'state = "state"\naudit_log = "audit.log"\n'
    )
    broker_log, node_log = tmp_path / "broker.txt", tmp_path / "node.txt"
    with _process(tmp_path, broker_log, PRODUCT, "broker", "--config", "broker.toml") as broker:
        _until((tmp_path / "ready").exists, [broker], broker_log)
        with _process(tmp_path, node_log, PRODUCT, "node", "--config", "node.toml", "-v") as node:
            _until(lambda: "serving " in node_log.read_text(), [broker, node], node_log)
            yield tmp_path, address


def _ask(
    folder: Path, address: str, who: str, node: str, wait_s: int = 5
) -> subprocess.CompletedProcess[str]:
    command = [_node_js(), str(EXAMPLE / "main.mjs"), "--broker", address, "--node", node]
    return _run(folder, *command, "--credentials", f"credentials/{who}", "--timeout", str(wait_s))


def _ask_until_present(folder: Path, address: str) -> subprocess.CompletedProcess[str]:
    """WELCOME does not say that a node has subscribed: ask again while nobody was handed the request."""
    deadline = time.monotonic() + START_WITHIN_S
    while True:
        done = _ask(folder, address, "operator", "web1")
        assert time.monotonic() < deadline, done
        if done.returncode == 0 or '"handed": 0' not in done.stdout:
            return done


@pytest.mark.timeout(120)
def test_every_vector_agrees():
    done = _run(EXAMPLE, _node_js(), "vectors.mjs")
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, done.stdout + done.stderr
    passed, failed = (int(part.split()[0]) for part in last[0].split(", "))
    assert passed >= 700, last
    assert failed == 0, last


@pytest.mark.timeout(240)
def test_it_pings_and_calls_a_real_node(fleet: tuple[Path, str]):
    folder, address = fleet

    done = _ask_until_present(folder, address)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["network"] == "lab"
    assert told["broker"] == "broker1"
    assert told["discovery"]["receipt"] == {"handed": 1, "partial": False, "without": []}
    assert told["discovery"]["reply"]["grade"] == "link"
    reply = told["call"]["reply"]
    assert (reply["statuscode"], reply["grade"]) == (0, "signed")
    assert reply["signer"] == "choria://node/web1"
    assert isinstance(reply["data"]["pong"], int)
    assert told["dropped"] == {"replies": 0, "messages": 0}

    denied = _ask(folder, address, "guest", "web1")
    assert denied.returncode == 1, denied.stdout + denied.stderr
    assert json.loads(denied.stdout)["call"]["reply"]["refusal"] == "DENIED"

    nobody = _ask(folder, address, "operator", "web2", wait_s=1)
    assert nobody.returncode == 5, nobody.stdout + nobody.stderr
    assert json.loads(nobody.stdout)["call"]["receipt"]["without"] == [0]
