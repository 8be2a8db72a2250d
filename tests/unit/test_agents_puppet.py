"""The puppet agent: Puppet's files as they are found, and the program by one that stands in for it."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from choria.agents import JobStore, puppet_agent
from choria.agents.jobs import wait_for
from choria.agents.puppet.agent import resource_words, run_options
from choria.agents.puppet.state import (
    SETTINGS,
    is_process,
    managed_types,
    parse_settings,
    read_disabled,
    read_summary,
)
from choria.ddl import check_inputs
from choria.errors import AgentError, DDLError
from tests.support.agent_context import a_context

NOW_S = 1_800_000_060
SUMMARY = """---
version:
  config: 1795353062
  puppet: 7.23.0
application:
  run_mode: user
resources:
  changed: 2
  corrective_change: 1
  failed: 3
  out_of_sync: 4
  skipped: 0
  total: 80
time:
  config_retrieval: 0.5
  total: 12.25
  last_run: 1799999060
changes:
  total: 2
"""


def test_settings_are_found_and_none_may_be_missing() -> None:
    text = "".join(f"{name} = /x/{name}\n" for name in SETTINGS)
    assert parse_settings("Warning: odd\n" + text).last_run == Path("/x/lastrunfile")
    with pytest.raises(AgentError, match="did not say pidfile"):
        parse_settings(text.replace("pidfile", "other"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, None),
        ('{"disabled_message":"for a reason"}', "for a reason"),
        ("{}", ""),
        ("", ""),
        ("[1]", "[1]"),
        ("by hand\n", "by hand"),
    ],
)
def test_disabled_and_why(tmp_path: Path, text: str | None, why: str | None) -> None:
    path = tmp_path / "lock"
    if text is not None:
        path.write_text(text)
    assert read_disabled(path) == why


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("OWN", True),
        (" OWN\n", True),
        ("4194305", False),
        ("0", False),
        ("-1", False),
        ("x", False),
        ("", False),
        ("9" * 30, False),
    ],
)
def test_whether_a_pid_file_is_of_a_process(tmp_path: Path, text: str, runs: bool) -> None:
    path = tmp_path / "pid"
    path.write_text(text.replace("OWN", str(os.getpid())))
    assert is_process(path) is runs
    assert not is_process(tmp_path / "nothing")


def test_summaries_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    assert read_summary(path) == {}
    for text, said in [("[", "cannot be read"), ("text", "no summary")]:
        path.write_text(text)
        with pytest.raises(AgentError, match=said):
            read_summary(path)
    path.write_text("time: failed\nversion: {config: 1}\n")
    assert read_summary(path) == {"version": {"config": 1}}


def test_what_is_managed(tmp_path: Path) -> None:
    path = tmp_path / "resources.txt"
    path.write_text("file[/etc/motd]\nfile[/etc/x]\nservice[web]\n\n")
    assert managed_types(path) == {"file": 2, "service": 1}
    assert managed_types(tmp_path / "nothing") == {}


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ({}, []),
        ({"noop": True, "splay": False}, ["--noop", "--no-splay"]),
        ({"tags": "a,b", "splaylimit": 5}, ["--splaylimit=5", "--tags=a,b"]),
        (
            {"use_cached_catalog": False, "server": "p:1"},
            ["--no-use_cached_catalog", "--server=p:1"],
        ),
    ],
)
def test_options_of_a_run(inputs: dict[str, Any], options: list[str]) -> None:
    assert run_options(inputs) == options


@pytest.mark.parametrize("parameters", [{"--x": 1}, {"X": 1}, {"a": [1]}, {"a": None}, {"a b": 1}])
def test_parameters_that_are_none(parameters: dict[str, Any]) -> None:
    with pytest.raises(AgentError, match="is no parameter"):
        resource_words(parameters)


PUPPET = """#!/bin/sh
echo "$*" >> {folder}/calls
case "$1 $2" in
  "config print") for name in {settings}; do echo "$name = {folder}/$name"; done ;;
  "agent --enable") rm -f {folder}/agent_disabled_lockfile ;;
  "agent --disable") printf '{{"disabled_message":"%s"}}' "$3" > {folder}/agent_disabled_lockfile ;;
  "agent --onetime") exit 2 ;;
  "resource --color=false")
     [ "$4" = broken ] && {{ echo "Error: Could not find it" >&2; exit 1; }}
     [ $# -gt 4 ] && echo "Notice: /File[x]/ensure: created"; echo "file {{ 'x': }}" ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "puppet"
    path.write_text(PUPPET.format(folder=tmp_path, settings=" ".join(SETTINGS)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("choria.agents.commands.SYSTEM_PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("choria.agents.jobs.running.USER_PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    made = JobStore(tmp_path / "jobs", lambda: NOW_S * 1000)
    yield made
    for job in made.jobs():
        made.signal(job.spec.id, signal.SIGKILL)


async def act(agent: Any, action: str, **inputs: Any) -> dict[str, Any]:
    checked = check_inputs(agent.ddl.actions[action], inputs)
    with trio.fail_after(20):
        result: dict[str, Any] = await agent.actions[action](checked, a_context())
    assert set(result) == set(agent.ddl.actions[action].outputs)
    return result


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


async def test_status_and_summary(folder: Path, store: JobStore) -> None:
    agent = puppet_agent(store)
    fresh = await act(agent, "status")
    assert (fresh["status"], fresh["enabled"], fresh["lastrun"]) == ("stopped", True, 0)
    with pytest.raises(AgentError, match="has not run"):
        await act(agent, "last_run_summary")
    write(folder / "lastrunfile", SUMMARY)
    write(folder / "pidfile", str(os.getpid()))
    now = await act(agent, "status")
    assert (now["status"], now["daemon_present"], now["idling"]) == ("idling", True, True)
    assert now["since_lastrun"] == 1000
    write(folder / "agent_catalog_run_lockfile", str(os.getpid()))
    assert (await act(agent, "status"))["applying"]
    with pytest.raises(AgentError, match="applying a catalog already"):
        await act(agent, "runonce")
    summary = await act(agent, "last_run_summary")
    assert {
        name: summary[name] for name in ("changed_resources", "failed_resources", "total_time")
    } == {
        "changed_resources": 2,
        "failed_resources": 3,
        "total_time": 12.25,
    }
    assert [line for line in calls(folder) if "config" in line] == [
        "config print --section agent " + " ".join(SETTINGS)
    ]  # it was asked once


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def test_disabled_is_not_run_and_enabled_is(folder: Path, store: JobStore) -> None:
    agent = puppet_agent(store)
    assert await act(agent, "disable", message="too hot") == {
        "enabled": False,
        "status": "Puppet is disabled: too hot",
    }
    with pytest.raises(AgentError, match="Puppet is disabled: too hot"):
        await act(agent, "runonce")
    assert (await act(agent, "enable"))["enabled"]
    assert "rip" in (await act(agent, "disable"))["status"]
    await act(agent, "enable")
    run = await act(agent, "runonce", noop=True, tags="web")
    job = await wait_for(store, run["id"])
    assert (job.kept.exit_code, job.spec.caller, job.spec.agent) == (2, "choria=rip", "puppet")
    assert calls(folder)[-1].endswith("--verbose --noop --tags=web")


async def test_resources(folder: Path) -> None:
    agent = puppet_agent(None)
    assert await act(agent, "resource", type="file", name="x") == {
        "result": "file { 'x': }\n",
        "changed": False,
    }
    wanted = {"ensure": "present", "size": 3, "deep": True}
    assert (await act(agent, "resource", type="file", name="x", parameters=wanted))["changed"]
    assert calls(folder)[-1] == "resource --color=false file x ensure=present size=3 deep=true"
    with pytest.raises(AgentError, match="puppet resource --color=false failed: Error: Could not"):
        await act(agent, "resource", type="file", name="broken")
    with pytest.raises(AgentError, match="is no resource"):
        await act(agent, "resource", type="file", name="--edit")
    with pytest.raises(DDLError):
        await act(agent, "resource", type="--edit", name="x")


async def test_without_jobs_no_run_is_started(folder: Path) -> None:
    with pytest.raises(AgentError, match="keeps no jobs"):
        await act(puppet_agent(None), "runonce")


async def test_a_machine_without_puppet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("choria.agents.commands.SYSTEM_PATH", str(tmp_path))
    with pytest.raises(AgentError, match="puppet is not on this machine"):
        await act(puppet_agent(None), "status")
