"""``login.cddl``, the vectors and the decoders say the same about the same bytes."""

from __future__ import annotations

from typing import Any

import cddl_verifier
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choria.enrol import decode_question, decode_reply
from choria.errors import MessageError, TrustError
from choria.trust.credential import _decode, _read_claims
from choria.wire import encode_cbor
from tests.support.cddl import Instances
from tests.support.vectors import PROTOCOL, Row, load_rows

SCHEMA = (PROTOCOL / "login.cddl").read_text()
VALIDATOR = cddl_verifier.Validator(SCHEMA)
INSTANCES = Instances(SCHEMA)
RULES = {
    "frame": "login-frame",
    "question": "login-question",
    "reply": "login-reply",
    "claims": "claims",
}
SHAPES = {
    "question": ["by-password", "device-begin", "device-ask"],
    "reply": ["granted", "device", "later", "not-granted"],
}
SLOW = settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=60)


def cddl_accepts(body: bytes, rule: str) -> bool:
    return bool(VALIDATOR.validate(body, rule, require_deterministic=True).valid)


def accepts(kind: str, body: bytes) -> bool:
    try:
        match kind:
            case "question":
                decode_question(body)
            case "reply":
                decode_reply(body)
            case _:
                _read_claims(_decode(body, frozenset()))
    except (MessageError, TrustError):
        return False
    return True


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row["name"]) for row in load_rows("login") if row["kind"] in RULES],
)
def test_vectors(row: Row) -> None:
    said_by_prose_alone = row["name"] == "no limit"  # CWP-21.4-2: at least one of three
    accepted = cddl_accepts(bytes.fromhex(row["hex"]), RULES[row["kind"]])
    assert accepted is (row["valid"] or said_by_prose_alone)


@pytest.mark.parametrize("kind", list(SHAPES))
@SLOW
@given(st.data())
def test_instances_are_read(kind: str, data: st.DataObject) -> None:
    body = encode_cbor(data.draw(st.sampled_from(SHAPES[kind]).flatmap(INSTANCES.of)))
    assert cddl_accepts(body, RULES[kind]), body.hex()
    assert accepts(kind, body), body.hex()


@pytest.mark.parametrize("kind", list(SHAPES))
@SLOW
@given(st.data())
def test_bent_ones_are_judged_alike(kind: str, data: st.DataObject) -> None:
    shape: list[Any] = list(data.draw(st.sampled_from(SHAPES[kind]).flatmap(INSTANCES.of)))
    at = data.draw(st.integers(0, len(shape) - 1))
    new = data.draw(st.lists(INSTANCES.of("item") | st.sampled_from(shape), max_size=2))
    shape[at : at + data.draw(st.integers(0, 1))] = new
    body = encode_cbor(shape)
    assert accepts(kind, body) is cddl_accepts(body, RULES[kind]), body.hex()
