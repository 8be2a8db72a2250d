"""The broker under test: one that runs already, or processes that are started as they are needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum
from typing import Any, Final

import trio

from choria_conformance.authority import NODES
from choria_conformance.launch import free_port, program, wait_listening
from choria_conformance.names import fresh_token
from choria_conformance.settings import Settings
from choria_conformance.verdicts import Skipped


class Speed(Enum):
    """The times of a broker: those of the specification, or short ones for cases about time."""

    USUAL = "usual"
    QUICK = "quick"


TIMES: Final = {
    Speed.USUAL: {"CWP_PING_INTERVAL_MS": "25000", "CWP_HELLO_WITHIN_MS": "10000"},
    Speed.QUICK: {"CWP_PING_INTERVAL_MS": "1500", "CWP_HELLO_WITHIN_MS": "3000"},
}


class Pool:
    """Names that one case at a time may use."""

    def __init__(self, names: list[str]) -> None:
        self._send, self._receive = trio.open_memory_channel[str](len(names))
        for name in names:
            self._send.send_nowait(name)

    @asynccontextmanager
    async def taking(self) -> AsyncIterator[str]:
        """Have one of them for a while."""
        name = await self._receive.receive()
        try:
            yield name
        finally:
            self._send.send_nowait(name)


class Locks:
    """Locks by name."""

    def __init__(self) -> None:
        self._locks: dict[str, trio.Lock] = {}

    @asynccontextmanager
    async def holding(self, name: str) -> AsyncIterator[None]:
        """Hold it for a while."""
        async with self._locks.setdefault(name, trio.Lock()):
            yield


class Brokers:
    """Addresses of brokers under test, and what cases share.

    Attributes:
        boot: The boot token of all links: a node that comes again is the same machine.
    """

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.boot = fresh_token()
        self.nodes = Pool(
            [f"node-{number}" for number in range(1, NODES - 1)]
        )  # the last two are for cases about duplicates
        self.locks = Locks()
        self._stack = stack
        self._started: dict[Speed, tuple[str, int]] = {}
        self._starting = trio.Lock()

    async def address(self, speed: Speed) -> tuple[str, int]:
        """Where a broker with these times listens; it is started if need be."""
        if self.settings.address is not None:
            return self.settings.address
        async with self._starting:
            if speed not in self._started:
                starting = self.running(speed)
                self._started[speed], _ = await self._stack.enter_async_context(starting)
        return self._started[speed]

    @asynccontextmanager
    async def running(self, speed: Speed) -> AsyncIterator[tuple[tuple[str, int], trio.Process]]:
        """A broker of one's own. Raises Skipped when the suite cannot start one."""
        if not self.settings.command:
            raise Skipped("this needs a broker that the suite can start: give --command")
        address = ("127.0.0.1", free_port())
        environment: dict[str, Any] = {
            "CWP_ROLE": "broker",
            "CWP_ADDRESS": f"{address[0]}:{address[1]}",
            "CWP_CREDENTIALS": str(self.settings.credentials.folder / "broker"),
            "CWP_COLLECTIVES": ",".join(self.settings.collectives),
            "CWP_SCRATCH": str(self.settings.scratch),
            **TIMES[speed],
        }
        log = self.settings.scratch / f"broker-{address[1]}.log"
        async with program(self.settings.command, environment, log) as process:
            await wait_listening(address, process)
            yield address, process


@asynccontextmanager
async def open_brokers(settings: Settings) -> AsyncIterator[Brokers]:
    """The brokers of one run; those that were started are stopped at the end."""
    async with AsyncExitStack() as stack:
        yield Brokers(settings, stack)
