"""What a case about a broker works with: links to it, as anybody."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import trio

from choria_conformance.frames import Frame, Kind, hello
from choria_conformance.names import fresh_token, fresh_word
from choria_conformance.peer import Peer
from choria_conformance.principals import Principal, member_context
from choria_conformance.settings import Settings
from choria_conformance.tls import Refused, TlsStream
from choria_conformance.transcript import Transcript
from choria_conformance.verdicts import Failed

from .brokers import Brokers, Speed


class Member(Peer):
    """A link that was welcomed."""

    def __init__(
        self, stream: TlsStream, transcript: Transcript, label: str, who: Principal
    ) -> None:
        super().__init__(stream, transcript, label)
        self.who = who
        self.session = fresh_token()
        self.welcome: Frame = []

    @property
    def name(self) -> str:
        """The principal's name."""
        return self.who.name

    @property
    def limits(self) -> dict[int, int]:
        """WELCOME's limits."""
        return dict(self.welcome[6])

    @property
    def own_replies(self) -> str:
        """``<network>/<inbox>/<session>``: the part of reply subjects that is this link's own."""
        return f"{self.who.network}/{self.who.inbox}/{self.session.hex()}"

    def reply(self, request: str = "r1", collective: str = "choria") -> str:
        """A reply field of this link."""
        return f"{collective}/reply/{self.own_replies}/{request}"

    def answer(self, prefix: str) -> str:
        """The subject on which this member answers."""
        return f"{prefix}/{self.who.network}/{self.who.name}"


class BrokerLab:
    """Made for each case; whatever it opened is closed with it."""

    def __init__(
        self, settings: Settings, brokers: Brokers, transcript: Transcript, stack: AsyncExitStack
    ) -> None:
        self.settings = settings
        self.brokers = brokers
        self.transcript = transcript
        self.stack = stack
        self.speed = Speed.USUAL
        self._labels = 0

    def principal(self, who: str) -> Principal:
        """Somebody of the credentials."""
        return self.settings.credentials.of(who)

    def word(self, prefix: str = "w") -> str:
        """A token nobody else uses."""
        return fresh_word(prefix)

    async def hold(self, *names: str) -> None:
        """Have these for this case alone: names of principals or groups that all cases share."""
        for name in sorted(names):
            await self.stack.enter_async_context(self.brokers.locks.holding(name))

    async def address(self) -> tuple[str, int]:
        """Where the broker listens."""
        return await self.brokers.address(self.speed)

    async def tcp(self) -> trio.SocketStream:
        """A bare connection."""
        stream = await trio.open_tcp_stream(*await self.address())
        self.stack.callback(stream.socket.close)
        return stream

    async def dial(self, who: str = "client-1", context: ssl.SSLContext | None = None) -> TlsStream:
        """A connection that has not yet shaken hands."""
        used = context or member_context(self.principal(who))
        return TlsStream(await self.tcp(), used, host="localhost")

    def _label(self, who: str) -> str:
        self._labels += 1
        return f"[{self._labels} {who}]"

    async def stranger(self, who: str = "client-1", context: ssl.SSLContext | None = None) -> Peer:
        """A link after its handshake and before HELLO. Raises Refused when there was an alert."""
        stream = await self.dial(who, context)
        await stream.handshake()
        return Peer(stream, self.transcript, self._label(who))

    async def member(self, who: str = "client-1", **fields: Any) -> Member:
        """A welcomed link; ``fields`` go into HELLO. It is left with GOODBYE at the end."""
        stream = await self.dial(who)
        await stream.handshake()
        member = Member(stream, self.transcript, self._label(who), self.principal(who))
        member.session = fields.pop("session", member.session)
        boot = fields.pop("boot", self.brokers.boot)
        await member.send(hello(member.session, boot, **fields))
        member.welcome = await member.expect(Kind.WELCOME)
        self.stack.push_async_callback(_leave, member)
        return member

    async def node(self, **fields: Any) -> Member:
        """A welcomed node that no other case uses meanwhile."""
        name = await self.stack.enter_async_context(self.brokers.nodes.taking())
        return await self.member(name, **fields)

    async def expect_refused(
        self, who: str, *reasons: int, context: ssl.SSLContext | None = None
    ) -> None:
        """A stranger who is not let in: by an alert, by the end, or by GOODBYE with such a reason."""
        try:
            peer = await self.stranger(who, context)
            await peer.send(hello(fresh_token(), fresh_token()))
            frames = await peer.until_end()
        except (Refused, trio.BrokenResourceError, ssl.SSLError):
            return
        for frame in frames:
            if frame[0] != Kind.GOODBYE or (reasons and frame[1] not in reasons):
                raise Failed(f"{who} was answered with {frame[:3]}")

    async def expect_innocent(self) -> None:
        """Somebody else is still served."""
        member = await self.member("client-2")
        await member.expect_alive()


async def _leave(member: Member) -> None:
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 2):
        await member.leave()


@asynccontextmanager
async def broker_lab(
    settings: Settings, brokers: Brokers, transcript: Transcript
) -> AsyncIterator[BrokerLab]:
    """The lab of one case."""
    async with AsyncExitStack() as stack:
        yield BrokerLab(settings, brokers, transcript, stack)


def subjects_of(frames: Sequence[Frame]) -> list[str]:
    """Subjects of the DELIVERs among frames, in order."""
    return [frame[1] for frame in frames if frame[0] == Kind.DELIVER]
