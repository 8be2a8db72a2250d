"""The door over real sockets: an honest applicant, and everybody who lies on either side."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from choria.ca import sign_pending
from choria.enrol import (
    ENROL_ALPN,
    Anchors,
    Enrol,
    EnrolRefusal,
    Issued,
    Refused,
    Token,
    decode_enrol_frame,
    encode_enrol_frame,
    make_signing_request,
)
from choria.errors import EnrolError
from choria.net import (
    Enrolled,
    enrol,
    wall_clock_ms,
)
from choria.wire import decode_cbor, encode_cbor
from tests.support.applicants import BROKERS, a_key
from tests.support.enrol_doors import Answer, Open, a_door, an_application


async def test_an_applicant_becomes_a_node(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        application = an_application(door.token("web*"))
        enrolled = await enrol(application)
        assert isinstance(enrolled, Enrolled)
        assert (enrolled.network, enrolled.brokers) == ("alpha", BROKERS)
        again = await enrol(application)  # its answer was lost, say
        assert again == enrolled
        with pytest.raises(EnrolError, match="spent"):
            await enrol(an_application(application.token))


async def test_a_person_approves_while_the_applicant_waits(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("choria.ca.desk.APPROVAL_POLL_MS", 20)
    async with a_door(tmp_path) as door:
        told: list[str] = [""]
        application = an_application(door.token(approve=True), told=told)
        async with trio.open_nursery() as nursery:
            found: list[Enrolled] = []

            async def wait() -> None:
                found.append(await enrol(application))

            nursery.start_soon(wait)
            while told == [""]:  # noqa: ASYNC110  # told by a plain function
                await trio.sleep(0.01)
            sign_pending(door.world.folder, "web1", now_ms=wall_clock_ms())
        assert found[0].certificate


async def test_somebody_in_between_with_another_ca(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door, a_door(tmp_path, ca="evil") as evil:
        token = door.token()
        fields = {name: getattr(token, name) for name in token.__struct_fields__}
        moved = Token(**(fields | {"doors": (f"127.0.0.1:{evil.number}",)}))
        with pytest.raises(EnrolError, match="not of the network that the token is for"):
            await enrol(an_application(moved))


async def test_somebody_in_between_who_shows_the_right_anchors(tmp_path: Path) -> None:
    """A node of the network, with its own certificate, which is no broker's."""
    async with a_door(tmp_path, role="node") as door:
        with pytest.raises(EnrolError, match="certificate refused"):
            await enrol(an_application(door.token()))
        assert not [line for line in door.world.trail.lines if line.agent == "enrol"]


def exchanging(honest: Answer) -> Answer:
    """The right root and the right issuers, those of nodes and clients in each other's place."""

    def answer(body: bytes, address: str, source: str) -> bytes:
        frame = decode_enrol_frame(honest(body, address, source))
        if isinstance(frame, Anchors):
            frame = Anchors(
                root=frame.root, brokers=frame.brokers, nodes=frame.clients, clients=frame.nodes
            )
        return encode_enrol_frame(frame)

    return answer


async def test_a_broker_that_exchanges_issuers(tmp_path: Path) -> None:
    async with a_door(tmp_path, answer=exchanging) as door:
        with pytest.raises(EnrolError, match="not of the network that the token is for"):
            await enrol(an_application(door.token()))


async def test_a_broker_s_certificate_for_another_host(tmp_path: Path) -> None:
    async with a_door(tmp_path, ips=("192.0.2.1",)) as door:
        with pytest.raises(EnrolError, match=r"127\.0\.0\.1"):
            await enrol(an_application(door.token()))


def swapping(honest: Answer) -> Answer:
    """A broker in an attacker's hands puts its own key into the question."""

    def answer(body: bytes, address: str, source: str) -> bytes:
        frame = decode_enrol_frame(body)
        if isinstance(frame, Enrol):
            mine = make_signing_request(a_key())
            frame = Enrol(
                token_id=frame.token_id, name=frame.name, signing_request=mine, mac=frame.mac
            )
        return honest(encode_enrol_frame(frame), address, source)

    return answer


async def test_a_broker_that_swaps_the_key(tmp_path: Path) -> None:
    async with a_door(tmp_path, answer=swapping) as door:
        with pytest.raises(EnrolError, match="not proved"):
            await enrol(an_application(door.token()))
        assert not (door.world.folder / "issued.jsonl").read_text().count('"node"')


def misdirecting(honest: Answer) -> Answer:
    """It lets the certificate pass, and names brokers of its own."""

    def answer(body: bytes, address: str, source: str) -> bytes:
        frame = decode_enrol_frame(honest(body, address, source))
        if isinstance(frame, Issued):
            frame = Issued(certificate=frame.certificate, brokers=("evil:7422",), mac=frame.mac)
        return encode_enrol_frame(frame)

    return answer


