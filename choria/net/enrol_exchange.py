"""One conversation with a door: one connection, one question, one answer."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio
from cryptography.hazmat.primitives.serialization import Encoding

from choria.enrol import (
    ENROL_ALPN,
    MAX_ANSWER_BYTES,
    EnrolFrame,
    decode_enrol_frame,
    encode_enrol_frame,
)
from choria.errors import LinkLost, MessageError, RemoteProtocolError, TrustError
from choria.trust import IssuerKind, Issuers, Role
from choria.wire import encode_cbor

from .connector import TlsWire, open_tcp
from .endpoints import Endpoint
from .enrol_wire import Body
from .tls_steps import TlsSteps

EXCHANGE_WITHIN_S: Final = 30.0
BROKER_ONLY: Final = frozenset({Role.BROKER})


@dataclass(frozen=True, slots=True)
class Judge:
    """Whom the second connection believes: brokers alone, by name and role (CWP-18.3-5)."""

    issuers: Issuers
    now_ms: Callable[[], int]

    def context(self) -> ssl.SSLContext:
        """TLS that trusts the broker issuers alone."""
        context = _bare_context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        stores = [each for each in self.issuers.anchors if each.kind is IssuerKind.BROKERS]
        ders = [each.certificate.public_bytes(Encoding.DER) for each in stores]
        context.load_verify_locations(cadata=b"".join(ders))
        context.check_hostname = True
        return context

    def judge(self, der: bytes) -> None:
        """Raises LinkLost unless ``der`` is a broker's."""
        try:
            self.issuers.identify(der, BROKER_ONLY, self.now_ms())
        except TrustError as error:
            raise LinkLost(f"not a door of {self.issuers.network}: {error}") from error


def _bare_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # CWP-18.3-1: what comes over it counts by its digest
    context.set_alpn_protocols([ENROL_ALPN])
    return context


async def ask_door(door: Endpoint, frame: EnrolFrame, judge: Judge | None) -> EnrolFrame:
    """Ask ``frame``, as :func:`ask_body`, and read the answer. Raises LinkLost."""
    return _decoded(await ask_body(door, encode_enrol_frame(frame), judge))


async def ask_body(door: Endpoint, body: bytes, judge: Judge | None) -> bytes:
    """Ask what is encoded in ``body``; the answer's bytes. Cancelling closes the connection.

    Args:
        door: where.
        body: the question.
        judge: whom to believe; None believes anybody (CWP-18.3-1).

    Raises:
        LinkLost: with the reason in words.
    """
    with trio.move_on_after(EXCHANGE_WITHIN_S):
        tcp = await open_tcp(door)
        context = _bare_context() if judge is None else judge.context()
        tls = TlsSteps(context, server_hostname=door.host)
        try:
            wire = TlsWire(tcp, tls)
            await wire.handshake()
            if tls.alpn() != ENROL_ALPN:
                raise LinkLost(f"no enrolment door here: it did not agree on {ENROL_ALPN}")
            if judge is not None:
                judge.judge(tls.certificate() or b"")
            await wire.send_all(encode_cbor(body))
            return await _read(wire.receive_some)
        finally:
            await trio.aclose_forcefully(tcp)
    raise LinkLost(f"no answer within {EXCHANGE_WITHIN_S:g} s")


async def _read(receive_some: Callable[[], Awaitable[bytes]]) -> bytes:
    body = Body(MAX_ANSWER_BYTES)
    try:
        while True:
            data = await receive_some()
            if not data:
                raise LinkLost("closed before it had answered")
            if body.feed(data):
                return body.whole
    except RemoteProtocolError as error:
        raise LinkLost(f"it answered no frame: {error}") from error


def _decoded(body: bytes) -> EnrolFrame:
    try:
        return decode_enrol_frame(body)
    except MessageError as error:
        raise LinkLost(f"it answered no frame that is known here: {error}") from error
