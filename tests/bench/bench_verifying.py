"""What proving one message costs, beside the signature alone: python -m tests.bench.bench_verifying.

Microseconds of CPU of the whole process, threads included; each row's ways are measured in turns and
the medians printed, with the ratio to the bare verification of the same signature. *Cold*: the
certificate is parsed and its issuer's signature checked, as at a caller's first request. *Cached*: it
is known by its hash. A node's request goes from the bytes to the end of the signature check; a
client's reply from the message of its session to the ``Answer``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from choria.client.answers import Pending, ReplyBook, judge
from choria.messages import Grade, Kind, Reply, Request, encode_reply, encode_request, request_hash
from choria.net import Incoming
from choria.node import verify_in_thread, verify_inline
from choria.trust import AAD_REPLY, AAD_REQUEST, Verifier, open1
from tests.bench.fleets import FLEETS, PaperFleet
from tests.support.odd_certificates import NOW_MS

Way = Callable[[int], Awaitable[None]]
AT_ONCE = 32  # requests that a node judges at a time


@dataclass(frozen=True)
class Case:
    """One kind of key, one message."""

    fleet: PaperFleet
    message: bytes
    aad: bytes

    def bare(self) -> Callable[[], None]:
        """The signature alone; everything else is done."""
        opened = open1(self.message)
        key = self.fleet.issuers.examine(opened.certificate_der or b"").public_key
        return partial(opened.verify, key, self.aad)


def a_request(fleet: PaperFleet) -> tuple[Request, bytes]:
    """A request of the client, and its signed form."""
    request = Request(
        id=b"r" * 16, network="bench", collective="choria", kind=Kind.BROADCAST, targets=(),
        agent="package", action="status", inputs={"package": "bash"}, filter={}, created_ms=NOW_MS,
        ttl_ms=60_000, grade=Grade.SIGNED, want_certificate=True, max_reply_bytes=0,
    )  # fmt: skip
    return request, fleet.client.sign_request(encode_request(request))


def request_ways(fleet: PaperFleet) -> dict[str, Way]:
    """A node's ways to take a request."""
    _, message = a_request(fleet)
    known = Verifier(fleet.issuers)
    known.verify_request(message, NOW_MS)

    async def in_turn(verify: Callable[[bytes], Awaitable[object]], count: int) -> None:
        for _ in range(count):
            await verify(message)

    async def together(count: int) -> None:
        verify = verify_in_thread(known, lambda: NOW_MS)
        for _ in range(count // AT_ONCE):
            async with trio.open_nursery() as nursery:
                for _ in range(AT_ONCE):
                    nursery.start_soon(verify, message)

    def cold() -> object:
        return Verifier(fleet.issuers).verify_request(message, NOW_MS)

    return {
        "bare": plain(Case(fleet, message, AAD_REQUEST).bare()),
        "cold": plain(cold),
        "cached": partial(in_turn, verify_inline(known, lambda: NOW_MS)),
        "cached, a thread each": partial(in_turn, verify_in_thread(known, lambda: NOW_MS)),
        f"cached, {AT_ONCE} at once": together,
    }


def reply_ways(fleet: PaperFleet) -> dict[str, Way]:
    """A client's ways to take a reply."""
    request, message = a_request(fleet)
    ((name, signer),) = fleet.nodes.items()
    reply = Reply(
        request_id=request.id, request_hash=request_hash(message), network="bench", sender=name,
        statuscode=0, statusmsg="OK", data={"ensure": "5.2-1"}, time_ms=NOW_MS,
    )  # fmt: skip
    full = signer.sign_reply(encode_reply(reply), with_certificate=True)
    prefix = f"choria/reply/bench/{'i' * 26}/{'5' * 32}/{request.token}"
    pending = Pending(
        request=request, message_hash=request_hash(message), prefix=prefix, own_network="bench",
        sent_at_s=0.0,
    )  # fmt: skip
    incoming = Incoming(f"{prefix}/bench/{name}", None, {}, full)
    known = ReplyBook(Verifier(fleet.issuers))

    def cold() -> object:
        return judge(incoming, pending, ReplyBook(Verifier(fleet.issuers)), NOW_MS, 0.0)

    return {
        "bare": plain(Case(fleet, full, AAD_REPLY).bare()),
        "cold": plain(cold),
        "cached": plain(lambda: judge(incoming, pending, known, NOW_MS, 0.0)),
    }


def plain(work: Callable[[], object]) -> Way:
    """A way that needs no loop."""

    async def way(count: int) -> None:
        await trio.lowlevel.checkpoint()
        for _ in range(count):
            work()

    return way


async def measure(ways: dict[str, Way], rounds: int, count: int) -> dict[str, float]:
    """Median microseconds of CPU of each way, in turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            await way(count)
            found[name].append((time.process_time() - began) / count * 1e6)
    return {name: statistics.median(figures) for name, figures in found.items()}


def main() -> None:
    """Read the arguments and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=320, help="messages of each way in a round")
    wanted = parser.parse_args()
    for what, ways_of in (("a node's request", request_ways), ("a client's reply", reply_ways)):
        sys.stdout.write(f"{what}: us of CPU, and times the bare signature\n")
        for kind, a_fleet in FLEETS.items():
            figures = trio.run(measure, ways_of(a_fleet(1)), wanted.rounds, wanted.count)
            for name, figure in figures.items():
                ratio = figure / figures["bare"]
                sys.stdout.write(f"  {kind:10} {name:24} {figure:9.1f} {ratio:7.2f}\n")


if __name__ == "__main__":
    main()
