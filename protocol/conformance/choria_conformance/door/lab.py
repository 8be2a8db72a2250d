"""What cases about a door work with: applicants that may lie, each on a connection of its own."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from secrets import randbelow
from typing import Any, Final

import trio
from cryptography.hazmat.primitives.asymmetric import ec

from choria_conformance.cbor import decode, encode, framed, read_head
from choria_conformance.certificates import new_key
from choria_conformance.enrolment import (
    ENROL_ALPN,
    MAX_ANSWER,
    Enrol,
    Frame,
    No,
    Token,
    enrol,
    mac_of_issued,
    mac_of_pending,
    signing_request,
)
from choria_conformance.settings import Settings
from choria_conformance.tls import Refused, TlsStream
from choria_conformance.transcript import Transcript
from choria_conformance.verdicts import Failed, check, equal

from .process import Doors

ANSWER_S: Final = 30.0
_BUSY_S: Final = 60.0


def applicant_context(alpn: str | None = ENROL_ALPN) -> ssl.SSLContext:
    """TLS of an applicant that judges nothing yet and has no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn is not None:
        context.set_alpn_protocols([alpn])
    return context


class DoorLab:
    """Made for each case."""

    def __init__(
        self, settings: Settings, doors: Doors, transcript: Transcript, stack: AsyncExitStack
    ) -> None:
        self.settings = settings
        self.doors = doors
        self.transcript = transcript
        self.stack = stack
        # Each case comes from a network of its own, as far as a door counts questions by network.
        self.source = f"127.{1 + randbelow(254)}.{1 + randbelow(254)}.1"
        self.network = settings.credentials.of("broker").network

    async def tcp(self) -> trio.SocketStream:
        """A bare connection."""
        address = await self.doors.address()
        here = (
            self.source if sys.platform == "linux" else None
        )  # all of 127/8 is the loopback there
        stream = await trio.open_tcp_stream(*address, local_address=here)
        self.stack.callback(stream.socket.close)
        return stream

    async def connect(self, context: ssl.SSLContext | None = None) -> TlsStream:
        """A connection after its handshake. Raises Refused."""
        tcp = await self.tcp()
        stream = TlsStream(tcp, context or applicant_context(), host="localhost")
        await stream.handshake()
        return stream

    async def talk(self, data: bytes, context: ssl.SSLContext | None = None) -> bytes:
        """Say bytes on a connection of their own; all that comes until it is closed."""
        await self.doors.address()  # a door that does not start is no answer
        try:
            stream = await self.connect(context)
            return await self._said(stream, data)
        except (Refused, trio.BrokenResourceError, OSError):
            return b""

    async def _said(self, stream: TlsStream, data: bytes) -> bytes:
        self.transcript.sent("[applicant]", data)
        await stream.send(data)
        heard = b""
        with trio.move_on_after(ANSWER_S):
            while part := await stream.receive():
                heard += part
            self.transcript.received("[applicant]", heard)
            stream.close()
            return heard
        raise Failed(f"the door neither answered nor closed within {ANSWER_S:g} s")

    async def answer_to(self, data: bytes, context: ssl.SSLContext | None = None) -> Frame:
        """The one answer to these bytes; asked again while the door says BUSY."""
        with trio.move_on_after(_BUSY_S):
            while True:
                answer = one_frame(await self.talk(data, context))
                if answer[:2] != [Enrol.REFUSED, No.BUSY]:
                    return answer
                await trio.sleep(answer[2] / 1000)
        raise Failed(f"the door was busy for {_BUSY_S:g} s")

    async def ask(self, question: Frame, context: ssl.SSLContext | None = None) -> Frame:
        """The one answer to a question."""
        return await self.answer_to(framed(encode(question)), context)

    async def expect_refused(self, question: Frame, reason: No) -> Frame:
        """REFUSED with this reason."""
        answer = await self.ask(question)
        check(answer[0] == Enrol.REFUSED, f"frame {answer[0]} came where REFUSED was expected")
        said = next((each.name for each in No if each == answer[1]), answer[1])
        check(answer[1] == reason, f"the reason is {said} ({answer[3]!r}), not {reason.name}")
        return answer

    async def expect_issued(
        self, token: Token, name: str, key: ec.EllipticCurvePrivateKey | None = None,
        request: bytes = b"",
    ) -> bytes:  # fmt: skip
        """The certificate for a good question; its MAC is checked."""
        request = request or signing_request(key or new_key())
        question = enrol(token, name, request)
        answer = await self.ask(question)
        check(answer[0] == Enrol.ISSUED, f"{answer[:4]} came where ISSUED was expected")
        equal(answer[3], mac_of_issued(token, question, answer[1], answer[2]), "the MAC of ISSUED")
        return bytes(answer[1])

    async def expect_pending(self, token: Token, question: Frame) -> None:
        """PENDING with the right MAC."""
        answer = await self.ask(question)
        check(answer[0] == Enrol.PENDING, f"{answer[:4]} came where PENDING was expected")
        equal(answer[2], mac_of_pending(token, question, answer[1]), "the MAC of PENDING")


def one_frame(data: bytes) -> Frame:
    """The frame that the bytes are, and nothing behind it (CWP-18.1-3). Raises Failed."""
    found = read_head(data, 0)
    if found is None:
        raise Failed(f"the door closed without an answer: {data.hex()}")
    major, info, length, start = found
    check(major == 2, f"the answer is no byte string: {data[:8].hex()}")
    shortest = info < 24 or length >= (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]
    check(shortest, f"the head of the answer is longer than need be: {data[:8].hex()}")
    check(length <= MAX_ANSWER, f"the answer has {length} bytes (CWP-18.1-4)")
    equal(len(data), start + length, "the number of bytes up to the end")
    frame: Any = decode(data[start:])
    check(isinstance(frame, list) and frame, "the answer is no frame")
    return list(frame)


@asynccontextmanager
async def door_lab(
    settings: Settings, doors: Doors, transcript: Transcript
) -> AsyncIterator[DoorLab]:
    """The lab of one case."""
    async with AsyncExitStack() as stack:
        yield DoorLab(settings, doors, transcript, stack)
