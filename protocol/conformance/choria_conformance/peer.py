"""One link, from either end: send anything, and say what must come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import trio

from .cbor import DecodeError, decode, read_head
from .frames import Frame, Kind, Reason, goodbye, name_of, ping, pong, wire
from .tls import Refused, TlsStream
from .transcript import Transcript
from .verdicts import Failed

WITHIN_S: Final = 20.0  # a wait ends with what it waits for, so this may be generous
FRAME_REASONS: Final = (8, 9, 10, 11, 16)
BROKER_ONLY: Final = (Reason.NOT_PERMITTED, Reason.LIMIT, Reason.SLOW_CONSUMER,
                      Reason.DUPLICATE_IDENTITY, Reason.BUSY)  # fmt: skip
MEMBER_ONLY: Final = (Reason.WRONG_NETWORK,)


class Ended(Exception):  # noqa: N818  # a fact
    """The link is over and no frame is left."""


class Peer:
    """A TLS connection that speaks frames.

    Attributes:
        label: What the transcript calls this link.
        answers_pings: Whether PING is answered while a frame is waited for.
        sent: How many frames were sent; the count of the next one (CWP-4-6).
        hello: HELLO of a member that linked to the suite.
    """

    def __init__(self, stream: TlsStream, transcript: Transcript, label: str) -> None:
        self.stream = stream
        self.label = label
        self.answers_pings = True
        self.sent = 0
        self.over = False
        self._transcript = transcript
        self._buffer = b""
        self._pings = 0
        self.hello: Frame = []

    async def send(self, *frames: Any) -> None:
        """Send frames in one write; bytes among them are taken as they are."""
        self.sent += len(frames)
        await self.send_bytes(wire(*frames))

    async def send_bytes(self, data: bytes, *, bytewise: bool = False) -> None:
        """Send bytes, perhaps one by one. A link that the other side closed takes them silently."""
        self._transcript.sent(self.label, data)
        try:
            await (self.stream.send_bytewise(data) if bytewise else self.stream.send(data))
        except (trio.BrokenResourceError, OSError):
            self._transcript.note(self.label, "could not be sent: the other side had closed")

    async def any_frame(self) -> Frame:
        """The next frame, whatever it is. Raises Ended and Failed."""
        while (body := self._next_body()) is None:
            await self._receive()
        try:
            frame = decode(body)
        except DecodeError as error:
            raise Failed(
                f"a frame came that section 5 forbids: {error}: {body[:64].hex()}"
            ) from error
        if not isinstance(frame, list) or not frame or type(frame[0]) is not int:
            raise Failed(f"a frame came that is none: {body[:64].hex()}")
        self._check_reason(frame)
        return frame

    def _check_reason(self, frame: Frame) -> None:
        """Of every GOODBYE and ERROR that comes: number, scope and sender (CWP-12-1)."""
        if frame[0] == Kind.ERROR and frame[1] not in FRAME_REASONS:
            raise Failed(f"ERROR came with reason {frame[1]}, whose scope is the link (CWP-12-1)")
        mine = BROKER_ONLY if self.stream.server else MEMBER_ONLY
        if frame[0] == Kind.GOODBYE and (frame[1] in mine or frame[1] == Reason.PAYLOAD_TOO_LARGE):
            raise Failed(
                f"GOODBYE came with reason {frame[1]}, which is not its sender's (CWP-12-1)"
            )

    async def _receive(self) -> None:
        if self.over:
            raise Ended("the link is over")
        try:
            data = await self.stream.receive()
        except Refused as error:
            self.over = True
            self._transcript.note(self.label, f"ended: {error}")
            raise
        if not data:
            self.over = True
            self._transcript.note(self.label, "ended")
            raise Ended("the link ended")
        self._transcript.received(self.label, data)
        self._buffer += data

    def _next_body(self) -> bytes | None:
        found = read_head(self._buffer, 0)
        if found is None:
            return None
        major, info, length, start = found
        if major != 2 or (info >= 24 and length < (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]):
            raise Failed(f"the head of a frame is wrong (CWP-4-2): {self._buffer[:9].hex()}")
        if start + length > len(self._buffer):
            return None
        body, self._buffer = self._buffer[start : start + length], self._buffer[start + length :]
        return body

    async def frame(self, within_s: float = WITHIN_S) -> Frame:
        """The next frame that is no PING and not reserved; PINGs are answered.

        Raises:
            Failed: None came in time.
            Ended: The link ended.
            Refused: It ended by a TLS alert.
        """
        with trio.move_on_after(within_s):
            while True:
                frame = await self.any_frame()
                if frame[0] == Kind.PING and self.answers_pings:
                    await self.send(pong(frame[1]))
                elif not 192 <= frame[0] <= 223:
                    return frame
        raise Failed(f"nothing came on {self.label} within {within_s:g} s")

    async def expect(self, kind: Kind, what: str = "", within_s: float = WITHIN_S) -> Frame:
        """The next frame, which must be of this kind."""
        wanted = f"{kind.name}{f' ({what})' if what else ''}"
        try:
            frame = await self.frame(within_s)
        except (Ended, Refused) as error:
            raise Failed(f"{self.label} ended where {wanted} was expected: {error}") from error
        if frame[0] != kind:
            raise Failed(f"{name_of(frame)} came on {self.label} where {wanted} was expected")
        return frame

    async def expect_goodbye(self, *reasons: Reason, within_s: float = WITHIN_S) -> Frame:
        """GOODBYE with one of these reasons, and then the end of the link."""
        frame = await self.expect(Kind.GOODBYE, " or ".join(r.name for r in reasons), within_s)
        if reasons and frame[1] not in reasons:
            wanted = " or ".join(reason.name for reason in reasons)
            raise Failed(f"{name_of(frame)} came on {self.label} where {wanted} was expected")
        await self.expect_end(within_s)
        return frame

    async def expect_end(self, within_s: float = WITHIN_S) -> None:
        """Nothing but the end of the link (CWP-6.5-1)."""
        try:
            frame = await self.frame(within_s)
        except (Ended, Refused):
            return
        raise Failed(f"{name_of(frame)} came on {self.label} where the end was expected")

    async def until_end(self, within_s: float = WITHIN_S) -> list[Frame]:
        """All frames up to the end of the link, however it ends."""
        frames: list[Frame] = []
        with trio.move_on_after(within_s):
            try:
                while True:
                    frames.append(await self.frame(within_s))
            except (Ended, Refused):
                return frames
        raise Failed(f"{self.label} did not end within {within_s:g} s")

    async def expect_error(
        self, reason: Reason, *, frame: int | None = None, index: Any = ...
    ) -> Frame:
        """ERROR with this reason, about frame number ``frame`` (default: the last one sent)."""
        about = self.sent - 1 if frame is None else frame
        got = await self.expect(Kind.ERROR, reason.name)
        wanted = [6, reason, about] if index is ... else [6, reason, about, index]
        if got[: len(wanted)] != wanted:
            raise Failed(
                f"ERROR {got[1:4]} came where {wanted[1:]} was expected (reason, frame, index)"
            )
        return got

    async def settle(self) -> list[Frame]:
        """Everything that came before the answer to a PING of ours: the other side is up to date."""
        self._pings += 1
        token = 0xC0FFEE00 + self._pings
        await self.send(ping(token))
        frames: list[Frame] = []
        while (frame := await self._alive()) != pong(token):
            frames.append(frame)
        return frames

    async def _alive(self) -> Frame:
        try:
            return await self.frame()
        except (Ended, Refused) as error:
            raise Failed(f"{self.label} ended where it had to live: {error}") from error

    async def expect_alive(self) -> None:
        """The link lives, and nothing unasked came on it."""
        frames = await self.settle()
        if frames:
            raise Failed(f"{name_of(frames[0])} came on {self.label} where nothing was expected")

    async def until(self, wanted: Callable[[Frame], bool]) -> list[Frame]:
        """All frames up to the first that is wanted, that one included."""
        frames = [await self._alive()]
        while not wanted(frames[-1]):
            frames.append(await self._alive())
        return frames

    async def leave(self) -> None:
        """Say GOODBYE and wait for the end."""
        if not self.over:
            await self.send(goodbye())
            with trio.move_on_after(WITHIN_S):
                await self.until_end()
        self.stream.close()
