"""External agents by Choria's protocol: good ones, and a table of misbehaving ones, one row a case."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from choria.agents.found import Catalogue, ExternalFolder, external_calls
from choria.agents.found.external import find_program
from choria.errors import AgentError
from choria.node import Agent
from tests.support.agent_context import a_context

DDL = {
    "metadata": {"name": "probe", "description": "Probe", "version": "1.0", "timeout": 5},
    "actions": [
        {
            "action": "run",
            "input": {"text": {"type": "string", "validation": ".", "maxlength": 99}},
            "output": {"said": {"display_as": "Said"}},
        }
    ],
}
ACTIVATES = """
case $CHORIA_EXTERNAL_PROTOCOL in
  *activation_request) echo '{"activate": true}' > $CHORIA_EXTERNAL_REPLY; exit 0 ;;
esac
"""
REPLY = """echo '{"statuscode": 0, "statusmsg": "", "data": {"said": "yes"}}' > $CHORIA_EXTERNAL_REPLY"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "agents"
    made.mkdir(mode=0o755)
    return made


def write(folder: Path, script: str, *, provider: str = "external", name: str = "probe") -> Path:
    ddl = DDL | {"metadata": {**DDL["metadata"], "provider": provider, "name": name}}  # type: ignore[dict-item]
    (folder / f"{name}.json").write_text(json.dumps(ddl))
    (folder / f"{name}.json").chmod(0o644)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def catalogue(folder: Path, facts: Mapping[str, Any] | None = None) -> Catalogue:
    return Catalogue([], [ExternalFolder(folder, folder / "plugin.d")], lambda: facts or {})


async def loaded(folder: Path, script: str, **more: str) -> Agent:
    write(folder, ACTIVATES + script, **more)
    found = catalogue(folder)
    await found.start()
    (agent,) = found.agents
    return agent


async def call(agent: Agent, text: str = "hello") -> dict[str, Any]:
    with trio.fail_after(20):
        return await agent.actions["run"]({"text": text}, a_context({"os": "linux"}))


ECHO = """
cp "$1" "$FOLDER/request"; cp "$CHORIA_EXTERNAL_FACTS" "$FOLDER/facts"; env > "$FOLDER/env"
echo "$@" > "$FOLDER/argv"; pwd > "$FOLDER/cwd"; echo to stdout; echo to stderr >&2
""".replace("$FOLDER", "{folder}")


