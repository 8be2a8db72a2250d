"""Programs in Python against a real fleet: with Trio, without, from asyncio, and under Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import choria
from choria.api.portal import THREAD
from choria.errors import BrokerUnreachable, ConfigError, DDLError, Interrupted
from tests.support.kept_demo import kept_demo

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with kept_demo(tmp_path_factory.mktemp("demo"), nodes=2) as folder:
        yield folder


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == THREAD]


async def test_a_call_with_trio(stage: Path) -> None:
    async with choria.connect(config=stage / "client.toml") as fleet:
        found = await fleet.ping()
        result = await fleet.call("rpcutil", "ping")
        by_fact = await fleet.call("rpcutil", "ping", where=choria.where(identities="/1/"))
    assert len(found) == 2
    assert sorted(reply.sender for reply in result.replies) == list(found.names)
    assert (result.ok, result.summary.expected) == (True, found.names)
    assert len(by_fact.replies) == 1


async def test_the_blocks_own_error_comes_back_as_it_is(stage: Path) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with choria.connect(config=stage / "client.toml"):
            raise LookupError("mine")


async def test_nobody_there(stage: Path) -> None:
    text = (stage / "client.toml").read_text()
    impatient = stage / "impatient.toml"
    impatient.write_text(f"connect_timeout_s = 0.5\n{text}")
    with pytest.raises(BrokerUnreachable):
        async with choria.connect(config=impatient, brokers="localhost:1"):
            raise AssertionError


def test_a_call_without_trio(stage: Path) -> None:
    with choria.blocking.connect(config=stage / "client.toml") as fleet:
        assert threads() == [THREAD]
        names = sorted(reply.sender for reply in fleet.call("rpcutil", "ping"))
        assert list(fleet.discover()) == list(fleet.ping()) == names
        result = fleet.call("rpcutil", "ping", where=fleet.nodes(names[:1])).all()
        assert (len(result.replies), result.ok, fleet.network) == (1, True, "demo")
        assert fleet.call("rpcutil", "ping").summary().replied == 2
        with fleet.call("rpcutil", "ping") as calling:
            assert next(calling).ok
        for _ in fleet.call("rpcutil", "ping"):
            break
        with pytest.raises(DDLError):
            fleet.call("rpcutil", "nosuch").all()
    assert threads() == []
    with pytest.raises(Interrupted):
        fleet.ping()


def test_errors_of_the_block_and_of_opening_leave_no_thread(stage: Path, tmp_path: Path) -> None:
    with pytest.raises(LookupError), choria.blocking.connect(config=stage / "client.toml"):
        raise LookupError
    with pytest.raises(ConfigError), choria.blocking.connect(config=tmp_path / "nosuch.toml"):
        raise AssertionError
    assert threads() == []


def test_several_threads_ask_one_fleet(stage: Path) -> None:
    counts: list[int] = []
    with choria.blocking.connect(config=stage / "client.toml") as fleet:

        def ask() -> None:
            counts.append(len(fleet.call("rpcutil", "ping").all().replies))

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for each in asking:
            each.start()
        for each in asking:
            each.join(60)
    assert counts == [2, 2, 2, 2]


ASYNCIO = """
import asyncio, choria

async def main():
    with choria.blocking.connect(config="client.toml") as fleet:
        calls = [asyncio.to_thread(fleet.call("rpcutil", "ping").all) for _ in range(3)]
        return await asyncio.gather(*calls)

print([len(result.replies) for result in asyncio.run(main())])
"""


def test_from_asyncio(stage: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASYNCIO], cwd=stage, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[2, 2, 2]\n", "")


INTERRUPTED = """
import os, signal, sys, threading, choria

with choria.blocking.connect(config="client.toml") as fleet:
    nodes = fleet.nodes([*fleet.discover(), "nobody.example.net"])
    try:
        for reply in fleet.call("rpcutil", "ping", where=nodes, options=choria.Options(timeout_s=600)):
            print(reply.ok, flush=True)
            os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        print("interrupted", len(fleet.ping()), flush=True)
print([each.name for each in threading.enumerate() if each.name == "choria-trio"])
"""
HANGING = """
import sys, choria
fleet = choria.blocking.connect(config="client.toml")
with fleet as fleet:
    print("in", flush=True)
    fleet._portal.run(__import__("trio").sleep_forever)
"""


def test_ctrl_c_interrupts_a_loop_and_the_fleet_goes_on(stage: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=stage, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[-2:] == ["interrupted 2", "[]"], done.stderr
    assert set(lines[:-2]) == {"True"}


def test_ctrl_c_while_waiting_ends_the_program(stage: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", HANGING], cwd=stage, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stdout.readline() == "in\n"
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=30)
    assert program.returncode == -signal.SIGINT
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_importing_choria_imports_nothing_else(tmp_path: Path) -> None:
    code = "import sys, choria; print([m for m in ('trio', 'choria.api', 'msgspec') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    assert done.stdout == "[]\n"
    assert {"connect", "where", "blocking"} <= set(dir(choria))
    assert not hasattr(choria, "nosuch")
