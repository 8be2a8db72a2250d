"""``nox -s bench``: our broker beside nats-server, interleaved, medians, ratios.

Both run with verified client certificates, permissions and one subscription a connection, and get
the same 400 bytes from the same load generator (generator.c, compiled here), which shares the two
cores with them. Figures are the broker's own: CPU from the kernel's clock of the process, memory
from VmRSS. The same run differs by 15 to 20 % between repetitions on a shared machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from choria.ca import init_ca

from .plans import NETWORK, cwp_scripts, nats_scripts, write_plan
from .servers import COMMANDS, BenchError, Server, running, write_credentials

PROTOCOLS = {"choria-trio": "cwp", "nats-server": "nats"}
SETTLE_S = 1.5  # memory is read so long after the last login
WARM_UP_ROUNDS = 2
METRICS = {
    "KB per idle connection": "rss_kb",
    "login, CPU us": "login_us",
    "fan-out, CPU us per message": "fanout_us",
    "fan-in, CPU us per message": "fanin_us",
    "ping round trip, CPU us per node": "ping_us",
    "ping round trip, wall us per node": "ping_wall_us",
}


class Generator:
    """The load generator as a process that obeys one line at a time."""

    def __init__(self, binary: Path, protocol: str, port: int, plan: Path) -> None:
        self._process = subprocess.Popen(
            [binary, protocol, str(port), plan],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def order(self, line: str) -> float:
        """Give one command and wait for its end; return its seconds."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().split()
        if len(answer) != 2 or answer[0] != "ok":
            raise BenchError(f"the load generator failed at `{line}`; its reason stands above")
        return float(answer[1])


def measure(server: Server, generator: Generator, nodes: int, rounds: int) -> dict[str, float]:
    """Log in, let it settle, then three kinds of traffic."""
    idle_kb, started = server.rss_kb(), server.cpu_s()
    generator.order("connect")
    login_s = server.cpu_s() - started
    time.sleep(SETTLE_S)
    found = {
        "rss_kb": (server.rss_kb() - idle_kb) / (nodes + 1),
        "login_us": login_s * 1e6 / (nodes + 1),
    }
    for what in ("fanout", "fanin", "ping"):
        generator.order(f"{what} {WARM_UP_ROUNDS}")
        started = server.cpu_s()
        wall_s = generator.order(f"{what} {rounds}")
        scale = 1e6 / (nodes * rounds)
        found[f"{what}_us"] = (server.cpu_s() - started) * scale
        found[f"{what}_wall_us"] = wall_s * scale
    return found


def compile_generator(folder: Path) -> Path:
    """Compile the generator.

    Raises:
        BenchError: no compiler or no OpenSSL headers.
    """
    source, binary = Path(__file__).with_name("generator.c"), folder / "generator"
    if shutil.which("gcc") is None:
        raise BenchError("gcc is missing; on Debian: apt-get install gcc libc6-dev libssl-dev")
    command = ["gcc", "-O2", "-o", str(binary), str(source), "-lssl", "-lcrypto"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"generator.c does not compile (libssl-dev?):\n{done.stderr[-2000:]}")
    return binary


def run_all(options: argparse.Namespace, folder: Path) -> dict[str, list[dict[str, float]]]:
    """Run the brokers in turn, ``options.runs`` times."""
    binary = compile_generator(folder)
    authority = init_ca(folder / "ca", NETWORK, time.time_ns() // 1_000_000)
    credentials = folder / "credentials"
    write_credentials(folder / "ca", credentials)
    scripts = {"choria-trio": cwp_scripts, "nats-server": nats_scripts}
    for name in options.only:
        write_plan(folder / f"{name}.plan", authority, scripts[name](options.connections))
    results: dict[str, list[dict[str, float]]] = {name: [] for name in options.only}
    for number in range(options.runs):
        for name in options.only:
            plan = folder / f"{name}.plan"
            with (
                running(name, credentials) as server,
                Generator(binary, PROTOCOLS[name], server.port, plan) as generator,
            ):
                found = measure(server, generator, options.connections, options.rounds)
            results[name].append(found)
            brief = ", ".join(f"{key} {value:.1f}" for key, value in found.items())
            sys.stderr.write(f"run {number + 1} {name}: {brief}\n")
    return results


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """Medians side by side, and ours divided by theirs."""
    names = list(results)
    lines = [f"{'median of runs':<36}" + "".join(f"{name:>14}" for name in names) + "   ratio"]
    for title, key in METRICS.items():
        medians = [statistics.median(run[key] for run in results[name]) for name in names]
        ratio = f"{medians[0] / medians[1]:8.2f}" if len(medians) == 2 else ""
        lines.append(f"{title:<36}" + "".join(f"{value:>14.1f}" for value in medians) + ratio)
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", action="append", choices=list(COMMANDS))
    parser.add_argument("--json", type=Path, help="also write every run here")
    options = parser.parse_args()
    options.only = options.only or list(COMMANDS)
    with tempfile.TemporaryDirectory(prefix="choria-trio-bench-") as folder:
        try:
            results = run_all(options, Path(folder))
        except BenchError as exc:
            sys.stderr.write(f"bench: {exc}\n")
            return 1
    sys.stdout.write(table(results) + "\n")
    if options.json:
        options.json.write_text(json.dumps({"options": str(vars(options)), "runs": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
