"""The door that the suite plays: honest unless a case says otherwise."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from choria_conformance.authority import Authority, member
from choria_conformance.cbor import decode, encode, framed, read_head
from choria_conformance.certificates import Pair, Recipe, make_leaf
from choria_conformance.enrolment import ENROL_ALPN, Enrol, Frame, Token, mac_of_issued
from choria_conformance.principals import Principal
from choria_conformance.tls import Refused, TlsStream
from choria_conformance.transcript import Transcript

BROKERS: Final = ["b1.example.net:7422"]

Answering = Callable[["Asked"], Frame | bytes | None]


def door_context(who: Principal, alpn: str | None = ENROL_ALPN) -> ssl.SSLContext:
    """TLS of a door with somebody's certificate; asks for none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    if alpn is not None:
        context.set_alpn_protocols([alpn])
    context.load_cert_chain(who.folder / "certificate.pem", who.folder / "key.pem")
    return context


@dataclass(frozen=True)
class Asked:
    """One question that came from the applicant.

    Attributes:
        number: Of its connection, from 0.
        frame: The question.
        door: Who was asked.
    """

    number: int
    frame: Frame
    door: Door


@dataclass
class Door:
    """The suite's side of one attempt to join.

    Attributes:
        anchors: What ANCHORS says, and the token's digest is made of.
        answering: What is said to each question, None: what an honest door says. It gives a frame,
            or bytes as they are, or None to close.
        context: TLS by the number of the connection.
        asked: All questions, in order.
        heard: All plaintext of the applicant.
        connections: How many there were; ``together`` how many at once at most.
    """

    listener: trio.SocketListener
    authority: Authority
    anchors: list[Any]
    token: Token
    context: Callable[[int], ssl.SSLContext]
    transcript: Transcript
    answering: Answering | None = None
    asked: list[Asked] = field(default_factory=list)
    heard: bytes = b""
    connections: int = 0
    open: int = 0
    together: int = 0

    @property
    def address(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.listener.socket.getsockname()[1]}"

    def certificate(self, asked: Frame, **changes: Any) -> bytes:
        """What an honest CA signs for this ENROL; recipe, issuer and key may be changed."""
        request = x509.load_der_x509_csr(asked[3])
        recipe: Recipe = changes.get("recipe", member("node", asked[2], default=True))
        issuer = self.authority[changes.get("issuer", "nodes")]
        key: Any = changes.get("key") or _PublicOnly(request.public_key())
        return make_leaf(recipe, issuer, key).certificate.public_bytes(Encoding.DER)

    async def serve(self, nursery: trio.Nursery) -> None:
        """Take connections until cancelled."""
        while True:
            tcp = await self.listener.accept()
            self.connections += 1
            nursery.start_soon(self._one, tcp, self.connections - 1)

    async def _one(self, tcp: trio.SocketStream, number: int) -> None:
        self.open += 1
        self.together = max(self.together, self.open)
        try:
            with suppress(Refused, OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                await self._converse(TlsStream(tcp, self.context(number), server=True), number)
        finally:
            self.open -= 1
            tcp.socket.close()

    async def _converse(self, stream: TlsStream, number: int) -> None:
        await stream.handshake()
        question = await self._question(stream, number)
        if question is None:
            return
        self.asked.append(Asked(number, question, self))
        answer = (self.answering or honest)(self.asked[-1])
        if answer is not None:
            data = answer if isinstance(answer, bytes) else framed(encode(answer))
            self.transcript.sent(f"[connection {number}]", data)
            await stream.send(data)
            await stream.end_tls()
            self._hear(await stream.receive(), number)

    async def _question(self, stream: TlsStream, number: int) -> Frame | None:
        data = b""
        while part := await stream.receive():
            self._hear(part, number)
            data += part
            found = read_head(data, 0)
            if found is not None and len(data) >= found[2] + found[3]:
                frame = decode(data[found[3] : found[3] + found[2]])
                return list(frame)
        return None

    def _hear(self, data: bytes, number: int) -> None:
        self.heard += data
        if data:
            self.transcript.received(f"[connection {number}]", data)

    def enrols(self) -> list[Frame]:
        """The ENROLs among the questions."""
        return [asked.frame for asked in self.asked if asked.frame[0] == Enrol.ENROL]


class _PublicOnly:
    """Stands for a key of which only the public half is here: certificates are made for it."""

    def __init__(self, public: Any) -> None:
        self._public = public

    def public_key(self) -> Any:
        """The public half."""
        return self._public


def honest(asked: Asked) -> Frame:
    """What a door should say."""
    if asked.frame[0] == Enrol.ASK_ANCHORS:
        return [Enrol.ANCHORS, *asked.door.anchors]
    return issued(asked, asked.door.certificate(asked.frame))


def issued(asked: Asked, certificate: bytes) -> Frame:
    """ISSUED with the right MAC."""
    proof = mac_of_issued(asked.door.token, asked.frame, certificate, BROKERS)
    return [Enrol.ISSUED, certificate, BROKERS, proof]


def anchors_of(authority: Authority) -> list[Any]:
    """``[root, [brokers], [nodes], [clients]]``."""
    ders = {name: _der(pair) for name, pair in authority.items()}
    return [ders["root"], [ders["brokers"]], [ders["nodes"]], [ders["clients"]]]


def _der(pair: Pair) -> bytes:
    return pair.certificate.public_bytes(Encoding.DER)
