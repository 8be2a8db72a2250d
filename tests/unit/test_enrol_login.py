"""What is sealed and signed between a user and her login service, and what a door may read of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from choria.ca import issue_key_in_memory
from choria.enrol import (
    OFFER_LIVES_MS,
    AskLogin,
    ByPassword,
    Device,
    DeviceAsk,
    DeviceBegin,
    Granted,
    Login,
    LoginRefusal,
    LoginRefused,
    NotGranted,
    OfferTerms,
    Way,
    decode_login_frame,
    decode_question,
    decode_reply,
    encode_login,
    is_for_logins,
    make_offer,
    open_answer,
    open_question,
    read_offer,
    seal_answer,
    seal_question,
)
from choria.errors import MessageError, TrustError
from choria.trust import Role
from choria.wire import decode_cbor, encode_cbor
from tests.support.logins import PASSWORD, a_key, a_question, issuers
from tests.support.node_world import BEGIN_MS, NETWORK, authority

OFFERED = a_key(5)
DIGEST, IV = bytes(range(32)), bytes(range(12))


def terms(**changes: Any) -> OfferTerms:
    facts: dict[str, Any] = {
        "network": NETWORK, "key": OFFERED.public_key(), "ends_ms": BEGIN_MS + 600_000,
        "ways": frozenset({Way.PASSWORD}),
    }  # fmt: skip
    return OfferTerms(**(facts | changes))


def offered(
    *, role: Role = Role.SERVICE, grants: tuple[str, ...] = ("aaa",), **changes: Any
) -> bytes:
    made = issue_key_in_memory(authority(), role, "aaa", now_ms=BEGIN_MS, grants=grants)
    return make_offer(terms(**changes), made.key, made.certificate_der)


def test_an_offer_is_read() -> None:
    # CWP-21.2-3
    offer = read_offer(offered(), issuers(), BEGIN_MS)
    assert (offer.service, offer.ways) == ("aaa", {Way.PASSWORD})
    assert offer.key == OFFERED.public_key()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (lambda: offered(grants=("fleet",)), "lacks the grant aaa"),
        (lambda: offered(role=Role.CLIENT), "a service is wanted"),
        (lambda: offered(role=Role.NODE), "a service is wanted"),
        (lambda: offered(network="london"), "one of network london"),
        (lambda: offered(ends_ms=BEGIN_MS), "has ended"),
        (lambda: offered(ends_ms=BEGIN_MS + OFFER_LIVES_MS + 1), "clocks differ"),
        (lambda: flipped(offered(), 200), "."),
        (lambda: b"", "deterministic CBOR"),
    ],
)  # fmt: skip
def test_offers_that_nobody_seals_a_password_to(bad: Any, says: str) -> None:
    # CWP-21.2-3
    with pytest.raises((TrustError, MessageError), match=says):
        read_offer(bad(), issuers(), BEGIN_MS)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_question_is_opened_by_whom_it_is_for() -> None:
    question = encode_login(a_question())
    sealed = seal_question(question, OFFERED.public_key(), DIGEST, IV)
    assert open_question(sealed, OFFERED, DIGEST) == question


def test_nothing_of_a_question_can_be_read_on_its_way() -> None:
    # CWP-21.2-1
    sealed = seal_question(encode_login(a_question("rip")), OFFERED.public_key(), DIGEST, IV)
    assert PASSWORD.encode() not in sealed
    assert b"rip" not in sealed
    for other in (a_key(6), a_key(7)):
        with pytest.raises(MessageError, match="changed on its way, or sealed for somebody else"):
            open_question(sealed, other, DIGEST)


def test_a_question_is_bound_to_its_offer() -> None:
    # CWP-21.3-1
    sealed = seal_question(b"x" * 16, OFFERED.public_key(), DIGEST, IV)
    with pytest.raises(MessageError):
        open_question(sealed, OFFERED, bytes(32))


def test_every_changed_byte_is_noticed() -> None:
    sealed = seal_question(b"question", OFFERED.public_key(), DIGEST, IV)
    for at in range(len(sealed)):
        with pytest.raises(MessageError):
            open_question(flipped(sealed, at), OFFERED, DIGEST)
    answer = seal_answer(b"answer", bytes(32), sealed, IV)
    assert open_answer(answer, bytes(32), sealed) == b"answer"
    for at in range(len(answer)):
        with pytest.raises(MessageError):
            open_answer(flipped(answer, at), bytes(32), sealed)


def test_an_answer_answers_one_question() -> None:
    # CWP-21.3-3
    first, second = (seal_question(b"x", OFFERED.public_key(), DIGEST, IV) for _ in range(2))
    answer = seal_answer(b"answer", bytes(32), first, IV)
    for key, sealed in ((bytes(32), second), (bytes(31) + b"\1", first)):
        with pytest.raises(MessageError):
            open_answer(answer, key, sealed)


def bent(at: list[int], value: Any) -> bytes:
    parts: Any = decode_cbor(seal_question(b"x", OFFERED.public_key(), DIGEST, IV))
    place = parts
    for step in at[:-1]:
        place = place[step]
    place[at[-1]] = value
    return encode_cbor(parts)


KEY = {1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ([0], encode_cbor({1: 1})),  # A128GCM
        ([0], b""),
        ([1], {}),
        ([1], {5: bytes(11)}),
        ([1], {5: bytes(12), 1: 3}),
        ([2], b""),
        ([3], []),
        ([3, 0, 0], encode_cbor({1: -26})),  # ECDH-ES + HKDF-512
        ([3, 0, 1], {}),
        ([3, 0, 1], {-1: KEY}),  # a point beside the curve
        ([3, 0, 1], {-1: KEY | {1: True}}),
        ([3, 0, 1], {-1: KEY | {-1: True}}),
        ([3, 0, 1], {-1: KEY | {-4: bytes(32)}}),
        ([3, 0, 2], b"x"),
    ],
)
def test_other_constructions_are_refused(at: list[int], value: Any) -> None:
    # CWP-21.3-1: nothing is negotiated
    with pytest.raises(MessageError):
        open_question(bent(at, value), OFFERED, DIGEST)


def test_floods_and_nonsense_are_no_sealed_questions() -> None:
    for data in (b"", b"\xff", bytes(5000), encode_cbor([[[[[[[[1]]]]]]]])):
        with pytest.raises(MessageError):
            open_question(data, OFFERED, DIGEST)


def test_secrets_are_in_no_repr() -> None:
    question = a_question()
    shown = repr([question, DeviceBegin(answer_key=question.answer_key, signing_request=b"x")])
    assert PASSWORD not in shown
    assert repr(question.answer_key) not in shown


def test_questions_and_replies_come_back() -> None:
    shapes: list[Any] = [
        DeviceAsk(answer_key=bytes(32), signing_request=b"x", device=bytes(32)),
        a_question(),
    ]
    assert [decode_question(encode_login(each)) for each in shapes] == shapes
    replies: list[Any] = [
        Granted(certificate=b"x", credential=b"y"),
        Device(device=bytes(32), url="https://x", code="AB-CD", interval_ms=5000, ends_ms=BEGIN_MS),
        NotGranted(reason=LoginRefusal.LOCKED, retry_after_ms=1, text="x"),
    ]
    assert [decode_reply(encode_login(each)) for each in replies] == replies


PASSWORD_QUESTION = [1, bytes(32), b"x", "rip", "secret"]


@pytest.mark.parametrize(
    "question",
    [
        [1],
        [9, bytes(32)],
        [*PASSWORD_QUESTION[:4], ""],
        [*PASSWORD_QUESTION[:4], "x" * 1025],
        [*PASSWORD_QUESTION[:4], b"secret"],
        [*PASSWORD_QUESTION[:3], "Rip", "secret"],
        [*PASSWORD_QUESTION[:3], "up/rip", "secret"],
        [1, bytes(31), *PASSWORD_QUESTION[2:]],
        [1, bytes(32), b"", *PASSWORD_QUESTION[3:]],
        [1, bytes(32), bytes(2049), *PASSWORD_QUESTION[3:]],
    ],
)
def test_questions_that_are_none(question: list[Any]) -> None:
    with pytest.raises(MessageError) as refused:
        decode_question(encode_cbor(question))
    assert "secret" not in str(refused.value)


def test_a_door_knows_questions_for_the_service_by_their_first_bytes() -> None:
    # CWP-21.2-1
    assert is_for_logins(encode_login(AskLogin()))
    sealed = seal_question(encode_login(a_question()), OFFERED.public_key(), DIGEST, IV)
    assert is_for_logins(encode_login(Login(sealed=sealed)))
    refused = LoginRefused(reason=LoginRefusal.BUSY, retry_after_ms=0, text="")
    for body in (b"", b"\x81", encode_login(refused), encode_cbor([1]), encode_cbor({16: 1})):
        assert not is_for_logins(body)


def test_the_longest_question_fits_a_door() -> None:
    # CWP-18.1-4
    question = ByPassword(
        answer_key=bytes(32), signing_request=bytes(2048), user="u" * 250, password="p" * 1024
    )
    sealed = seal_question(encode_login(question), OFFERED.public_key(), DIGEST, IV)
    assert len(encode_login(Login(sealed=sealed))) <= 4096
    assert replace(read_offer(offered(), issuers(), BEGIN_MS)).ends_ms == BEGIN_MS + 600_000


def test_texts_of_a_door_cannot_play_with_a_terminal() -> None:
    # CWP-15-2
    for body in ([20, 8, 0, "\x1b[2J"], [20, 8, 0, "x" * 257], [20, 0, 0, ""], [20, 10, 0, ""]):
        with pytest.raises(MessageError):
            decode_login_frame(encode_cbor(body))
    with pytest.raises(MessageError):
        decode_reply(encode_cbor([2, bytes(32), "https://x\x1b[2J", "code", 1, 1]))


def test_an_ephemeral_key_is_used_once() -> None:
    first, second = (seal_question(b"x", OFFERED.public_key(), DIGEST, IV) for _ in range(2))
    keys = [decode_cbor(sealed)[3][0][1][-1][-2] for sealed in (first, second)]
    assert keys[0] != keys[1]
    assert isinstance(OFFERED, ec.EllipticCurvePrivateKey)
