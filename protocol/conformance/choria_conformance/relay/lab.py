"""What cases about a relay work with: the brokers of its two networks, both the suite's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import trio

from choria_conformance.authority import FAR
from choria_conformance.frames import Frame, Kind, name_of
from choria_conformance.launch import program
from choria_conformance.names import fresh_word, inbox
from choria_conformance.peer import Peer
from choria_conformance.principals import Principal
from choria_conformance.serving import Port, open_port
from choria_conformance.settings import Settings
from choria_conformance.transcript import Transcript
from choria_conformance.verdicts import Failed, check

WITHIN_S: Final = 20.0
QUIET_S: Final = 0.6


@dataclass
class Side:
    """One network's end of the relay.

    Attributes:
        link: The relay's link to this network's broker, welcomed.
        other: The name of the other network.
        sequence: Counts ROUTED.
    """

    port: Port
    link: Peer
    other: str
    subscribed: list[tuple[str, str | None]]
    sequence: int = 0

    @property
    def network(self) -> str:
        """This network's name."""
        return self.port.broker.network

    def routed(self, *subjects: str, payload: bytes = b"x", **fields: Any) -> Frame:
        """ROUTED with these subjects; ``indices``, ``receipt``, ``reply``, ``headers`` if given."""
        self.sequence += 1
        indices: Sequence[int] = fields.get("indices", range(len(subjects)))
        pairs = [list(pair) for pair in zip(indices, subjects, strict=True)]
        return [
            Kind.ROUTED, self.port.broker.name, self.sequence - 1, fields.get("receipt", 0),
            fields.get("remaining_ms", 1700), pairs, [f"relay-{self.other}"],
            fields.get("reply"), fields.get("headers", {}), payload,
        ]  # fmt: skip

    async def published(self) -> Frame:
        """The next PUBLISH of the relay."""
        return await self.expect(Kind.PUBLISH)

    async def expect(self, kind: Kind) -> Frame:
        """The next frame that is no SUBSCRIBE, which must be of this kind."""
        with trio.move_on_after(WITHIN_S):
            while (frame := await self.link.frame(WITHIN_S))[0] == Kind.SUBSCRIBE:
                self.subscribed += [(pattern, frame[2]) for pattern in frame[1]]
            check(frame[0] == kind, f"{name_of(frame)} came where {kind.name} was expected")
            return frame
        raise Failed(f"nothing but SUBSCRIBE came within {WITHIN_S:g} s")

    async def expect_quiet(self, *others: Kind) -> None:
        """Nothing is published here for a while, behind the answer to a PING of ours."""
        await trio.sleep(QUIET_S)
        for frame in await self.link.settle():
            check(
                frame[0] in (Kind.SUBSCRIBE, *others),
                f"frame {frame[:3]} came where nothing was expected",
            )


class RelayLab:
    """Made for each case; ``near`` is the network of the credentials, ``far`` the other one."""

    def __init__(self, settings: Settings, transcript: Transcript, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.transcript = transcript
        self.stack = stack

    def principal(self, who: str) -> Principal:
        """Somebody of the credentials."""
        return self.settings.credentials.of(who)

    async def ports(self) -> tuple[Port, Port]:
        """A relay that was started, and where it will link to."""
        near = await self._port("broker")
        far = await self._port(f"{FAR}/broker")
        folder = self.settings.scratch / fresh_word("relay-")
        folder.mkdir()
        environment = {
            "CWP_ROLE": "relay",
            "CWP_ADDRESS": near.address,
            "CWP_CREDENTIALS": str(self.principal("relay-1").folder),
            "CWP_FAR_ADDRESS": far.address,
            "CWP_FAR_CREDENTIALS": str(self.principal(f"{FAR}/relay").folder),
            "CWP_COLLECTIVES": "choria",
            "CWP_SCRATCH": str(folder),
        }
        running = program(self.settings.command, environment, folder / "log")
        await self.stack.enter_async_context(running)
        return near, far

    async def _port(self, who: str) -> Port:
        return await self.stack.enter_async_context(open_port(self.principal(who), self.transcript))

    async def relay(self) -> tuple[Side, Side]:
        """A relay that was welcomed in both networks and has subscribed."""
        ports = await self.ports()
        sides: list[Side | None] = [None, None]

        async def join(place: int) -> None:
            sides[place] = await _joined(ports[place], ports[1 - place].broker.network)

        async with trio.open_nursery() as nursery:
            for place in (0, 1):
                nursery.start_soon(join, place)
        near, far = sides
        if near is None or far is None:
            raise Failed("the relay did not come")
        return near, far


async def _joined(port: Port, other: str) -> Side:
    """Welcome the relay, and wait for what it must subscribe (CWP-14.3-1, CWP-14.3-2)."""
    link = await port.welcomed()
    side = Side(port, link, other, [])
    missing = {f"federation/{other}/**", f"choria/reply/{other}/**"}
    while missing:
        frame = await link.expect(Kind.SUBSCRIBE, f"still missing: {sorted(missing)}", WITHIN_S)
        side.subscribed += [(pattern, frame[2]) for pattern in frame[1]]
        missing -= set(frame[1])
    return side


def reply_prefix(origin: str, request: str = "7" * 32) -> str:
    """The reply field of a client of network ``origin``."""
    return f"choria/reply/{origin}/{inbox(origin, 'client', 'rip')}/{'5a' * 16}/{request}"


@asynccontextmanager
async def relay_lab(settings: Settings, transcript: Transcript) -> AsyncIterator[RelayLab]:
    """The lab of one case."""
    async with AsyncExitStack() as stack:
        yield RelayLab(settings, transcript, stack)
