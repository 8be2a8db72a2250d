"""The package agent's changes and lists: apt and dnf by programs that stand in for them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from choria.agents import package_agent
from choria.agents.package import dpkg, rpm
from choria.agents.package.model import check_version
from choria.errors import AgentError
from tests.support.agent_context import a_context

APT_SIMULATED = """Reading package lists...
Building dependency tree...
The following NEW packages will be installed:
  linux-image-6.1.0-28-amd64
The following packages will be upgraded:
  bash libssl3
Inst bash [5.2.15-2+b7] (5.2.15-2+b8 Debian:12.9/stable [amd64])
Inst linux-image-6.1.0-28-amd64 (6.1.119-1 Debian-Security:12/stable-security [amd64])
Inst libssl3 [3.0.15-1~deb12u1] (3.0.16-1~deb12u1 Debian:12.9/stable, Debian-Security:12/stable-security [amd64]) []
Conf bash (5.2.15-2+b8 Debian:12.9/stable [amd64])
"""
DNF_CHECKED = """
bash.x86_64                     5.1.8-10.el9          baseos
a-package-with-a-name-that-is-much-too-long.noarch
                                1:2.0-1.el9           appstream
python3.11.x86_64               3.11.9-1.el9          appstream
Obsoleting Packages
old.noarch                      1.0-1.el9             appstream
"""


def test_what_apt_would_upgrade() -> None:
    assert [each.plain() for each in dpkg.parse_updates(APT_SIMULATED)] == [
        {"package": "bash", "version": "5.2.15-2+b8", "repo": "Debian:12.9/stable"},
        {
            "package": "libssl3",
            "version": "3.0.16-1~deb12u1",
            "repo": "Debian:12.9/stable, Debian-Security:12/stable-security",
        },
    ]


def test_what_dnf_would_upgrade() -> None:
    assert [(each.package, each.version, each.repo) for each in rpm.parse_updates(DNF_CHECKED)] == [
        ("bash", "5.1.8-10.el9", "baseos"),
        ("a-package-with-a-name-that-is-much-too-long", "1:2.0-1.el9", "appstream"),
        ("python3.11", "3.11.9-1.el9", "appstream"),
    ]
    assert rpm.parse_updates("Available Packages\nx.noarch 1-1 base\n")[0].package == "x"
    assert rpm.parse_updates("\n\nnonsense\n") == []


@pytest.mark.parametrize("version", ["-1", "1 2", "1;2", "", "*", "1/2"])
def test_versions_that_are_none(version: str) -> None:
    with pytest.raises(AgentError, match="no version"):
        check_version(version)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr("choria.agents.commands.SYSTEM_PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/calls\n{text}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


async def act(agent: Any, action: str, **inputs: str) -> dict[str, Any]:
    result: dict[str, Any] = await agent.actions[action](inputs, a_context())
    return result


DPKG_QUERY = """
for last; do :; done
case $last in
  --*) printf 'installed\\tbash\\t5-1\\tamd64\\nconfig-files\\told\\t1\\tamd64\\ninstalled\\tzip\\t3\\tamd64\\n' ;;
  *) if [ -e {folder}/has-$last ]; then printf "installed\\t$last\\t2.0-1\\tamd64\\n"
     else echo "no packages found matching $last" >&2; exit 1; fi ;;
esac
"""
APT_GET = """
case "$*" in
  *--simulate*) cat {folder}/simulated ;;
  *" remove "*|*" purge "*) for last; do :; done; rm {folder}/has-$last; echo removed ;;
  *" install "*) for last; do :; done; name=${{last%%=*}}
     [ $name = broken ] && {{ echo "E: Unable to locate package broken" >&2; exit 100; }}
     touch {folder}/has-$name; echo "$DEBIAN_FRONTEND installed" ;;
  *" update"|*" clean") echo fetched ;;
