"""Native agents that misbehave, each called through a whole node: one row a case.

While such an action runs, and afterwards, the node answers somebody else's ping to another agent. What
an agent in Python can do that its node does not survive is in docs/howto/write-an-agent.md.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import attrs
import pytest
import trio

from choria.errors import Refusal
from tests.support.hosting_node import HostingNode, a_hosting_node, put

pytestmark = pytest.mark.timeout(120)

MODULE = '''
import os, subprocess, sys, threading, time
from pathlib import Path
import trio
from choria.agents import About, Agent, action
from choria.errors import AgentError

GATE, HERE = Path({gate!r}), Path(__file__)

class Odd(Agent):
    """Misbehaves."""

    about = About(timeout_s=1)

    @action()
    {kind} run(self) -> {returns}:
        """Misbehave."""
{body}

    @action()
    async def fine(self) -> dict[str, str]:
        """Answer."""
        return {{"said": "fine"}}
'''
SECRET = "hunter2"  # noqa: S105  # what must not reach the caller


@attrs.frozen(kw_only=True)
class Row:
    """A case: an action's body, what its caller sees, and a part of the agent's next answer if not fine."""

    name: str
    body: str
    kind: str = "async def"
    returns: str = "dict[str, object]"
    sees: tuple[int, Refusal | None, str]
    audit: str
    after: str = ""


OK = (0, None, "OK")
LATE = (5, Refusal.TIMED_OUT, "no result within the agent's 1 s")
CRASHED = (5, Refusal.FAILED, "odd#run failed; the node's log says why")
LARGE = (5, Refusal.RESULT_TOO_LARGE, "")


def unsendable(place: str) -> tuple[int, Refusal, str]:
    return 5, Refusal.FAILED, f"cannot be sent: {place}"


def failing(name: str, body: str, sees: tuple[int, Refusal | None, str], **more: str) -> Row:
    return Row(name=name, body=body, sees=sees, audit="failed", **more)  # type: ignore[arg-type]


def passing(name: str, body: str, **more: str) -> Row:
    return Row(name=name, body=body, sees=OK, audit="succeeded", **more)  # type: ignore[arg-type]


def late(name: str, body: str, **more: str) -> Row:
    return Row(name=name, body=body, sees=LATE, audit="timed-out", **more)  # type: ignore[arg-type]


def large(name: str, body: str) -> Row:
    return Row(name=name, body=body, sees=LARGE, audit="result-too-large")


WAIT = "while not GATE.exists(): time.sleep(0.01)"
LEAK = (
    "async def task():\n    await trio.sleep(0.01)\n    {}\ntrio.lowlevel.spawn_system_task(task)\n"
)
ROWS = [
    late("hangs", "await trio.sleep_forever()"),
    late(
        "ignores its cancellation",
        "with trio.CancelScope(shield=True):\n    while not GATE.exists(): await trio.sleep(0.01)",
        after="odd#run hangs in this agent",
    ),
    late(
        "swallows its cancellation",
        "while not GATE.exists():\n    try: await trio.sleep(0.01)\n    except trio.Cancelled: pass",
        after="odd#run hangs in this agent",
    ),
    late("blocks its loop", WAIT, after="odd#run hangs in this agent"),
    late("blocks a thread", WAIT, kind="def"),
    late("burns CPU", "while not GATE.exists(): pass", kind="def"),
    passing("prints", "print('hello'); return {}"),
    passing("prints without end", "for _ in range(100_000): print('x' * 80)\nreturn {}"),
    passing("closes standard output", "sys.stdout.close(); print('x'); return {}"),
    failing("raises", f"raise ValueError('{SECRET}')", CRASHED),
    failing("raises in a thread", f"raise ValueError('{SECRET}')", CRASHED, kind="def"),
    failing("leaves", "sys.exit(0)", CRASHED),
    failing("leaves in a thread", "sys.exit(0)", CRASHED, kind="def"),
    failing("raises KeyboardInterrupt", "raise KeyboardInterrupt", CRASHED, kind="def"),
    failing("raises what is no Exception", "raise BaseException('x')", CRASHED),
    failing(
        "raises a group", "raise BaseExceptionGroup('x', [SystemExit(1), ValueError()])", CRASHED
    ),
    failing(
        "raises what cannot be told",
        "class E(AgentError):\n    def __str__(self): raise ValueError\nraise E('x')",
        CRASHED,
    ),
    failing("fails with a code", "raise AgentError('no', statuscode=3)", (3, None, "no")),
    failing("fails with an odd code", "raise AgentError('no', statuscode=99)", (5, None, "no")),
    failing("fails with no number", "raise AgentError('no', statuscode=[])", (5, None, "no")),
    failing("fails with odd data", "e = AgentError('no'); e.data = [1]; raise e", (1, None, "no")),
    failing("fails at length", "raise AgentError('n' * 50_000_000)", (1, None, "nnnn")),
    failing(
        "fails with half a character", "raise AgentError('no \\udcff')", (1, None, "no \\udcff")
    ),
    failing("returns a list", "return [1]", CRASHED),
    failing("returns an object", "return object()", CRASHED),
    failing("returns an object inside", "return {'x': object()}", CRASHED),
    failing("returns a generator", "return (n for n in ())", CRASHED),
    failing("returns numbers as names", "return {1: 'x'}", CRASHED),
    failing("returns no number", "return {'x': [float('nan')]}", unsendable("$.data.x[0]")),
    failing("returns 2**70", "return {'x': 1 << 70}", unsendable("$.data.x")),
    failing("returns a huge number", "return {'x': 1 << 10_000_000}", unsendable("$.data.x")),
    failing("returns half a character", "return {'x': '\\udcff'}", unsendable("$.data.x")),
    failing("returns half a name", "return {'\\udcff': 1}", unsendable("$.data")),
    failing(
        "returns a tower", "x = {}\nfor _ in range(100): x = {'x': x}\nreturn x", unsendable("$")
    ),
    failing("returns a circle", "x = {}; x['x'] = x; return x", CRASHED),
    passing("returns nothing", "return None", returns="None"),
    large("returns 100 MB of text", "return {'x': 'x' * 100_000_000}"),
    large("returns 100 MB of bytes", "return {'x': bytes(100_000_000)}"),
    large("returns 100 MB of values", "return {'x': [0] * 12_500_000}"),
    large("returns a hundred thousand names", "return {str(n): n for n in range(100_000)}"),
    large("returns one text a million times", "return {'x': ['x' * 1000] * 1_000_000}"),
    passing("leaks a task", LEAK.format("await trio.sleep_forever()") + "return {}"),
    failing(
        "leaks a task that breaks its loop",
        LEAK.format("raise ValueError") + "await trio.sleep_forever()",
        CRASHED,
    ),
    passing("leaks a thread", "threading.Thread(target=time.sleep, args=(2,)).start(); return {}"),
    passing("starts a program and forgets it", "subprocess.Popen(['sleep', '2']); return {}"),
    passing("deletes its own file", "HERE.unlink(); return {}"),
    passing("breaks its own file", "HERE.write_text('1 +'); return {}"),
]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of a program that an agent forgot
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_what_the_caller_of_a_misbehaving_agent_sees(row: Row, tmp_path: Path) -> None:
    folder, gate = tmp_path / "agents", tmp_path / "gate"
    folder.mkdir(mode=0o755)
    body = textwrap.indent(row.body, " " * 8)
    put(
        folder / "odd.py",
        MODULE.format(gate=str(gate), kind=row.kind, returns=row.returns, body=body),
    )
    async with a_hosting_node(folder) as hosting:
        try:
            await check(row, hosting)
        finally:
            gate.touch()


async def check(row: Row, hosting: HostingNode) -> None:
    """Call, ping meanwhile, and compare what the caller sees with the row."""
    answer = await hosting.ask_while_pinging("odd")
    statuscode, refusal, text = row.sees
    assert (answer.statuscode, answer.refusal) == (statuscode, refusal)
    assert text in answer.statusmsg
    assert SECRET not in answer.statusmsg
    assert len(answer.statusmsg) <= 2000
    assert hosting.outcome("odd") == row.audit
    await hosting.ping()
    again = await hosting.ask("odd", "fine")
    assert row.after in again.statusmsg
    assert again.ok != bool(row.after)


async def test_an_agent_replaced_during_a_call_answers_it_all_the_same(tmp_path: Path) -> None:
    folder, gate = tmp_path / "agents", tmp_path / "gate"
    folder.mkdir(mode=0o755)
    body = textwrap.indent(
        "while not GATE.exists(): await trio.sleep(0.01)\nreturn {'v': 1}", " " * 8
    )
    module = MODULE.format(gate=str(gate), kind="async def", returns="dict[str, int]", body=body)
    put(folder / "odd.py", module.replace("timeout_s=1", "timeout_s=30"))
    async with a_hosting_node(folder) as hosting, trio.open_nursery() as nursery:
        answers = []

        async def ask() -> None:
            answers.append(await hosting.ask("odd"))

        nursery.start_soon(ask)
        with trio.fail_after(20):
            while not hosting.node.host.running:  # noqa: ASYNC110  # a condition of the node's
                await trio.sleep(0.01)
        put(
            folder / "odd.py",
            module.replace("{'v': 1}", "{'v': 2}").replace("not GATE.exists()", "False"),
        )
        await hosting.look_again()
        second = await hosting.ask("odd", who=1)
        (folder / "odd.py").unlink()
        await hosting.look_again()
        third = await hosting.ask("odd", who=1)
        gate.touch()
    assert (second.data, third.refusal) == ({"v": 2}, Refusal.UNKNOWN_AGENT)
    assert [answer.data for answer in answers] == [{"v": 1}]


async def test_an_agent_that_hangs_leaves_places_for_others(tmp_path: Path) -> None:
    folder = tmp_path / "agents"
    folder.mkdir(mode=0o755)
    body = textwrap.indent("await trio.sleep_forever()", " " * 8)
    put(
        folder / "odd.py",
        MODULE.format(gate="", kind="async def", returns="dict[str, int]", body=body),
    )
    async with a_hosting_node(folder, max_running=4, max_running_agent=3) as hosting:
        seen: list[Refusal | None] = []

        async def ask() -> None:
            seen.append((await hosting.ask("odd")).refusal)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
            with trio.fail_after(20):
                while len(seen) < 2:  # noqa: ASYNC110  # the two that are refused at once
                    await trio.sleep(0.01)
            assert seen == [Refusal.BUSY] * 2
            await hosting.ping()
        assert seen[2:] == [Refusal.TIMED_OUT] * 3
        assert (await hosting.ask("odd", "fine")).ok
