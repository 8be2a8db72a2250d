"""``trust.cddl``, the vectors and the decoders say the same about the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cddl_verifier
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choria.errors import MessageError, TrustError
from choria.messages import (
    decode_trust_news,
    decode_trust_page,
    decode_trust_query,
    encode_trust_news,
    encode_trust_page,
    encode_trust_query,
)
from choria.trust import parse_trust_object
from choria.wire import Welcome, decode_cbor, decode_frame, encode_cbor, trust_mark
from tests.support.cddl import Instances
from tests.support.vectors import PROTOCOL, Row, load_rows

SCHEMA = (PROTOCOL / "trust.cddl").read_text()
VALIDATOR = cddl_verifier.Validator(SCHEMA)
INSTANCES = Instances(SCHEMA)
DECODERS: dict[str, Callable[[bytes], Any]] = {
    "trust-query": decode_trust_query,
    "trust-page": decode_trust_page,
    "trust-news": decode_trust_news,
    "trust-object": parse_trust_object,
}
ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "trust-query": encode_trust_query,
    "trust-page": encode_trust_page,
    "trust-news": encode_trust_news,
    "trust-object": lambda made: made.encode(),
}
SLOW = settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=60)
BEYOND = {"page with more than there is"}  # what CDDL cannot say


def cddl_accepts(body: bytes, rule: str) -> bool:
    return bool(VALIDATOR.validate(body, rule, require_deterministic=True).valid)


def decoded(body: bytes, rule: str) -> Any:
    try:
        return DECODERS[rule](body)
    except (MessageError, TrustError):
        return None


@pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in load_rows("trust")])
def test_vectors(row: Row) -> None:
    body, rule = bytes.fromhex(row["hex"]), row["kind"]
    found = decoded(body, rule)
    assert (found is not None) is row["valid"]
    assert cddl_accepts(body, rule) is row["valid"] or row["name"] in BEYOND
    if found is not None and "later" not in row["name"]:
        assert ENCODERS[rule](found) == body


@pytest.mark.parametrize("rule", ["trust-query", "trust-news", "trust-object"])
@SLOW
@given(data=st.data())
def test_instances_are_taken_and_bent_ones_judged_alike(rule: str, data: st.DataObject) -> None:
    made = data.draw(INSTANCES.of(rule))
    body = encode_cbor(made)
    assert cddl_accepts(body, rule)
    assert decoded(body, rule) is not None, body.hex()
    if isinstance(made, list):
        at = data.draw(st.integers(0, len(made) - 1))
        made[at : at + 1] = data.draw(st.lists(INSTANCES.of("item"), max_size=2))
    else:
        made = dict(made) | {data.draw(st.integers(-1, 130)): data.draw(INSTANCES.of("item"))}
    body = encode_cbor(made)
    assert (decoded(body, rule) is not None) is cddl_accepts(body, rule), body.hex()


@pytest.mark.parametrize(("size", "valid"), [(196_608, True), (196_609, False)])
def test_the_largest_page(size: int, valid: bool) -> None:
    """Too large for a vector. CWP-20.2-6"""
    body = encode_cbor([2, bytes(16), bytes(32), 16 << 20, 0, bytes(size)])
    assert (decoded(body, "trust-page") is not None) is valid
    assert cddl_accepts(body, "trust-page") is valid


WELCOME = [2, 1, bytes(16), [], "alpha", "b1", {1: 9, 2: 99, 3: 1, 4: 1, 5: 1}, 7]


@SLOW
@given(INSTANCES.of("trust-mark") | INSTANCES.of("item"))
def test_welcome_has_a_mark_or_something_that_is_ignored(item: Any) -> None:
    """CWP-20.2-2"""
    frame = decode_frame(encode_cbor([*WELCOME, item]))
    assert isinstance(frame, Welcome)
    is_mark = cddl_accepts(encode_cbor(item), "trust-mark")
    assert (frame.trust is not None) is is_mark
    assert frame.trust == trust_mark(decode_cbor(encode_cbor(item)))


def test_welcome_without_one_is_what_it_was() -> None:
    frame = decode_frame(encode_cbor(WELCOME))
    assert isinstance(frame, Welcome)
    assert frame.trust is None


def test_rules_that_other_files_have_are_the_same() -> None:
    def lines_of(text: str) -> dict[str, str]:
        rules = [line.split(" = ", 1) for line in text.splitlines() if " = " in line]
        return {name: rule for name, rule in rules if name.strip() == name}

    ours = lines_of(SCHEMA)
    for name in ("cwp.cddl", "envelope.cddl", "enrol.cddl"):
        theirs = lines_of((PROTOCOL / name).read_text())
        shared = ours.keys() & theirs.keys()
        assert "identity" in shared
        assert {rule for rule in shared if ours[rule] != theirs[rule]} == set()
