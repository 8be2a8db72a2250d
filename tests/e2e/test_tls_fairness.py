"""One member is answered while others flood, over real sockets (E1, E7, E8).

Counted in work and never in time: how much of the flood the broker did between a PING and its PONG.
Each flood is far larger than the bound, so a broker that served it in one go would fail. KeyUpdates
are in ``test_tls_members``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import trio

from choria.broker import Hub, Permissions
from choria.net import wall_clock_ms
from choria.net.greeter import STEPS_AT_ONCE
from choria.net.stranger import Stranger
from choria.net.tls_steps import TlsSteps
from choria.wire import Limits, Ping, Publish, Subscribe, encode_frame, tail_of
from tests.support.seeds import seeded
from tests.support.switches import NETWORK
from tests.support.tls_world import Credentialed, Port, RawMember, a_port, a_raw_member

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Credentialed:
    return Credentialed(tmp_path_factory.mktemp("fairness"))


class Arena:
    """A broker with its hub, members, and one of them who only asks whether it is heard."""

    def __init__(self, world: Credentialed, stack: AsyncExitStack, port: Port, hub: Hub) -> None:
        self.world = world
        self.port = port
        self.hub = hub
        self._stack = stack
        self._tokens = 0

    async def join(self, role: str, name: str) -> RawMember:
        credentials = self.world.of(role, name)
        member = await self._stack.enter_async_context(a_raw_member(self.port.number, credentials))
        await member.log_in()
        return member

    async def work_until_pong(self, asker: RawMember, done: Callable[[], int]) -> int:
        """How far ``done`` counts while a PING of ``asker`` waits for its PONG."""
        self._tokens += 1
        asker.tls.write(asker.link.send(Ping(token=self._tokens)))
        before = done()
        # Not by Trio, which would let the broker work first: the PING is there before it goes on.
        os.write(asker.stream.socket.fileno(), asker.outgoing.read())
        await asker.until_pong()
        return done() - before

    async def most_work(self, asker: RawMember, done: Callable[[], int], total: int) -> int:
        """The most that any of many PINGs waited for, until all of the flood is ``done``."""
        most = 0
        while done() < total:
            most = max(most, await self.work_until_pong(asker, done))
        return most


@asynccontextmanager
async def an_arena(world: Credentialed) -> AsyncIterator[Arena]:
    limits = Limits()
    table = Permissions(NETWORK, ("choria",))
    hub = Hub(NETWORK, "b1", limits, table, wall_clock_ms, seeded(7))
    with trio.fail_after(60):
        async with a_port(hub, world.broker, limits=limits) as port, AsyncExitStack() as stack:
            yield Arena(world, stack, port, hub)


async def _drain(member: RawMember) -> None:
    """Take what comes and look at nothing: decrypting is not what is tested."""
    with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
        while await member.stream.receive_some(MEBIBYTE):
            pass


async def test_during_fan_outs_of_large_messages(world: Credentialed) -> None:
    """E8: a slice of a job a turn, one message if it is larger than a slice."""
    receivers, messages = 12, 4
    async with an_arena(world) as arena, trio.open_nursery() as nursery:
        asker = await arena.join("node", "asker")
        for number in range(receivers):
            node = await arena.join("node", f"web{number}")
            await node.send(Subscribe(patterns=("choria/agent/bulk",)))
            nursery.start_soon(_drain, node)
        client = await arena.join("client", "rip")
        publish = Publish(subjects=("choria/agent/bulk",), tail=tail_of(bytes(MEBIBYTE)))

        async def flood() -> None:
            for _ in range(messages):
                await client.send_plain(encode_frame(publish))

        nursery.start_soon(flood)
        total = receivers * messages
        most = await arena.most_work(asker, lambda: arena.hub.counters.delivered, total)
        assert 0 < most <= receivers // 2
        nursery.cancel_scope.cancel()


async def test_during_a_storm_of_handshakes(
    world: Credentialed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E7: a few steps of strangers a pass of the loop, however many are ready."""
    strangers, steps = 40, 0
    step = Stranger._step

    def counted(self: Stranger, data: bytes) -> object:
        nonlocal steps
        steps += 1
        return step(self, data)

    async with an_arena(world) as arena, AsyncExitStack() as stack:
        asker = await arena.join("node", "asker")
        context = world.of("node", "web1").member_context(check_hostname=False)
        monkeypatch.setattr(Stranger, "_step", counted)
        knocking = []
        for _ in range(strangers):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", arena.port.number)))
            tls = TlsSteps(context)
            tls.shake(b"")
            knocking.append((sock, tls.ciphertext()))
        while arena.port.greeter.waiting < strangers:
            await trio.lowlevel.checkpoint()
        for sock, client_hello in knocking:
            sock.sendall(client_hello)
        assert await arena.work_until_pong(asker, lambda: steps) <= 3 * STEPS_AT_ONCE
        while steps < strangers:  # nobody is forgotten
            await trio.lowlevel.checkpoint()


async def test_during_floods_of_tiny_frames(world: Credentialed) -> None:
    """E8: one read of 16 KiB a link a round, however many frames it holds."""
    flooders, frames, round_bytes = 3, 20_000, 16384
    async with an_arena(world) as arena, trio.open_nursery() as nursery:
        asker = await arena.join("node", "asker")
        for number in range(flooders):
            name = f"noisy{number}"
            node = await arena.join("node", name)
            tiny = Publish(subjects=(f"choria/event/x/{name}",), tail=tail_of(b""))
            data = encode_frame(tiny)
            nursery.start_soon(node.send_plain, data * frames)
        total = flooders * frames
        most = await arena.most_work(asker, lambda: arena.hub.counters.published, total)
        a_round = flooders * round_bytes // len(data)
        assert 0 < most <= 3 * a_round
