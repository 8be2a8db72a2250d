"""What 50,000 replies cost a Python program: python -m tests.bench.bench_api [--answers N].

The fleet is a broker in a box (tests/support/canned_broker.py). Three readers, each in a process of its
own: the caller below the API, whose results are kept; `choria.Fleet`, read with ``async for``; and the
same through a portal, as `choria.blocking` reads it.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

import choria
from choria.api.blocking import BlockingCalling
from choria.api.connecting import serving
from choria.api.portal import Portal
from choria.client import Ask, Caller, ClientConfig, DdlCache, ReplyBook
from choria.net import SessionSettings, open_session
from choria.trust import Verifier
from tests.bench.fleets import FLEETS
from tests.support.canned_broker import CannedBroker, Cost, FleetNode
from tests.support.odd_certificates import NOW_MS

READERS = ("caller", "trio", "blocking")
PATIENCE_S = 300.0


@asynccontextmanager
async def a_caller(answers: int, cost: Cost) -> AsyncIterator[tuple[Caller, list[str]]]:
    fleet = FLEETS["P-256"](answers, one_signer=False)
    nodes = [FleetNode(name, signer) for name, signer in fleet.nodes.items()]
    broker = CannedBroker(fleet.principal, nodes, cost)
    settings = SessionSettings()
    async with open_session(
        broker, settings, rng=random.Random(1), now_ms=lambda: NOW_MS
    ) as session:
        await session.wait_connected(10)
        book = ReplyBook(Verifier(fleet.issuers, capacity=answers + 10))
        caller = Caller(
            session=session, signer=fleet.client, book=book, now_ms=lambda: NOW_MS,
            new_id=lambda: secrets.token_bytes(16),
        )  # fmt: skip
        yield caller, list(fleet.nodes)


@asynccontextmanager
async def a_fleet(answers: int, cost: Cost) -> AsyncIterator[tuple[choria.Fleet, list[str]]]:
    async with a_caller(answers, cost) as (caller, names):
        cache = DdlCache(Path(tempfile.gettempdir()) / "nothing-here", lambda: NOW_MS)
        async with serving(caller, ClientConfig(), cache=cache) as fleet:
            yield fleet, names


async def by_caller(answers: int, cost: Cost) -> int:
    async with a_caller(answers, cost) as (caller, names):
        ask = Ask(
            agent="rpcutil", action="ping", network="bench", collective="choria", ttl_ms=60_000,
            targets=tuple(names),
        )  # fmt: skip
        gathered = await caller.gather(ask, timeout_s=PATIENCE_S)
        cost.end()
        return len(gathered.answers)


OPTIONS = choria.Options(judge=False, timeout_s=PATIENCE_S)


async def by_trio(answers: int, cost: Cost) -> int:
    async with a_fleet(answers, cost) as (fleet, names):
        nodes, read = fleet.nodes(names), 0
        async for _ in fleet.call("rpcutil", "ping", where=nodes, options=OPTIONS):
            read += 1
        cost.end()
        return read


def by_portal(answers: int, cost: Cost) -> int:
    portal: Portal[Any] = Portal(lambda: a_fleet(answers, cost))
    fleet, names = portal.open()
    calling = fleet.call("rpcutil", "ping", where=fleet.nodes(names), options=OPTIONS)
    read = sum(1 for _ in BlockingCalling(portal, calling))
    cost.end()
    portal.close()
    return read


def one(reader: str, answers: int) -> dict[str, float]:

    cost = Cost()
    if reader == "blocking":
        read = by_portal(answers, cost)
    else:
        read = trio.run(by_caller if reader == "caller" else by_trio, answers, cost)
    if read != answers:
        raise SystemExit(f"{reader}: {read} of {answers}")
    return {"us": cost.cpu_s / answers * 1e6, "rate": answers / cost.wall_s, "mib": cost.memory_mib}


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=50_000)
    parser.add_argument("--reader", choices=READERS)
    wanted = parser.parse_args()
    if wanted.reader:
        json.dump(one(wanted.reader, wanted.answers), sys.stdout)
        return
    sys.stdout.write(f"{wanted.answers} signed replies: us of CPU each, replies/s, MiB\n")
    for reader in READERS:
        command = [sys.executable, "-m", "tests.bench.bench_api", "--reader", reader]
        done = subprocess.run(
            [*command, "--answers", str(wanted.answers)], capture_output=True, text=True, check=True
        )
        figures = json.loads(done.stdout)
        sys.stdout.write(
            f"{reader:10} {figures['us']:8.1f} {figures['rate']:8.0f} {figures['mib']:7.1f}\n"
        )


if __name__ == "__main__":
    main()
