"""The shell and executor agents: whose jobs, what they say, and that nobody may by default."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from choria.agents import JobStore, executor_agent, shell_agent
from choria.ddl import check_inputs
from choria.errors import AgentError, DDLError
from choria.node import BUILTIN_POLICIES
from choria.policy import Denied, PolicySet
from tests.support.agent_context import a_context


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    made = JobStore(tmp_path / "jobs", lambda: 1_800_000_060_500)
    yield made
    for job in made.jobs():
        made.signal(job.spec.id, signal.SIGKILL)


async def act(agent: Any, action: str, who: str = "choria=rip", /, **inputs: Any) -> dict[str, Any]:
    checked = check_inputs(agent.ddl.actions[action], inputs)
    with trio.fail_after(20):
        context = a_context(callerid=who, request_id=secrets.token_bytes(16))
        result: dict[str, Any] = await agent.actions[action](checked, context)
    assert set(result) <= set(agent.ddl.actions[action].outputs)
    return result


async def test_run_waits_and_leaves_nothing(store: JobStore) -> None:
    agent = shell_agent(store)
    assert await act(agent, "run", command="echo out; echo err >&2; exit 3") == {
        "stdout": "out\n",
        "stderr": "err\n",
        "running": False,
        "exitcode": 3,
        "reason": "exit",
        "truncated": False,
    }
    assert list(store.jobs()) == []
    long = await act(agent, "run", command="yes | head -c 100000")
    assert (len(long["stdout"]), long["truncated"]) == (64 * 1024, True)
    late = await act(agent, "run", command="sleep 1000", timeout=1)
    assert (late["reason"], late["exitcode"]) == ("timeout", -9)


async def test_a_cancelled_run_is_killed(store: JobStore) -> None:
    agent = shell_agent(store)
    with trio.move_on_after(0.5) as scope:
        await agent.actions["run"]({"command": "sleep 1000", "timeout": 600}, a_context())
    assert scope.cancelled_caught
    with trio.fail_after(20):
        while any(job.running for job in store.jobs()):  # noqa: ASYNC110  # no child of ours
            await trio.sleep(0.01)


async def test_output_is_read_while_it_runs_and_its_end_is_told_last(
    store: JobStore, tmp_path: Path
) -> None:
    agent = shell_agent(store)
    go = tmp_path / "go"
    command = f"echo first; while [ ! -e {go} ]; do sleep 0.01; done; yes | head -c 100000"
    job = (await act(agent, "start", command=command))["id"]
    said: dict[str, Any] = {"stdout_offset": 0, "stderr_offset": 0}
    heard = ""
    with trio.fail_after(20):
        while True:
            offsets = {name: said[name] for name in ("stdout_offset", "stderr_offset")}
            said = await act(agent, "output", id=job, **offsets)
            heard += said["stdout"]
            if heard == "first\n":
                assert said["running"]
                go.touch()
            if not said["running"]:
                break
            await trio.sleep(0.01)
    assert (len(heard), said["exitcode"]) == (100_006, 0)


async def test_a_job_has_the_name_of_its_request_which_another_caller_cannot_take(
    store: JobStore,
) -> None:
    start = shell_agent(store).actions["start"]
    inputs = {"command": "sleep 1000", "timeout": 600}
    with trio.fail_after(20):
        assert (await start(inputs, a_context()))["id"] == (b"r" * 16).hex()
        with pytest.raises(AgentError, match="there is a job"):
            await start(inputs, a_context(callerid="choria=joe"))


async def test_a_job_is_its_callers_alone(store: JobStore) -> None:
    agent = shell_agent(store)
    job = (await act(agent, "start", command="sleep 1000"))["id"]
    for action in ("output", "kill"):
        with pytest.raises(AgentError, match="there is no job") as caught:
            await act(agent, action, "choria=joe", id=job)
        assert caught.value.statuscode == 3
    assert (await act(agent, "list", "choria=joe"))["jobs"] == []
    assert [each["id"] for each in (await act(agent, "list"))["jobs"]] == [job]
    assert await act(agent, "kill", id=job, signal="KILL") == {"signalled": True}


@pytest.mark.parametrize(
    ("action", "inputs"),
    [
        ("run", {"command": "true", "timeout": 0}),
        ("run", {"command": "true", "timeout": 86_401}),
        ("output", {"id": "a" * 32}),
        ("output", {"id": "../../../etc/passwd"}),
        ("kill", {"id": "a" * 32, "signal": "STOP"}),
    ],
)
async def test_what_is_refused(store: JobStore, action: str, inputs: dict[str, Any]) -> None:
    with pytest.raises((AgentError, DDLError)):
        await act(shell_agent(store), action, **inputs)


async def test_the_executor_sees_every_job(store: JobStore) -> None:
    shell, executor = shell_agent(store), executor_agent(store)
    job = (await act(shell, "start", command="echo hi; sleep 1000"))["id"]
    other = (await act(shell, "start", "choria=joe", command="exit 2"))["id"]
    with trio.fail_after(20):
        while store.job(other).running:  # noqa: ASYNC110  # no child of ours
            await trio.sleep(0.01)
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {job, other}),
        ({"caller": "choria=joe"}, {other}),
        ({"running": True}, {job}),
        ({"completed": True}, {other}),
        ({"agent": "shell", "action": "start"}, {job, other}),
        ({"command": "/bin/sh"}, {job, other}),
        ({"command": "nosuch"}, set()),
        ({"identity": "web1"}, {job, other}),
        ({"identity": "web2"}, set()),
        ({"requestid": job}, {job}),
        ({"since": 1_800_000_060, "before": 1_800_000_061}, {job, other}),
        ({"before": 1_800_000_060}, set()),
    ]
    for inputs, expected in cases:
        assert set((await act(executor, "list", **inputs))["jobs"]) == expected, inputs
    assert (await act(executor, "status", id=other))["exit_code"] == 2
    assert (await act(executor, "output", id=job))["stdout"] == "hi\n"
    with pytest.raises(AgentError, match="no signal 999"):
        await act(executor, "signal", id=job, signal=999)
    assert (await act(executor, "signal", id=job, signal=9))["pid"] > 0


@pytest.mark.parametrize("agent", ["shell", "executor"])
def test_nobody_may_unless_its_own_policy_says_so(agent: str) -> None:
    everything = {"default.policy": "allow\t*\t*\t*\t*\n"}
    refused = PolicySet({**BUILTIN_POLICIES, **everything})
    assert isinstance(refused.decide("choria=rip", agent, "list", {}, ()), Denied)
    allowed = PolicySet({**BUILTIN_POLICIES, f"{agent}.policy": "allow\tchoria=rip\t*\t*\t*\n"})
    assert not isinstance(allowed.decide("choria=rip", agent, "list", {}, ()), Denied)
