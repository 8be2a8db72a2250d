"""Agents beside the machine's real tools: apt through a real broker, rpm and dnf on a folder, SysV, Puppet.

They change the machine that they run on, and put it back: they belong on one that is thrown away.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from choria.agents import JobStore, package_agent, puppet_agent
from choria.agents.package import rpm
from choria.ddl import check_inputs
from choria.net import wall_clock_ms
from choria.programs.demo import Stage
from tests.support.agent_context import a_context
from tests.support.fleet import a_fleet, ask

Run = Callable[..., str]

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

PACKAGE = "tree"
SERVICE = "choria-trio-probe"
SCRIPT = f"""#!/bin/sh
### BEGIN INIT INFO
# Provides:          {SERVICE}
# Required-Start:
# Required-Stop:
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: a process that sleeps
### END INIT INFO
P=/run/{SERVICE}.pid
case $1 in
  start) start-stop-daemon --start --quiet --background --make-pidfile --pidfile $P --exec /bin/sleep -- 600 ;;
  stop) start-stop-daemon --stop --quiet --oknodo --remove-pidfile --pidfile $P ;;
  restart) $0 stop; $0 start ;;
  status) test -e $P && kill -0 $(cat $P) || exit 3 ;;
  *) exit 2 ;;
esac
"""


async def one(stage: Stage, agent: str, action: str, *inputs: str) -> dict[str, Any]:
    document = await ask(stage, "call", agent, action, *inputs, "--yes")
    (reply,) = document["replies"]
    assert reply["statuscode"] == 0, reply
    data = reply["data"]
    assert isinstance(data, dict)
    return data


def dpkg_version(run: Run, name: str) -> str:
    return run("dpkg-query", "--show", "--showformat=${Version}", name)


@pytest.fixture
def without_package(run: Run) -> Iterator[None]:
    """The package is not installed; afterwards it is as it was."""
    had = (Path("/var/lib/dpkg/info") / f"{PACKAGE}.list").exists()
    if had:
        run("apt-get", "--yes", "--quiet", "purge", PACKAGE)
    yield
    run("apt-get", "--yes", "--quiet", "install" if had else "purge", PACKAGE)


async def test_a_package_is_installed_and_removed_through_a_broker(
    tmp_path: Path, run: Run, without_package: None
) -> None:
    async with a_fleet(tmp_path, nodes=1) as stage:
        assert (await one(stage, "package", "status", f"package={PACKAGE}"))["ensure"] == "purged"
        installed = await one(stage, "package", "install", f"package={PACKAGE}")
        assert installed["ensure"] == dpkg_version(run, PACKAGE)
        assert shutil.which(PACKAGE)
        status = await one(stage, "package", "status", f"package={PACKAGE}")
        true = dpkg_version(run, PACKAGE)
        told = (
            f"{status['version']}-{status['release']}" if status["release"] else status["version"]
        )
        assert (status["ensure"], told, status["provider"]) == (true, true.split(":")[-1], "apt")
        gone = await one(stage, "package", "uninstall", f"package={PACKAGE}")
        assert gone["ensure"] in ("absent", "purged")
        assert not shutil.which(PACKAGE)


def build_rpms(folder: Path, run: Run) -> Path:
    """A folder that dnf installs into, and a repository with two versions of a package."""
    repository, root = folder / "repo", folder / "root"
    (root / "etc/yum.repos.d").mkdir(parents=True)
    repository.mkdir()
    for version in ("1.0", "1.1"):
        spec = folder / f"probe-{version}.spec"
        spec.write_text(
            f"Name: choria-probe\nVersion: {version}\nRelease: 3\nSummary: A probe\nLicense: Apache-2.0\n"
            "BuildArch: noarch\n%description\nA probe.\n%install\nmkdir -p %{buildroot}/usr/share/probe\n"
            f"echo {version} > %{{buildroot}}/usr/share/probe/version\n%files\n/usr/share/probe\n"
        )
        places = ["--define", f"_topdir {folder}/top", "--define", f"_rpmdir {repository}"]
        run("rpmbuild", "-bb", "--quiet", *places, str(spec))
    run("createrepo_c", "--quiet", str(repository))
    (root / "etc/yum.repos.d/local.repo").write_text(
        f"[local]\nname=local\nbaseurl=file://{repository}\ngpgcheck=0\nenabled=1\n"
    )
    return root


def installed_in(root: Path) -> list[str]:
    # Debian's rpm keeps its database below the home folder, which agents' programs have as "/".
    env = {"PATH": "/usr/bin:/bin", "HOME": "/"}
    query = ["/usr/bin/rpm", f"--root={root}", "--query", "--all"]
    return subprocess.run(query, capture_output=True, env=env, text=True, check=True).stdout.split()


async def test_rpm_and_dnf_on_a_folder(tmp_path: Path, run: Run) -> None:
    root = build_rpms(tmp_path, run)
    agent = package_agent(rpm.Rpm("dnf", root))

    async def call(action: str, **given: Any) -> dict[str, Any]:
        inputs = check_inputs(agent.ddl.actions[action], given)
        return await agent.actions[action](inputs, a_context())

    assert (await call("status", package="choria-probe"))["ensure"] == "absent"
    first = await call("install", package="choria-probe", version="1.0")
    assert (first["version"], first["release"], first["arch"]) == ("1.0", "3", "noarch")
    assert installed_in(root) == ["choria-probe-1.0-3.noarch"]
    assert (root / "usr/share/probe/version").read_text() == "1.0\n"
    assert await call("count") == {"output": "1", "exitcode": 0}
    updates = await call("yum_checkupdates")
    (update,) = updates["outdated_packages"]
    assert (update["package"], update["version"]) == ("choria-probe", "1.1-3")
    assert (await call("update", package="choria-probe"))["version"] == "1.1"
    assert (await call("remove", package="choria-probe"))["ensure"] == "absent"
    assert not (root / "usr/share/probe").exists()
    assert installed_in(root) == []


@pytest.fixture
def sysv_script(run: Run) -> Iterator[Path]:
    path = Path("/etc/init.d") / SERVICE
    path.write_text(SCRIPT)
    path.chmod(0o755)
    yield path
    subprocess.run([str(path), "stop"], check=False, timeout=30)
    path.unlink()
    run("update-rc.d", SERVICE, "remove")


def is_linked() -> bool:
    return any(Path("/etc/rc2.d").glob(f"S*{SERVICE}"))


def pid() -> str:
    return Path(f"/run/{SERVICE}.pid").read_text()


async def test_a_sysv_service_through_a_broker(tmp_path: Path, run: Run, sysv_script: Path) -> None:
    named = f"service={SERVICE}"
    async with a_fleet(tmp_path, nodes=1) as stage:

        async def is_now() -> str:
            return str((await one(stage, "service", "status", named))["status"])

        assert await is_now() == "stopped"
        await one(stage, "service", "start", named)
        assert await is_now() == "running"
        before = pid()
        await one(stage, "service", "restart", named)
        assert pid() != before
        run("update-rc.d", SERVICE, "defaults")
        await one(stage, "service", "disable", named)
        assert not is_linked()
        await one(stage, "service", "enable", named)
        assert is_linked()
        await one(stage, "service", "stop", named)
        assert await is_now() == "stopped"


@pytest.fixture
def puppet_files(run: Run) -> Iterator[None]:
    """Puppet's state on this machine, put back afterwards."""
    names = ("agent_disabled_lockfile", "lastrunfile")
    said = run("puppet", "config", "print", "--section", "agent", *names)
    paths = [Path(line.split(" = ")[1]) for line in said.splitlines()]
    kept = [path.read_bytes() if path.exists() else None for path in paths]
    yield
    for path, data in zip(paths, kept, strict=True):
        if data is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(data)