async def test_a_program_gets_what_choria_gives_it(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hush")
    agent = await loaded(folder, ECHO.format(folder=tmp_path) + REPLY)
    with caplog.at_level(logging.INFO):
        assert await call(agent) == {"said": "yes"}
    assert json.loads((tmp_path / "request").read_text()) == {
        "$schema": "https://choria.io/schemas/mcorpc/external/v1/rpc_request.json",
        "protocol": "io.choria.mcorpc.external.v1.rpc_request",
        "agent": "probe",
        "action": "run",
        "requestid": (b"r" * 16).hex(),
        "senderid": "rip",
        "callerid": "choria=rip",
        "collective": "choria",
        "ttl": 60,
        "msgtime": 1_800_000_060,
        "data": {"text": "hello"},
    }
    assert json.loads((tmp_path / "facts").read_text()) == {"os": "linux"}
    env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    request, reply, protocol = (tmp_path / "argv").read_text().split()
    assert env["CHORIA_EXTERNAL_REQUEST"] == request
    assert env["CHORIA_EXTERNAL_REPLY"] == reply
    assert env["CHORIA_EXTERNAL_PROTOCOL"] == protocol == "io.choria.mcorpc.external.v1.rpc_request"
    assert env["CHORIA_EXTERNAL_CONFIG"] == str(folder / "plugin.d" / "probe")
    assert "SECRET" not in env
    cwd = (tmp_path / "cwd").read_text().strip()
    assert Path(request).parent == Path(cwd)
    assert not exists(cwd)
    levels = {record.message: record.levelname for record in caplog.records}
    assert (levels["probe: to stdout"], levels["probe: to stderr"]) == ("INFO", "ERROR")


MISBEHAVING = [
    ("exit 3", 1, "ended with exit code 3"),
    ("kill -9 $$", 1, "ended with exit code -9"),
    ("exit 0", 1, "not valid"),
    ("echo nonsense > $CHORIA_EXTERNAL_REPLY", 1, "not valid"),
    ("echo '[1]' > $CHORIA_EXTERNAL_REPLY", 1, "not valid"),
    ("""echo '{"statuscode": "0", "data": {}}' > $CHORIA_EXTERNAL_REPLY""", 1, "not valid"),
    ("""echo '{"statuscode": 0, "data": [1]}' > $CHORIA_EXTERNAL_REPLY""", 1, "not valid"),
    ("printf '\\377' > $CHORIA_EXTERNAL_REPLY", 1, "not valid"),
    ("rm $CHORIA_EXTERNAL_REPLY", 1, "cannot be read: No such file"),
    ("rm $CHORIA_EXTERNAL_REPLY; mkdir $CHORIA_EXTERNAL_REPLY", 1, "cannot be read"),
    ("head -c 5000000 /dev/zero > $CHORIA_EXTERNAL_REPLY", 1, "longer than"),
    *(
        (
            f"""echo '{{"statuscode": {code}, "statusmsg": "no {code}"}}' > $CHORIA_EXTERNAL_REPLY""",
            code,
            f"no {code}",
        )
        for code in (1, 2, 3, 4, 5, 99)
    ),
]


@pytest.mark.parametrize(("script", "code", "said"), MISBEHAVING)
async def test_what_a_misbehaving_program_comes_to(
    folder: Path, script: str, code: int, said: str
) -> None:
    agent = await loaded(folder, script)
    with pytest.raises(AgentError, match=said) as caught:
        await call(agent)
    assert caught.value.statuscode == code


GOOD_ALL_THE_SAME = [
    ("flood", f"yes | head -c 20000000; yes 1>&2 | head -c 1; {REPLY}"),
    ("extra fields", REPLY.replace('"statuscode"', '"more": 1, "statuscode"')),
    ("deletes itself", f'rm "$0"; {REPLY}'),
    ("replaces itself", f'echo "exit 9" > "$0.new"; mv "$0.new" "$0"; {REPLY}'),
    ("fork", f"sleep 1000 & {REPLY}"),
    ("removes its folder", f"{REPLY}; chmod 500 ."),
]


@pytest.mark.parametrize(
    "script",
    [script for _, script in GOOD_ALL_THE_SAME],
    ids=[name for name, _ in GOOD_ALL_THE_SAME],
)
async def test_what_does_no_harm(
    folder: Path, script: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = await loaded(folder, script.replace("yes 1>&2 | head -c 1", "true"))
    with caplog.at_level(logging.INFO):
        assert await call(agent) == {"said": "yes"}
    assert len(caplog.records) < 200


async def test_one_that_deleted_itself_is_not_there_the_next_time(folder: Path) -> None:
    agent = await loaded(folder, f'rm "$0"; {REPLY}')
    await call(agent)
    with pytest.raises(AgentError, match="is not on this machine"):
        await call(agent)


async def test_a_cancelled_call_kills_the_program_and_its_children(
    folder: Path, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    agent = await loaded(
        folder, f"sleep 1000 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait"
    )
    with trio.fail_after(20), trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, agent)
            while not exists(str(pids)):  # noqa: ASYNC110  # another process writes it
                await trio.sleep(0.01)
            scope.cancel()
    with trio.fail_after(20):
        for pid in pids.read_text().split():
            while state_of(pid) != "Z":  # noqa: ASYNC110  # not a child of ours
                await trio.sleep(0.01)


def exists(path: str) -> bool:
    return Path(path).exists()


def state_of(pid: str) -> str:
    """The state letter of a process; Z, as for a dead one, when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("""echo '{"activate": false}' > $CHORIA_EXTERNAL_REPLY""", "does not want to run"),
        ("exit 1", "exit code 1"),
        ("exit 0", "no answer about its activation"),
        ("echo '{}' > $CHORIA_EXTERNAL_REPLY", "no answer about its activation"),
        ("sleep 1000", "did not say within"),
    ],
)
async def test_one_that_is_not_activated_is_not_hosted(
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    said: str,
) -> None:
    monkeypatch.setattr(external_calls, "ACTIVATE_WITHIN_S", 1.0)
    write(folder, script)
    found = catalogue(folder)
    with caplog.at_level(logging.INFO), trio.fail_after(20):
        await found.start()
    assert found.agents == ()
    assert said in caplog.text


async def test_what_is_wrong_with_the_files_is_said(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(folder, ACTIVATES + REPLY)
    found = catalogue(folder)
    for mode, said in [(0o777, "chmod go-w"), (0o644, "chmod a+x")]:
        path.chmod(mode)
        caplog.clear()
        await found.start()
        assert found.agents == ()
        assert said in caplog.text
    path.chmod(0o755)
    path.rename(folder / "x")
    await found.start()
    assert "is not there" in caplog.text
    (folder / "x").rename(path)
    await found.start()
    assert [agent.ddl.name for agent in found.agents] == ["probe"]
    (folder / "probe.json").write_text("{")
    caplog.clear()
    await found.start()
    assert "not JSON" in caplog.text
    assert [agent.ddl.name for agent in found.agents] == ["probe"]  # the last good one stays
    (folder / "probe.json").unlink()
    await found.refresh()
    assert found.agents == ()


def test_a_program_for_each_kind_of_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = folder / "probe"
    inner.mkdir()
    for name in ("probe-linux_amd64", "probe-linux_arm64"):
        (inner / name).write_text("#!/bin/sh\n")
        (inner / name).chmod(0o755)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert find_program(folder / "probe.json").name == "probe-linux_arm64"
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(FileNotFoundError, match="probe-linux_riscv64 is not there"):
        find_program(folder / "probe.json")


LASTING = """#!/usr/bin/env python3
import json, os, sys, time
if "activation" in os.environ.get("CHORIA_EXTERNAL_PROTOCOL", ""):
    open(os.environ["CHORIA_EXTERNAL_REPLY"], "w").write('{{"activate": true}}')
    sys.exit(0)
def note(word):
    with open({starts!r}, "a") as file:
        file.write(word + "\\n")
note("started")
for line in sys.stdin:
    request = json.loads(line)
    reply = {{"call": request["call"], "statuscode": 0, "statusmsg": "", "data": {{"said": "yes"}}}}
    match request["data"]["text"]:
        case "stop":
            sys.exit(4)
        case "hang":
            time.sleep(1000)
        case "two":
            print(json.dumps(reply))
        case "nonsense":
            reply = "nonsense"
        case "other":
            reply["call"] += 1
        case "fail":
            reply |= {{"statuscode": 3, "statusmsg": "no", "data": {{"why": 1}}}}
    print(json.dumps(reply), flush=True)
note("ended")
"""


async def lasting(folder: Path, tmp_path: Path) -> tuple[Catalogue, Agent]:
    path = write(folder, "", provider="external-lasting")
    path.write_text(LASTING.format(starts=str(tmp_path / "starts")))
    found = catalogue(folder)
    await found.start()
    (agent,) = found.agents
    return found, agent


async def test_one_process_serves_many_calls_and_ends_with_its_agent(
    folder: Path, tmp_path: Path
) -> None:
    found, agent = await lasting(folder, tmp_path)
    for _ in range(5):
        assert await call(agent) == {"said": "yes"}
    with pytest.raises(AgentError, match="no") as caught:
        await call(agent, "fail")
    assert (caught.value.statuscode, caught.value.data) == (3, {"why": 1})
    assert await call(agent) == {"said": "yes"}
    await found.aclose()
    assert (tmp_path / "starts").read_text() == "started\nended\n"


async def test_calls_of_one_process_take_turns(folder: Path, tmp_path: Path) -> None:
    found, agent = await lasting(folder, tmp_path)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(call, agent)
    assert (tmp_path / "starts").read_text() == "started\n"
    await found.aclose()


@pytest.mark.parametrize(
    ("text", "said"),
    [("stop", "ended before"), ("nonsense", "not valid"), ("other", "replied to call 2")],
)
async def test_a_process_that_goes_wrong_is_replaced(
    folder: Path, tmp_path: Path, text: str, said: str
) -> None:
    found, agent = await lasting(folder, tmp_path)
    with pytest.raises(AgentError, match=said):
        await call(agent, text)
    assert await call(agent) == {"said": "yes"}
    await found.aclose()


async def test_a_line_too_many_is_never_the_next_calls_reply(folder: Path, tmp_path: Path) -> None:
    found, agent = await lasting(folder, tmp_path)
    wrong = []
    for text in ("two", "hello", "hello"):
        try:
            assert await call(agent, text) == {"said": "yes"}
        except AgentError as exc:
            wrong.append(str(exc))
    # Whether it comes with the first reply or after it: one call fails, and says why.
    (said,) = wrong
    assert "more than one line" in said or "replied to call 1" in said
    await found.aclose()


async def test_a_cancelled_call_ends_the_process_so_that_no_reply_goes_astray(
    folder: Path, tmp_path: Path
) -> None:
    found, agent = await lasting(folder, tmp_path)
    assert await call(agent) == {"said": "yes"}
    with trio.move_on_after(0.3) as scope:
        await call(agent, "hang")
    assert scope.cancelled_caught
    assert await call(agent) == {"said": "yes"}
    assert (tmp_path / "starts").read_text() == "started\nstarted\n"
    await found.aclose()
