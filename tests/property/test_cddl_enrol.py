"""``enrol.cddl``, the vectors and the decoders say the same about the same bytes."""

from __future__ import annotations

from typing import Any

import cddl_verifier
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choria.enrol import decode_enrol_frame, parse_name_pattern
from choria.errors import InvalidName, MessageError
from choria.wire import encode_cbor
from tests.support.cddl import Instances
from tests.support.vectors import PROTOCOL, Row, load_rows

SCHEMA = (PROTOCOL / "enrol.cddl").read_text()
VALIDATOR = cddl_verifier.Validator(SCHEMA)
INSTANCES = Instances(SCHEMA)
FRAMES = [
    "ask-anchors",
    "anchors",
    "enrol",
    "issued",
    "pending",
    "enrol-refused",
    "renew",
    "renewed",
]
SLOW = settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=100)


def cddl_accepts(body: bytes, rule: str = "enrol-frame") -> bool:
    return bool(VALIDATOR.validate(body, rule, require_deterministic=True).valid)


def decoder_accepts(body: bytes) -> bool:
    try:
        decode_enrol_frame(body)
    except MessageError:
        return False
    return True


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row["name"]) for row in load_rows("enrol") if row["kind"] == "frame"],
)
def test_vectors(row: Row) -> None:
    assert cddl_accepts(bytes.fromhex(row["hex"])) is row["valid"]


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row["name"]) for row in load_rows("enrol") if "hex" in row and row["kind"] == "token"],
)  # fmt: skip
def test_tokens(row: Row) -> None:
    assert cddl_accepts(bytes.fromhex(row["hex"]), "enrol-token")


@SLOW
@given(st.sampled_from(FRAMES).flatmap(INSTANCES.of))
def test_instances_are_frames(frame: list[Any]) -> None:
    body = encode_cbor(frame)
    assert cddl_accepts(body), body.hex()
    assert decoder_accepts(body), body.hex()


@SLOW
@given(st.data())
def test_bent_frames_are_judged_alike(data: st.DataObject) -> None:
    frame = list(data.draw(st.sampled_from(FRAMES).flatmap(INSTANCES.of)))
    at = data.draw(st.integers(0, len(frame) - 1))
    new = data.draw(st.lists(INSTANCES.of("item") | st.sampled_from(frame), max_size=2))
    frame[at : at + data.draw(st.integers(0, 1))] = new
    body = encode_cbor(frame)
    assert decoder_accepts(body) is cddl_accepts(body), body.hex()


@SLOW
@given(INSTANCES.of("name-pattern"))
def test_patterns(text: str) -> None:
    try:
        parse_name_pattern(text)
    except InvalidName:  # CWP-18.2-6: at most 8 stars; without one it is a name
        assert text.count("*") > 8 or "*" not in text


def test_rules_that_other_files_have_are_the_same() -> None:
    ours = lines_of(SCHEMA)
    theirs = lines_of((PROTOCOL / "cwp.cddl").read_text())
    shared = ours.keys() & theirs.keys()
    assert {"identity", "token128", "text256", "item"} <= shared
    assert {name for name in shared if ours[name] != theirs[name]} == set()


def lines_of(text: str) -> dict[str, str]:
    rules = [line.split(" = ", 1) for line in text.splitlines() if " = " in line]
    return {name: rule for name, rule in rules if name.strip() == name}