async def test_puppet(tmp_path: Path, run: Run, puppet_files: None) -> None:
    agent = puppet_agent(JobStore(tmp_path / "jobs", wall_clock_ms))

    async def call(action: str, **given: Any) -> dict[str, Any]:
        inputs = check_inputs(agent.ddl.actions[action], given)
        with trio.fail_after(100):
            return await agent.actions[action](inputs, a_context())

    disabled = await call("disable", message="a test")
    assert (disabled["enabled"], disabled["status"]) == (False, "Puppet is disabled: a test")
    assert (await call("status"))["disable_message"] == "a test"
    assert (await call("enable"))["enabled"] is True
    wanted = tmp_path / "made by puppet"
    made = await call(
        "resource", type="file", name=str(wanted), parameters={"ensure": "file", "content": "x"}
    )
    assert made["changed"] is True
    assert wanted.read_text() == "x"
    again = await call(
        "resource", type="file", name=str(wanted), parameters={"ensure": "file", "content": "x"}
    )
    assert again["changed"] is False
    run("puppet", "apply", "-e", f"file {{ '{tmp_path}/applied': ensure => file }}")
    summary = await call("last_run_summary")
    assert summary["changed_resources"] == 1
    assert summary["failed_resources"] == 0
    assert summary["total_resources"] >= 1
    assert (await call("status"))["lastrun"] == summary["lastrun"] > 0
