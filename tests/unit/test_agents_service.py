"""The service agent: systemd by recorded output, System V by scripts in a folder."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from choria.agents import service_agent
from choria.agents.service import detect_provider
from choria.agents.service.model import check_service
from choria.agents.service.systemd import Systemd, parse_show, unit_of
from choria.agents.service.sysv import SysV
from choria.errors import AgentError
from tests.support.agent_context import a_context

# systemctl show --property=LoadState,ActiveState,UnitFileState, as versions 219 (EL 7), 239 (EL 8),
# 252 (Debian 12) and 255 print it: the order of lines and the states that exist have changed.
SHOW = [
    ("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n", (True, True)),
    ("ActiveState=active\nLoadState=loaded\nUnitFileState=enabled\n", (True, True)),
    ("LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n", (False, False)),
    ("LoadState=loaded\nActiveState=failed\nUnitFileState=enabled\n", (False, True)),
    ("LoadState=loaded\nActiveState=activating\nUnitFileState=static\n", (True, None)),
    ("LoadState=loaded\nActiveState=deactivating\nUnitFileState=enabled\n", (False, True)),
    ("LoadState=loaded\nActiveState=reloading\nUnitFileState=enabled-runtime\n", (True, True)),
    ("LoadState=loaded\nActiveState=refreshing\nUnitFileState=linked\n", (True, True)),
    ("LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n", (False, False)),
    ("LoadState=loaded\nActiveState=active\nUnitFileState=generated\n", (True, None)),
    ("LoadState=loaded\nActiveState=active\nUnitFileState=\n", (True, None)),
    ("LoadState=loaded\nActiveState=inactive\nUnitFileState=indirect\n", (False, False)),
]


@pytest.mark.parametrize(("text", "expected"), SHOW)
def test_what_systemctl_shows(text: str, expected: tuple[bool, bool | None]) -> None:
    state = parse_show(text, "x")
    assert (state.running, state.enabled) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n", "no service x"),
        ("", "nothing that is known"),
        ("LoadState=loaded\n", "nothing that is known"),
        ("garbage", "nothing that is known"),
    ],
)
def test_what_systemctl_cannot_say(text: str, said: str) -> None:
    with pytest.raises(AgentError, match=said):
        parse_show(text, "x")


@pytest.mark.parametrize("name", ["", "-x", "../x", "a b", "a/b", "a\n", "a;b", "x" * 256])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(AgentError, match="no name of a service") as caught:
        check_service(name)
    assert caught.value.statuscode == 4


def test_unit_names() -> None:
    assert unit_of("apache2") == "apache2.service"
    assert unit_of("getty@tty1") == "getty@tty1.service"
    assert unit_of("ssh.service") == "ssh.service"


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs here stand in for the machine's; no init system runs where tests run."""
    folder = tmp_path / "bin"
    monkeypatch.setattr("choria.agents.commands.SYSTEM_PATH", f"{folder}:/usr/bin:/bin")
    return folder


SYSTEMCTL = """
state={folder}/state
case "$*" in
  "show --property=LoadState,ActiveState,UnitFileState -- web.service")
    printf 'LoadState=loaded\\nActiveState=%s\\nUnitFileState=disabled\\n' "$(cat $state)" ;;
  "show --property=LoadState,ActiveState,UnitFileState -- "*)
    printf 'LoadState=not-found\\nActiveState=inactive\\nUnitFileState=\\n' ;;
  "--no-ask-password start -- web.service") echo active > $state ;;
  "--no-ask-password stop -- web.service") echo inactive > $state ;;
  *) echo "Failed to $2: Access denied" >&2; exit 4 ;;
esac
"""


async def act(agent: Any, action: str, service: str) -> dict[str, Any]:
    result: dict[str, Any] = await agent.actions[action]({"service": service}, a_context())
    return result


async def test_systemd_is_asked_and_told(programs: Path, tmp_path: Path) -> None:
    program(programs, "systemctl", SYSTEMCTL.format(folder=tmp_path))
    (tmp_path / "state").write_text("inactive")
    agent = service_agent(Systemd())
    expected = {"status": "stopped", "enabled": "false", "provider": "systemd"}
    assert await act(agent, "status", "web") == expected
    assert await act(agent, "start", "web") == expected | {"status": "running"}
    assert await act(agent, "stop", "web") == expected
    with pytest.raises(AgentError, match="no service other"):
        await act(agent, "start", "other")
    with pytest.raises(AgentError, match="exit code 4: Failed to restart: Access denied"):
        await act(agent, "restart", "web")


SERVICE = """
[ -x {root}/etc/init.d/$1 ] && exec {root}/etc/init.d/"$@"
exit 5
"""
SCRIPT = """
case $1 in
  status) [ -e {root}/running ] || exit 3 ;;
  start) touch {root}/running ;;
  stop) rm -f {root}/running ;;
  restart) exit 1 ;;
esac
"""
UPDATE_RC = """
if [ $2 = enable ]; then touch {root}/etc/rc2.d/S01$1; else rm {root}/etc/rc2.d/S01$1; fi
"""


async def test_system_v_scripts(programs: Path, tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    (etc / "rc2.d").mkdir(parents=True)
    program(programs, "service", SERVICE.format(root=tmp_path))
    program(programs, "update-rc.d", UPDATE_RC.format(root=tmp_path))
    program(etc / "init.d", "web", SCRIPT.format(root=tmp_path))
    program(etc / "init.d", "old", "echo 'Usage: old {start|stop}'; exit 1")
    agent = service_agent(SysV(tmp_path, lambda name: name if name == "update-rc.d" else None))
    expected = {"status": "stopped", "enabled": "false", "provider": "init"}
    assert await act(agent, "status", "web") == expected
    assert await act(agent, "start", "web") == expected | {"status": "running"}
    assert await act(agent, "enable", "web") == {
        "status": "running",
        "enabled": "true",
        "provider": "init",
    }
    assert await act(agent, "disable", "web") == expected | {"status": "running"}
    assert await act(agent, "stop", "web") == expected
    for service, action, said in [
        ("nosuch", "status", "no service nosuch"),
        ("web", "restart", "exit code 1"),
        ("old", "status", "exit code 1: Usage"),
    ]:
        with pytest.raises(AgentError, match=said):
            await act(agent, action, service)


async def test_links_without_a_tool(tmp_path: Path) -> None:
    program(tmp_path / "etc/init.d", "web", "exit 0")
    with pytest.raises(AgentError, match=r"neither update-rc\.d nor chkconfig"):
        await SysV(tmp_path, lambda _name: None).act("enable", "web")


def test_systemd_counts_only_where_it_runs(tmp_path: Path) -> None:
    assert detect_provider(lambda _name: None, tmp_path) is None
    found = detect_provider(lambda name: name, tmp_path)
    assert isinstance(found, SysV)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert isinstance(detect_provider(lambda name: name, tmp_path), Systemd)


async def test_without_any_the_agent_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("choria.agents.service.agent.detect_provider", lambda: None)
    with pytest.raises(AgentError, match="neither systemd nor"):
        await act(service_agent(), "status", "web")
