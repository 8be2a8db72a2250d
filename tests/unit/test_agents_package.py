"""The package agent: parsers against recorded output, dpkg against this machine's."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from choria.agents import package_agent
from choria.agents.package import Finished, detect_provider, dpkg, rpm, run_command
from choria.agents.package.model import check_name
from choria.ddl import check_inputs
from choria.errors import AgentError

# `rpm --query --queryformat=FORMAT -- NAME`, as EL 9 and EL 7 print it.
RPM_BASH = "bash\t0\t5.1.8\t9.el9\tx86_64\n"
RPM_EPOCH = "openssl\t1\t3.0.7\t27.el9\tx86_64\n"
RPM_KERNELS = "kernel\t0\t5.14.0\t427.el9\tx86_64\nkernel\t0\t5.14.0\t503.el9\tx86_64\n"
RPM_ABSENT = "package nosuch is not installed\n"

DPKG = [
    ("installed\tbash\t5.2.15-2+b8\tamd64\n", ("5.2.15-2+b8", "0", "5.2.15", "2+b8", "amd64")),
    ("installed\tvim\t2:9.0.1378-2\tamd64\n", ("2:9.0.1378-2", "2", "9.0.1378", "2", "amd64")),
    ("installed\tnative\t1.0\tall\n", ("1.0", "0", "1.0", None, "all")),
    ("installed\ta\t1-rc1-3\tall\n", ("1-rc1-3", "0", "1-rc1", "3", "all")),
    ("not-installed\tx\t\t\ninstalled\tx\t1-1\ti386\n", ("1-1", "0", "1", "1", "i386")),
    ("config-files\tx\t1-1\tamd64\n", ("absent", None, None, None, None)),
    ("half-configured\tx\t1-1\tamd64\n", ("absent", None, None, None, None)),
    ("not-installed\tx\t\t\n", ("purged", None, None, None, None)),
    ("", ("purged", None, None, None, None)),
    ("garbage\n\n", ("purged", None, None, None, None)),
]


def fields(status: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(status[key] for key in ("ensure", "epoch", "version", "release", "arch"))


@pytest.mark.parametrize(("text", "expected"), DPKG)
def test_dpkg_lines(text: str, expected: tuple[Any, ...]) -> None:
    status = dpkg.parse_status(text, "x")
    assert fields(status) == expected
    assert set(status) == OUTPUTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RPM_BASH, ("5.1.8-9.el9", "0", "5.1.8", "9.el9", "x86_64")),
        (RPM_EPOCH, ("1:3.0.7-27.el9", "1", "3.0.7", "27.el9", "x86_64")),
        (RPM_KERNELS, ("5.14.0-503.el9", "0", "5.14.0", "503.el9", "x86_64")),
        (RPM_ABSENT, ("absent", None, None, None, None)),
    ],
)
def test_rpm_lines(text: str, expected: tuple[Any, ...]) -> None:
    status = rpm.parse_status(text, "x", "yum")
    assert fields(status) == expected
    assert set(status) == OUTPUTS


OUTPUTS = set(package_agent(rpm.Rpm("yum")).ddl.actions["status"].outputs)


async def status_of(name: str) -> dict[str, Any]:
    agent = package_agent(dpkg.Dpkg())
    assert shutil.which("dpkg-query"), "these tests need a machine with dpkg"
    inputs = check_inputs(agent.ddl.actions["status"], {"package": name})
    return await agent.actions["status"](inputs, None)  # type: ignore[arg-type]


async def test_this_machines_bash() -> None:
    status = await status_of("bash")
    assert status["name"] == "bash"
    assert status["provider"] == "apt"
    assert status["ensure"].startswith(status["version"])
    assert status["arch"]


async def test_a_package_that_this_machine_does_not_know() -> None:
    status = await status_of("no-such-package-anywhere")
    assert (status["ensure"], status["name"]) == ("purged", "no-such-package-anywhere")
    assert status["version"] is None


@pytest.mark.parametrize(
    "name", ["-f", "--force", "*", "ba?h", "a/b", "", "a b", "a[b]", "a\nb", "é"]
)
def test_names_that_are_options_patterns_or_nonsense(name: str) -> None:
    with pytest.raises(AgentError) as refused:
        check_name(name)
    assert refused.value.statuscode == 4


@pytest.mark.parametrize(
    "name", ["bash", "libstdc++6", "libc6:amd64", "java-1.8.0-openjdk", "a~b", "_x"]
)
def test_names_of_packages(name: str) -> None:
    assert check_name(name) == name


def tools(*names: str) -> Any:
    return lambda name: f"/usr/bin/{name}" if name in names else None


def test_which_database(tmp_path: Path) -> None:
    assert detect_provider(tools(), tmp_path) is None
    assert isinstance(detect_provider(tools("rpm", "dpkg-query"), tmp_path), rpm.Rpm)
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text("")
    assert isinstance(detect_provider(tools("rpm", "dpkg-query"), tmp_path), dpkg.Dpkg)


async def test_a_machine_without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("choria.agents.package.agent.detect_provider", lambda: None)
    with pytest.raises(AgentError, match="neither dpkg nor rpm"):
        await package_agent().actions["status"]({"package": "bash"}, None)  # type: ignore[arg-type]


class Scripted:
    """Stands for a program: gives what it is told and keeps what it was called with."""

    def __init__(self, returncode: int, stdout: str, stderr: str = "") -> None:
        self.finished = (returncode, stdout, stderr)
        self.argv: list[str] = []

    async def __call__(self, argv: list[str]) -> Any:
        self.argv = argv
        return Finished(*self.finished)


async def test_how_rpm_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Scripted(0, RPM_BASH)
    monkeypatch.setattr(rpm, "run_command", program)
    assert (await rpm.Rpm("dnf").status("bash"))["provider"] == "dnf"
    assert program.argv[-2:] == ["--", "bash"]
    monkeypatch.setattr(rpm, "run_command", Scripted(1, RPM_ABSENT))
    assert (await rpm.Rpm("dnf").status("nosuch"))["ensure"] == "absent"


@pytest.mark.parametrize("module", [rpm, dpkg])
async def test_a_broken_database_is_said(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_command", Scripted(2, "", "cannot open database"))
    provider = rpm.Rpm("yum") if module is rpm else dpkg.Dpkg()
    with pytest.raises(AgentError, match="cannot open database"):
        await provider.status("bash")


# Running programs


async def test_output_error_and_code() -> None:
    finished = await run_command(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (finished.returncode, finished.stdout, finished.stderr) == (3, "out\n", "err\n")


async def test_the_environment_is_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    finished = await run_command(["env"])
    assert "LC_ALL=C" in finished.stdout
    assert "SECRET" not in finished.stdout


async def test_a_flood_is_cut() -> None:
    with pytest.raises(AgentError, match="more than 1000 bytes"):
        await run_command(["yes"], max_output_bytes=1000)
    with pytest.raises(AgentError, match="more than 1000 bytes"):
        await run_command(["sh", "-c", "yes >&2"], max_output_bytes=1000)


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(AgentError, match="not on this machine"):
        await run_command(["no-such-program-anywhere"])


async def test_cancelling_kills_the_children_too(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with trio.move_on_after(10) as scope:
        async with trio.open_nursery() as nursery:
            script = f"sleep 1000 & echo $! > {pid_file}; wait"
            nursery.start_soon(run_command, ["sh", "-c", script])
            while not (pid_file.exists() and pid_file.read_text().strip()):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert not scope.cancelled_caught
    pid = int(pid_file.read_text())
    give_up = time.monotonic() + 10
    while _is_alive(pid) and time.monotonic() < give_up:
        await trio.lowlevel.checkpoint()
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return state != "Z"
