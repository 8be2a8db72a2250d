"""The two brokers under measurement, as processes, and what the kernel says they used."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from choria.ca import issue

START_WITHIN_S = 20.0
NATS = Path(sys.executable).parent / "nats-server"

NATS_CONFIG = """
host: "127.0.0.1"
port: %(port)d
max_connections: 100000
ping_interval: "10m"
tls {
  cert_file: "%(folder)s/certificate.pem"
  key_file: "%(folder)s/key.pem"
  ca_file: "%(folder)s/members.pem"
  verify: true
  handshake_first: true
  timeout: 60
}
authorization {
  timeout: 60
  users = [
    { user: client, password: bench, permissions: {
        publish: { allow: ["bench.agent", "bench.node.>"] }
        subscribe: { allow: ["bench.reply.operator.>"] } } }
    { user: node, password: bench, permissions: {
        publish: { allow: ["bench.reply.>"] }
        subscribe: { allow: ["bench.agent", "bench.node.>"] } } }
  ]
}
"""

OUR_CONFIG = """
credentials = "%(folder)s"
listen = ["127.0.0.1:%(port)d"]
hello_within_s = 60.0
"""


class BenchError(Exception):
    """The benchmark cannot run; the text says why."""


class Server:
    """A running broker: its CPU seconds and resident memory."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port
        # The kernel's per-process CPU clock, nanoseconds over all threads, also those that ended:
        # the sum over /proc/PID/task/*/schedstat forgets Trio's worker threads that retire.
        self._clock = (~pid << 3) | 2

    def cpu_s(self) -> float:
        return time.clock_gettime(self._clock)

    def rss_kb(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def our_command(folder: Path, port: int) -> list[str]:
    config = folder / "broker.toml"
    config.write_text(OUR_CONFIG % {"folder": folder, "port": port})
    return [sys.executable, "-m", "choria", "broker", "--config", str(config)]


def nats_command(folder: Path, port: int) -> list[str]:
    if not NATS.exists():
        raise BenchError(f"{NATS} is missing: install the dependency group `bench`")
    config = folder / "nats.conf"
    config.write_text(NATS_CONFIG % {"folder": folder, "port": port})
    return [str(NATS), "-c", str(config)]


COMMANDS = {"choria-trio": our_command, "nats-server": nats_command}


def write_credentials(ca: Path, folder: Path) -> None:
    """Write one folder that both brokers use: the same certificate, key and issuers."""
    now_ms = time.time_ns() // 1_000_000
    issue(ca, "broker", "broker1", folder, now_ms=now_ms, dns=["localhost"], ips=["127.0.0.1"])
    members = [(folder / f"trust/{kind}.pem").read_bytes() for kind in ("nodes", "clients")]
    (folder / "members.pem").write_bytes(b"".join(members))


@contextlib.contextmanager
def running(name: str, folder: Path) -> Iterator[Server]:
    """Run the broker ``name`` until the context is left.

    Raises:
        BenchError: it did not listen in time, or what was done with it failed; with its log.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / f"{name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            COMMANDS[name](folder, port), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    try:
        _wait_listening(process, port)
        yield Server(process.pid, port)
    except BenchError as exc:
        raise BenchError(f"{name}: {exc}; its log ends with:\n{log.read_text()[-3000:]}") from exc
    finally:
        process.kill()
        process.wait()


def _wait_listening(process: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise BenchError("it does not listen")