esac
"""


@pytest.fixture
def debian(programs: Path) -> Any:
    program(programs, "dpkg-query", DPKG_QUERY.format(folder=programs))
    program(programs, "apt-get", APT_GET.format(folder=programs))
    program(programs, "apt-cache", "printf 'zip - Archiver\\nzipper - More - of it\\n'")
    (programs / "simulated").write_text(APT_SIMULATED)
    return package_agent(dpkg.Dpkg())


async def test_a_life_of_a_package(debian: Any, programs: Path) -> None:
    installed = await act(debian, "install", package="tree")
    assert (installed["ensure"], installed["output"]) == ("2.0-1", "noninteractive installed")
    assert (await act(debian, "update", package="tree"))["ensure"] == "2.0-1"
    assert (await act(debian, "remove", package="tree"))["ensure"] == "purged"
    await act(debian, "install", package="tree", version="1.0-1")
    assert (await act(debian, "purge", package="tree"))["ensure"] == "purged"
    changes = [line for line in calls(programs) if line.startswith("apt-get")]
    assert [line.split("60 ")[1] for line in changes] == [
        "install -- tree",
        "install --only-upgrade -- tree",
        "remove -- tree",
        "install --allow-downgrades -- tree=1.0-1",
        "purge -- tree",
    ]


@pytest.mark.parametrize(
    ("action", "inputs", "said"),
    [
        ("install", {"package": "broken"}, "exit code 100.*Unable to locate package broken"),
        ("update", {"package": "tree"}, "is not installed"),
        ("install", {"package": "--reinstall"}, "no package name"),
        ("install", {"package": "tree", "version": "1 --force"}, "no version"),
        ("yum_clean", {}, "has apt, not dnf or yum"),
        ("yum_checkupdates", {}, "has apt, not dnf or yum"),
    ],
)
async def test_what_apt_cannot_do(
    debian: Any, action: str, inputs: dict[str, str], said: str
) -> None:
    with pytest.raises(AgentError, match=f"(?s){said}"):
        await act(debian, action, **inputs)


async def test_lists_of_apt(debian: Any) -> None:
    assert await act(debian, "count") == {"output": "2", "exitcode": 0}
    first = await act(debian, "md5")
    assert first == await act(debian, "md5")
    assert len(first["output"]) == 32
    assert await act(debian, "refresh") == {"output": "fetched", "exitcode": 0}
    assert (await act(debian, "apt_update"))["outdated_packages"] == []
    updates = await act(debian, "checkupdates")
    assert (updates["package_manager"], len(updates["outdated_packages"])) == ("apt", 2)
    assert "package_manager" not in await act(debian, "apt_checkupdates")
    found = await act(debian, "search", package="zip")
    assert found["package_count"] == 2
    assert found["available_packages"][1] == {"name": "zipper", "description": "More - of it"}
    for action in debian.ddl.actions.values():
        if not action.inputs and not action.name.startswith("yum"):
            assert set(await act(debian, action.name)) == set(action.outputs)


DNF = """
case "$*" in
  *check-update) cat {folder}/checked; exit 100 ;;
  *" list available "*) [ "$5" = "*tree*" ] || {{ echo "Error: No matching Packages to list" >&2; exit 1; }}
     printf 'Available Packages\\ntree.x86_64 1.8-1.el9 baseos\\n' ;;
  *" install "*) echo done > {folder}/installed ;;
  *" remove "*) rm {folder}/installed ;;
esac
"""
RPM = """
case "$*" in
  *--all*) printf 'bash\\t0\\t5\\t1\\tx86_64\\n' ;;
  *) [ -e {folder}/installed ] && printf 'tree\\t0\\t1.8\\t1.el9\\tx86_64\\n' || {{ echo "package tree is not installed"; exit 1; }} ;;
esac
"""


async def test_dnf(programs: Path) -> None:
    program(programs, "dnf", DNF.format(folder=programs))
    program(programs, "rpm", RPM.format(folder=programs))
    (programs / "checked").write_text(DNF_CHECKED)
    agent = package_agent(rpm.Rpm("dnf"))
    assert (await act(agent, "install", package="tree", version="1.8-1.el9"))[
        "ensure"
    ] == "1.8-1.el9"
    assert (await act(agent, "uninstall", package="tree"))["ensure"] == "absent"
    assert (await act(agent, "count"))["output"] == "1"
    updates = await act(agent, "yum_checkupdates")
    assert (updates["exitcode"], len(updates["outdated_packages"])) == (0, 3)
    assert (await act(agent, "search", package="tree"))["available_packages"] == [
        {"name": "tree", "description": "1.8-1.el9 baseos"}
    ]
    assert (await act(agent, "search", package="nosuch"))["package_count"] == 0
    assert (await act(agent, "yum_clean", mode="metadata"))["exitcode"] == 0
    with pytest.raises(AgentError, match="has dnf, not apt"):
        await act(agent, "apt_update")
    assert "dnf --assumeyes --quiet install -- tree-1.8-1.el9" in calls(programs)
    assert "dnf --assumeyes --quiet clean metadata" in calls(programs)


async def test_another_systems_folder(programs: Path, tmp_path: Path) -> None:
    program(programs, "dnf", "true")
    program(programs, "rpm", "echo 'package x is not installed'; exit 1")
    agent = package_agent(rpm.Rpm("dnf", tmp_path))
    await act(agent, "install", package="x")
    changed, asked = calls(programs)[0], " ".join(calls(programs)[1:])
    assert changed == f"dnf --assumeyes --quiet --installroot={tmp_path} install -- x"
    assert asked.startswith(f"rpm --root={tmp_path} --query ")
