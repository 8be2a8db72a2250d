"""A CA that holds the token's key and still lies, and doors that answer what was not asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from choria.ca import issue_key_in_memory, open_ca
from choria.enrol import (
    AskAnchors,
    Enrol,
    EnrolFrame,
    EnrolRefusal,
    Issued,
    Pending,
    Refused,
    Token,
    decode_enrol_frame,
    derive_key,
    encode_enrol_frame,
    mac_of_issued,
)
from choria.errors import EnrolError
from choria.net import enrol, wall_clock_ms
from tests.support.enrol_doors import Answer, a_door, an_application

BUSY = Refused(reason=EnrolRefusal.BUSY, retry_after_ms=10, text="later")


class Liar:
    """Sits before the desk, and is told the token once it is made."""

    def __init__(self, lie: Callable[[Liar, EnrolFrame, EnrolFrame], EnrolFrame]) -> None:
        self.lie = lie
        self.token: Token | None = None
        self.folder = Path()
        self.asked: list[EnrolFrame] = []

    def __call__(self, honest: Answer) -> Answer:
        def answer(body: bytes, address: str, source: str) -> bytes:
            question = decode_enrol_frame(body)
            self.asked.append(question)
            truth = decode_enrol_frame(honest(body, address, source))
            return encode_enrol_frame(self.lie(self, question, truth))

        return answer

    def proved(self, question: Enrol, certificate: bytes) -> Issued:
        """An ISSUED whose MAC is right."""
        assert self.token is not None
        key = derive_key(self.token.token_id, self.token.secret)
        mac = mac_of_issued(key, question.token_id, question.mac, certificate, ())
        return Issued(certificate=certificate, brokers=(), mac=mac)


async def attempt(folder: Path, liar: Liar) -> object:
    async with a_door(folder, answer=liar) as door:
        liar.token, liar.folder = door.token(), door.world.folder
        return await enrol(an_application(liar.token))


async def no_use(folder: Path, liar: Liar, says: str) -> None:
    """An attempt that ends in a refusal on our side."""
    async with a_door(folder, answer=liar) as door:
        liar.token, liar.folder = door.token(), door.world.folder
        with pytest.raises(EnrolError, match=says):
            await enrol(an_application(liar.token))


def issuing(
    role: str, name: str, ca: str = "ca"
) -> Callable[[Liar, EnrolFrame, EnrolFrame], EnrolFrame]:
    """A certificate that the CA made for another key, name or role."""

    def lie(liar: Liar, question: EnrolFrame, truth: EnrolFrame) -> EnrolFrame:
        if not isinstance(question, Enrol):
            return truth
        authority = open_ca(liar.folder.parent / ca)
        _, der = issue_key_in_memory(authority, role, name, now_ms=wall_clock_ms())
        return liar.proved(question, der)

    return lie


@pytest.mark.parametrize(
    ("role", "name", "says"),
    [
        ("node", "web1", "another key"),
        ("node", "web2", "another node"),
        ("client", "web1", "a node is wanted here"),
        ("broker", "web1", "a node is wanted here"),
    ],
)
async def test_a_certificate_that_was_not_asked_for(
    tmp_path: Path, role: str, name: str, says: str
) -> None:
    await no_use(tmp_path, Liar(issuing(role, name)), says)


async def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    def lie(liar: Liar, question: EnrolFrame, truth: EnrolFrame) -> EnrolFrame:
        return liar.proved(question, b"rubbish") if isinstance(question, Enrol) else truth

    await no_use(tmp_path, Liar(lie), "of no use")


async def test_a_wait_that_nobody_proved(tmp_path: Path) -> None:
    def lie(_: Liar, question: EnrolFrame, truth: EnrolFrame) -> EnrolFrame:
        pending = Pending(retry_after_ms=10, mac=bytes(32))
        return pending if isinstance(question, Enrol) else truth

    await no_use(tmp_path, Liar(lie), "not made by the token's CA")


@pytest.mark.parametrize("at", [AskAnchors, Enrol])
async def test_a_busy_door_is_asked_again_with_the_same_bytes(
    tmp_path: Path, at: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("choria.net.enrol_client.MIN_PAUSE_S", 0.01)

    def lie(liar: Liar, question: EnrolFrame, truth: EnrolFrame) -> EnrolFrame:
        times = sum(isinstance(asked, at) for asked in liar.asked)
        return BUSY if isinstance(question, at) and times < 3 else truth

    liar = Liar(lie)
    assert await attempt(tmp_path, liar)
    assert len(liar.asked) == 4
    assert len(set(map(encode_enrol_frame, liar.asked))) == 2  # CWP-18.4-3


@pytest.mark.parametrize("at", [AskAnchors, Enrol])
async def test_an_answer_to_something_else(tmp_path: Path, at: type) -> None:
    def lie(_: Liar, question: EnrolFrame, truth: EnrolFrame) -> EnrolFrame:
        return AskAnchors() if isinstance(question, at) else truth

    await no_use(tmp_path, Liar(lie), "something else than it was asked")


@pytest.mark.parametrize("answer", [b"\x00", b"\x81\x07", b"\xff" * 100], ids=repr)
async def test_an_answer_that_is_no_frame(tmp_path: Path, answer: bytes) -> None:
    async with a_door(tmp_path, answer=lambda _: lambda *_: answer) as door:
        with pytest.raises(EnrolError, match="no frame that is known here"):
            await enrol(an_application(door.token()))


async def test_an_answer_that_is_too_large(tmp_path: Path) -> None:
    async with a_door(tmp_path, answer=lambda _: lambda *_: bytes(65537)) as door:
        with pytest.raises(EnrolError, match="65537 bytes where 65536 are allowed"):
            await enrol(an_application(door.token()))


async def test_a_bug_at_the_desk_does_not_close_the_door(tmp_path: Path, caplog) -> None:
    def broken(honest: Answer) -> Answer:
        asked: list[bytes] = []

        def answer(body: bytes, address: str, source: str) -> bytes:
            asked.append(body)
            if len(asked) == 1:
                raise ZeroDivisionError
            return honest(body, address, source)

        return answer

    async with a_door(tmp_path, answer=broken) as door:
        token = door.token()
        with pytest.raises(EnrolError, match=r"closed before it had answered|reset"):
            await enrol(an_application(token))
        assert await enrol(an_application(token))
    assert "could not be served" in caplog.text
