"""``ping`` of five nodes beside ``salt '*' test.ping`` of five minions: nox -s salt -- [ROUNDS].

Both fleets run on loopback at the same time, as processes of whoever starts this, and rounds are
interleaved, so that both meet the same machine. A round is one whole command: a process is started,
connects, proves itself, asks, prints and ends. Prints medians of wall-clock and CPU time of the
command's processes, and exits 1 if ours takes more than ``SHARE`` of salt's wall-clock time.
"""

from __future__ import annotations

import getpass
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from choria.programs.demo import free_port
from tests.support.kept_demo import kept_demo

NODES = 5
ROUNDS = 9
SHARE = 0.5
JOIN_WITHIN_S = 240
COMMAND_WITHIN_S = 60
STOP_WITHIN_S = 15


@dataclass
class Contestant:
    """A command, and how long it took in each round."""

    name: str
    argv: Sequence[str]
    folder: Path
    shows: Sequence[str]
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def run(self) -> None:
        """One round. Raises AssertionError when not everybody answered."""
        before, began = _cpu_s(), time.perf_counter()
        done = self.once()
        self.wall_s.append(time.perf_counter() - began)
        self.cpu_s.append(_cpu_s() - before)
        missing = [name for name in self.shows if name not in done.stdout]
        assert not missing, f"{self.name}: {missing} did not answer: {done.stdout}{done.stderr}"

    def once(self) -> subprocess.CompletedProcess[str]:
        """Run it, whatever comes of it."""
        return subprocess.run(
            self.argv, cwd=self.folder, env=_environment(), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=COMMAND_WITHIN_S, check=False,
        )  # fmt: skip


def _environment() -> dict[str, str]:
    """Ours, but that bytecode is kept: an installed program is not compiled anew at each start."""
    return {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def salt_fleet(folder: Path, names: Sequence[str]) -> Iterator[Contestant]:
    """A master and a minion for each name; stopped by process group when the block is left."""
    publish, returns = free_port(), free_port()
    _configure(folder / "master", "master", {
        "interface": "127.0.0.1", "publish_port": publish, "ret_port": returns,
        "auto_accept": True, "worker_threads": 3,
    })  # fmt: skip
    for name in names:
        _configure(folder / name, "minion", {
            "master": "127.0.0.1", "id": name, "publish_port": publish, "master_port": returns,
        })  # fmt: skip
    bin_folder = Path(sys.executable).parent
    with ExitStack() as stack:
        stack.enter_context(_daemon(bin_folder / "salt-master", folder / "master"))
        for name in names:
            stack.enter_context(_daemon(bin_folder / "salt-minion", folder / name))
        argv = [
            os.fspath(bin_folder / "salt"), "-c", os.fspath(folder / "master"),
            "--out=txt", "-t", "15", "*", "test.ping",
        ]  # fmt: skip
        asked = Contestant("salt '*' test.ping", argv, folder, [f"{name}: True" for name in names])
        _wait_joined(asked)
        yield asked


def _configure(folder: Path, kind: str, settings: dict[str, object]) -> None:
    folder.mkdir()
    settings |= {"root_dir": os.fspath(folder), "user": getpass.getuser(), "log_level": "error"}
    (folder / kind).write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))


@contextmanager
def _daemon(program: Path, folder: Path) -> Iterator[None]:
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [program, "-c", folder], stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )  # fmt: skip
    try:
        yield
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and after a while SIGKILL to what is left of its group."""
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            return
        process.wait(STOP_WITHIN_S)


def _wait_joined(asked: Contestant) -> None:
    """Minions make keys and join; salt offers nothing that could be waited for but asking."""
    ends = time.monotonic() + JOIN_WITHIN_S
    said = ""
    while time.monotonic() < ends:
        said = asked.once().stdout
        if all(name in said for name in asked.shows):
            return
        time.sleep(1)
    raise SystemExit(f"not every minion joined within {JOIN_WITHIN_S} s: {said}")


def main(rounds: int) -> int:
    program = shutil.which("choria-trio", path=Path(sys.executable).parent)
    names = [f"minion{number}" for number in range(1, NODES + 1)]
    with tempfile.TemporaryDirectory(prefix="choria-salt-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        stage = stack.enter_context(kept_demo(folder, nodes=NODES))
        argv = [str(program), "ping", "--config", "client.toml"]
        ours = Contestant(
            "choria-trio ping", argv, stage, [f"node{n}" for n in range(1, NODES + 1)]
        )
        salt = stack.enter_context(salt_fleet(folder, names))
        for each in (ours, salt):
            each.once()  # files in the kernel's cache, bytecode on the disk
        for _ in range(rounds):
            ours.run()
            salt.run()
    return report(ours, salt, rounds)


def report(ours: Contestant, salt: Contestant, rounds: int) -> int:
    """Print both, and whether it is good enough."""
    sys.stdout.write(f"{'median of ' + str(rounds):24} {'wall ms':>8} {'CPU ms':>8}\n")
    for each in (ours, salt):
        wall, cpu = statistics.median(each.wall_s), statistics.median(each.cpu_s)
        sys.stdout.write(f"{each.name:24} {wall * 1000:8.0f} {cpu * 1000:8.0f}\n")
    share = statistics.median(ours.wall_s) / statistics.median(salt.wall_s)
    sys.stdout.write(f"ours takes {share:.2f} of salt's time; at most {SHARE} is wanted\n")
    return int(share > SHARE)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
