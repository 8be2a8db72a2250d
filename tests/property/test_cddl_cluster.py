"""``cluster.cddl``, a draft without code, is sound and agrees with the others; members refuse it."""

from __future__ import annotations

import re
from typing import Any

import cddl_verifier
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choria.errors import Reason, RemoteProtocolError
from choria.wire import decode_frame, encode_cbor
from tests.support.cddl import Instances
from tests.support.vectors import PROTOCOL

SCHEMA = (PROTOCOL / "cluster.cddl").read_text()
VALIDATOR = cddl_verifier.Validator(SCHEMA)
INSTANCES = Instances(SCHEMA)
FRAMES = [
    "interest-all",
    "interest-delta",
    "interest-digest",
    "interest-ask",
    "interest-bucket",
    "peers-begin",
    "peers-nodes",
]
SLOW = settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=60)


def rules_of(text: str) -> dict[str, str]:
    """Each rule's text by its name."""
    text = re.sub(r"^;.*\n", "", text, flags=re.MULTILINE)
    parts = re.split(r"^(?=[a-z][a-z0-9-]* = )", text, flags=re.MULTILINE)
    return {part.split(" = ")[0]: part.strip() for part in parts if part.strip()}


@pytest.mark.parametrize("name", ["cwp.cddl", "envelope.cddl", "enrol.cddl"])
def test_common_rules_are_the_same(name: str) -> None:
    ours, theirs = rules_of(SCHEMA), rules_of((PROTOCOL / name).read_text())
    shared = ours.keys() & theirs.keys()
    assert "identity" in shared
    assert {rule for rule in shared if ours[rule] != theirs[rule]} == set()


@SLOW
@given(st.sampled_from(FRAMES).flatmap(INSTANCES.of))
def test_a_member_does_not_know_the_frames_of_routes(frame: list[Any]) -> None:
    """CWP-6-5."""
    body = encode_cbor(frame)
    assert VALIDATOR.validate(body, "cluster-frame", require_deterministic=True).valid
    with pytest.raises(RemoteProtocolError) as caught:
        decode_frame(body)
    assert caught.value.reason is Reason.UNKNOWN_FRAME
