"""The vectors of logins against the code."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from choria.enrol import (
    decode_login_frame,
    decode_question,
    decode_reply,
    encode_login,
    open_answer,
    open_question,
)
from choria.errors import MessageError, TrustError
from choria.policy import LimitedCall, outside
from choria.trust import CallLimits, header_value, open_credential, parse_patterns
from choria.trust.credential import _decode, _read_claims
from tests.support.vectors import Row, load_rows

DECODERS: dict[str, Callable[[bytes], object]] = {
    "frame": decode_login_frame,
    "question": decode_question,
    "reply": decode_reply,
}


def rows(*kinds: str) -> pytest.MarkDecorator:
    found = [row for row in load_rows("login") if row["kind"] in kinds]
    assert found
    return pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in found])


def key(row: Row, name: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int(row[name], 16), ec.SECP256R1())


@rows(*DECODERS)
def test_shapes(row: Row) -> None:
    body, decode = bytes.fromhex(row["hex"]), DECODERS[row["kind"]]
    if not row["valid"]:
        with pytest.raises(MessageError):
            decode(body)
        return
    again = encode_login(decode(body))  # type: ignore[arg-type]
    assert again == body or "later item" in row["name"]


@rows("claims")
def test_claims(row: Row) -> None:
    body = bytes.fromhex(row["hex"])
    if row["valid"]:
        assert _read_claims(_decode(body, frozenset())).name == "up.rip"
        return
    with pytest.raises(TrustError):
        _read_claims(_decode(body, frozenset()))


@rows("sealed-question")
def test_a_sealed_question_is_opened(row: Row) -> None:
    sealed, digest = bytes.fromhex(row["hex"]), bytes.fromhex(row["offer-digest"])
    assert open_question(sealed, key(row, "offer-scalar"), digest).hex() == row["content"]


@rows("sealed-answer")
def test_a_sealed_answer_is_opened(row: Row) -> None:
    sealed, question = bytes.fromhex(row["hex"]), bytes.fromhex(row["question"])
    assert open_answer(sealed, bytes.fromhex(row["answer-key"]), question).hex() == row["content"]


@rows("credential")
def test_a_credential_is_proved(row: Row) -> None:
    opened = open_credential(header_value(bytes.fromhex(row["hex"])))
    issuer, user = key(row, "issuer-scalar"), key(row, "user-scalar")
    claims = opened.prove(issuer.public_key(), row["principal"], row["network"], user.public_key())
    assert claims.limits.allowed == ("rpcutil.*", "package.status")
    with pytest.raises(TrustError):
        opened.prove(user.public_key(), row["principal"], row["network"], user.public_key())


@rows("allowed")
def test_limits(row: Row) -> None:
    limits = CallLimits(allowed=parse_patterns(row["limits"]))
    call = LimitedCall(
        callerid="up=rip", agent=row["agent"], action=row["action"], facts={}, classes=()
    )
    assert (not outside(limits, call)) is row["allowed"]