async def test_a_broker_that_changes_the_answer(tmp_path: Path) -> None:
    async with a_door(tmp_path, answer=misdirecting) as door:
        with pytest.raises(EnrolError, match="not made by the token's CA"):
            await enrol(an_application(door.token()))


async def test_the_secret_is_never_sent(tmp_path: Path) -> None:
    # CWP-14.4-2, CWP-18.2-2
    seen: list[bytes] = []

    def listening(honest: Answer) -> Answer:
        return lambda body, address, source: (
            seen.append(body) or honest(body, address, source)  # type: ignore[func-returns-value]
        )

    async with a_door(tmp_path, answer=listening) as door:
        token = door.token()
        await enrol(an_application(token))
        assert len(seen) == 2
        assert not [body for body in seen if token.secret in body]


async def test_no_door_at_all() -> None:
    token = Token(
        doors=("127.0.0.1:1",), anchors=b"a" * 32, token_id=b"i" * 16, secret=b"s" * 32,
        pattern="web1", operator="rip",
    )  # fmt: skip
    with pytest.raises(EnrolError, match=r"no door could be reached: 127\.0\.0\.1:1: cannot"):
        await enrol(an_application(token))


@asynccontextmanager
async def a_stranger(door: Open, alpn: str | None = ENROL_ALPN) -> AsyncIterator[trio.SSLStream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    tcp = await trio.open_tcp_stream("127.0.0.1", door.number)
    stream = trio.SSLStream(tcp, context, https_compatible=True)
    try:
        yield stream
    finally:
        await trio.aclose_forcefully(stream)


async def everything(stream: trio.SSLStream) -> bytes:
    data = b""
    try:
        while more := await stream.receive_some(65536):
            data += more
    except trio.BrokenResourceError:
        pass
    return data


@pytest.mark.parametrize(
    "sent",
    [
        b"\x40",
        b"\x19\x10\x00",
        b"\x59\x10\x01",  # 4097 bytes are announced
        b"\x5b" + bytes(8),
        b"\x58\x05hello",  # a longer head than need be
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["empty", "no-bytes", "too-large", "eight-bytes", "long-head", "http"],
)
async def test_what_is_no_frame(tmp_path: Path, sent: bytes) -> None:
    async with a_door(tmp_path) as door:
        async with a_stranger(door) as stream:
            await stream.send_all(sent)
            answer = decode_enrol_frame(decode_cbor(await everything(stream)))
            assert isinstance(answer, Refused)
            assert answer.reason is EnrolRefusal.MALFORMED
        assert await enrol(an_application(door.token()))


async def test_frames_of_links_are_no_questions(tmp_path: Path) -> None:
    """CWP-14.4-1"""
    async with a_door(tmp_path) as door, a_stranger(door) as stream:
        hello = encode_cbor([1, [1], bytes(16), [], bytes(16), "x", ["choria"]])
        await stream.send_all(encode_cbor(hello) + encode_cbor(encode_cbor([7, ["**"], None])))
        data = await everything(stream)
        # HELLO has the number of ASK-ANCHORS; it gets the anchors, and nothing behind it is read.
        assert data.count(door.world.anchors.root) == 1


@pytest.mark.parametrize("alpn", ["cwp/1", None])
async def test_another_protocol_gets_no_word(tmp_path: Path, alpn: str | None) -> None:
    async with a_door(tmp_path) as door, a_stranger(door, alpn) as stream:
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(encode_cbor(b"\x81\x01"))
        assert await everything(stream) == b""


async def test_a_silent_stranger_is_shown_out(tmp_path: Path) -> None:
    async with a_door(tmp_path, within_s=0.2) as door, a_stranger(door) as stream:
        await stream.do_handshake()
        assert await everything(stream) == b""


async def test_silent_strangers_do_not_keep_an_applicant_out(tmp_path: Path) -> None:
    async with a_door(tmp_path, places=4) as door, trio.open_nursery() as nursery:
        for _ in range(20):
            stream = await trio.open_tcp_stream("127.0.0.1", door.number)
            nursery.start_soon(hold, stream)
        assert await enrol(an_application(door.token()))
        nursery.cancel_scope.cancel()


async def hold(stream: trio.SocketStream) -> None:
    async with stream:
        await trio.sleep_forever()


async def test_the_door_asks_nobody_for_a_certificate_and_shows_a_broker_s(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door, a_stranger(door) as stream:
        await stream.do_handshake()
        der = stream.getpeercert(binary_form=True)
        issuers = door.world.anchors.issuers()
        assert issuers.examine(der).principal.label == "broker b1 of network alpha"
        assert stream.version() == "TLSv1.3"
