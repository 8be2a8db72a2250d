"""External discovery: real programs, called as Choria calls them, well and badly behaved."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
import trio

from choria.client.methods import Method, Wanted, list_nodes
from choria.errors import DiscoveryError
from choria.filters import parse_filter

REPLY = "io.choria.choria.discovery.v1.external_reply"
GOOD = f"""
import json, os, sys
request = json.load(open(sys.argv[-3]))
names = ["CHORIA_EXTERNAL_" + each for each in ("REQUEST", "REPLY", "PROTOCOL")]
assert sys.argv[-3:] == [os.environ[name] for name in names]
seen = dict(request=request, env=dict(os.environ), argv=sys.argv[1:-3], cwd=os.getcwd())
json.dump(seen, open(SEEN, "w"))
json.dump(dict(protocol={REPLY!r}, nodes=["web2", "web1"]), open(sys.argv[-2], "w"))
print("a word on stdout")
"""


def _says(reply: object, then: str = "") -> str:
    return f"import json, sys\nopen(sys.argv[-2], 'w').write({json.dumps(reply)!r})\n{then}"


@pytest.fixture
def program(tmp_path: Path):
    def write(code: str) -> str:
        path = tmp_path / "who"
        path.write_text(f"#!{sys.executable}\nSEEN = {str(tmp_path / 'seen')!r}\n{code}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


def _wanted(command: str, timeout_s: float = 20.0, **options: str) -> Wanted:
    return Wanted(
        method=Method.EXTERNAL,
        which=parse_filter(facts=["a=b"], identities=["/web/"]),
        collective="mcollective",
        timeout_s=timeout_s,
        options={"command": command, **options},
        path=os.environ["PATH"],
    )


async def test_a_program_gets_choria_s_question_and_gives_names(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_OPERATOR", "x")
    listed = await list_nodes(_wanted(f"{program(GOOD)} --site 'north one'", region="eu"))
    assert (listed.names, listed.method) == (("web1", "web2"), Method.EXTERNAL)
    seen = json.loads((tmp_path / "seen").read_text())
    request = seen["request"]
    assert seen["argv"] == ["--site", "north one"]
    assert "SECRET_OF_THE_OPERATOR" not in seen["env"]
    assert seen["env"]["PATH"] == os.environ["PATH"]
    assert not await trio.Path(seen["cwd"]).exists()  # the files are gone when it is over
    assert request["protocol"] == "io.choria.choria.discovery.v1.external_request"
    assert request["$schema"].endswith("/external_request.json")
    assert (request["collective"], request["timeout"]) == ("mcollective", 20.0)
    assert request["options"] == {"region": "eu"}
    assert request["filter"]["identity"] == ["/web/"]


BAD = [
    ("sys = __import__('sys'); print('broken database'); sys.exit(3)", "exit code 3: broken database"),
    (_says({"protocol": REPLY, "nodes": [], "error": "no such region"}), "no such region"),
    (_says({"protocol": "else", "nodes": ["a"]}), "protocol is 'else'"),
    (_says({"nodes": ["a"]}), "protocol is ''"),
    (_says({"protocol": REPLY, "nodes": "a"}), "Expected `array"),
    (_says({"protocol": REPLY, "nodes": ["../a"]}), "no names of nodes"),
    ("", "not JSON"),
    (_says([1]), "Expected `object`"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "says"), BAD, ids=[row[1] for row in BAD])
async def test_an_answer_that_cannot_be_used_names_nobody(program, code: str, says: str) -> None:
    with pytest.raises(DiscoveryError) as caught:
        await list_nodes(_wanted(program(code)))
    assert says in str(caught.value)


async def test_a_program_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match=r"cannot be run: .*missing is not on this machine"):
        await list_nodes(_wanted(str(tmp_path / "missing")))


HANGS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
open(SEEN, "w").write(str(child.pid))
time.sleep(300)
"""


async def test_a_program_that_hangs_is_killed_with_its_children(program, tmp_path: Path) -> None:
    with trio.fail_after(20), pytest.raises(DiscoveryError, match="--discovery-timeout"):
        await list_nodes(_wanted(program(HANGS), timeout_s=3.0))
    await _is_gone(int((tmp_path / "seen").read_text()))


LEAVES_A_CHILD = _says(
    {"protocol": REPLY, "nodes": ["web1"]},
    "import subprocess\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
    "open(SEEN, 'w').write(str(child.pid))\n",
)


async def test_a_child_that_holds_the_pipe_open_is_not_waited_for(program, tmp_path: Path) -> None:
    with trio.fail_after(20):
        assert (await list_nodes(_wanted(program(LEAVES_A_CHILD)))).names == ("web1",)
    await _is_gone(int((tmp_path / "seen").read_text()))


async def test_cancelling_kills_it(program, tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(list_nodes, _wanted(program(HANGS)))
        seen = trio.Path(tmp_path / "seen")
        with trio.fail_after(20):
            while not await seen.exists() or not await seen.read_text():  # noqa: ASYNC110  # another process
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    await _is_gone(int((tmp_path / "seen").read_text()))


async def test_one_that_talks_without_end_is_not_kept_in_memory(program) -> None:
    code = "import sys\nfor _ in range(400): print('x' * 10000)\nsys.exit(1)"
    with pytest.raises(DiscoveryError) as caught:
        await list_nodes(_wanted(program(code)))
    assert len(str(caught.value)) < 600


async def _is_gone(pid: int) -> None:
    """Killed; it may stay a zombie until whoever adopted it looks."""
    with trio.fail_after(10):
        while _state(pid) != "Z":  # noqa: ASYNC110  # another process offers no event
            await trio.sleep(0.05)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
