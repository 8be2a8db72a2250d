"""The CDDL, the vectors and the decoders say the same about the same bytes.

cddl-verifier reads the CDDL for validation, ``tests/support/cddl.py`` for generation. Where the
CDDL cannot say what SPEC.md says, ``tests/support/beyond_cddl.py`` names the exception; any other disagreement fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choria.errors import ChoriaError, MessageError, Reason, RemoteProtocolError
from choria.messages import (
    UnsupportedMessage,
    decode_page,
    decode_query,
    decode_reply,
    decode_request,
)
from choria.wire import decode_cbor, decode_frame, encode_cbor, encode_frame
from tests.strategies.frames import frames, mutated
from tests.support.beyond_cddl import BEYOND_CDDL
from tests.support.cddl import Instances
from tests.support.schemas import RULES, validator
from tests.support.vectors import PROTOCOL, Row, load_rows

FRAMES = (PROTOCOL / "cwp.cddl").read_text()
ENVELOPES = (PROTOCOL / "envelope.cddl").read_text()
FRAME_VALIDATOR = validator("cwp.cddl")
ENVELOPE_VALIDATOR = validator("envelope.cddl")
FRAME_INSTANCES = Instances(FRAMES)
ENVELOPE_INSTANCES = Instances(ENVELOPES)
DECODERS: dict[str, Callable[[bytes], object]] = {
    "request": decode_request,
    "reply": decode_reply,
    "presence-query": decode_query,
    "presence-page": decode_page,
}
UNSUPPORTED = (Reason.UNSUPPORTED_VERSION, Reason.UNSUPPORTED_CRITICAL)
SLOW = settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=150)


def cddl_accepts(body: bytes) -> bool:
    first = decode_first(body)
    rule = RULES.get(first, "frame") if type(first) is int else "frame"
    verdict = FRAME_VALIDATOR.validate(body, rule, require_deterministic=True)
    return bool(verdict.valid)


def decode_first(body: bytes) -> object:
    try:
        return decode_cbor(body, max_string_bytes=1 << 25)[0]
    except (ChoriaError, TypeError, LookupError):  # no frame at all
        return None


def decoder_accepts(body: bytes) -> bool:
    try:
        decode_frame(body)
    except RemoteProtocolError as exc:
        return exc.reason in UNSUPPORTED  # a frame, but not one for us
    return True


def beyond_cddl(body: bytes) -> list[str]:
    frame = decode_cbor(body, max_string_bytes=1 << 25)
    return [name for name, holds in BEYOND_CDDL.items() if holds(frame)]


def agree(body: bytes) -> None:
    if decoder_accepts(body):
        assert cddl_accepts(body), body.hex()
    elif cddl_accepts(body):
        assert beyond_cddl(body), body.hex()


@pytest.mark.parametrize("row", [pytest.param(r, id=r["name"]) for r in load_rows("frames")])
def test_vectors_of_frames(row: Row) -> None:
    body = bytes.fromhex(row["hex"])
    supported = row["valid"] or row["error"].startswith("UNSUPPORTED")
    version_apart = row["name"] == "welcome with version 2"
    if supported or version_apart:
        assert cddl_accepts(body)
    elif cddl_accepts(body):
        assert any(row["requirement"] in name for name in beyond_cddl(body))


@SLOW
@given(frames())
def test_every_frame_we_send_fits(frame: Any) -> None:
    body = decode_cbor(encode_frame(frame), max_string_bytes=1 << 25)
    assert cddl_accepts(body)


@SLOW
@given(st.sampled_from(sorted(set(RULES.values()))).flatmap(FRAME_INSTANCES.of))
def test_instances_of_the_cddl_are_frames(frame: list[Any]) -> None:
    body = encode_cbor(frame)
    assert cddl_accepts(body), body.hex()
    assert decoder_accepts(body) or beyond_cddl(body), body.hex()


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """An instance with one item replaced, dropped or doubled."""
    frame = list(draw(st.sampled_from(sorted(set(RULES.values()))).flatmap(FRAME_INSTANCES.of)))
    at = draw(st.integers(0, len(frame) - 1))
    frame[at : at + draw(st.integers(0, 1))] = draw(
        st.lists(FRAME_INSTANCES.of("item") | st.sampled_from(frame), max_size=2)
    )
    return encode_cbor(frame)


@SLOW
@given(bent())
def test_bent_frames_are_judged_alike(body: bytes) -> None:
    agree(body)


@SLOW
@given(
    mutated(
        st.sampled_from(
            [bytes.fromhex(row["hex"]) for row in load_rows("frames") if len(row["hex"]) < 600]
        )
    )
)
def test_mutated_frames_are_judged_alike(body: bytes) -> None:
    agree(body)


def refused_beyond_cddl(name: str, value: Any) -> bool:
    """Whether SPEC.md section 13 refuses what the CDDL lets pass."""
    if name == "request":
        directed, targets = value[5] == 2, value[6]
        return (
            directed is not bool(targets)  # CWP-13.4-2
            or len(set(targets)) < len(targets)  # CWP-13.4-2
            or value[4] in ("sys", "federation")  # CWP-7.1-3
        )
    return name == "reply" and 9 in value and value[6] == 0  # CWP-13.7-1


@SLOW
@given(
    st.sampled_from(sorted(DECODERS)).flatmap(
        lambda n: st.tuples(st.just(n), ENVELOPE_INSTANCES.of(n))
    )
)
def test_instances_of_the_cddl_are_envelopes(instance: tuple[str, Any]) -> None:
    name, value = instance
    data = encode_cbor(value)
    assert ENVELOPE_VALIDATOR.validate(data, name, require_deterministic=True).valid
    if refused_beyond_cddl(name, value):
        with pytest.raises(MessageError):
            DECODERS[name](data)
    else:
        DECODERS[name](data)


@SLOW
@given(st.data(), st.sampled_from(sorted(DECODERS)))
def test_bent_envelopes_are_judged_alike(data: st.DataObject, name: str) -> None:
    value = data.draw(ENVELOPE_INSTANCES.of(name))
    keys = sorted(value) if isinstance(value, dict) else list(range(len(value)))
    value[data.draw(st.sampled_from(keys))] = data.draw(ENVELOPE_INSTANCES.of("value"))
    encoded = encode_cbor(value)
    by_cddl = ENVELOPE_VALIDATOR.validate(encoded, name, require_deterministic=True).valid
    try:
        DECODERS[name](encoded)
    except UnsupportedMessage:
        assert not by_cddl
    except MessageError:
        assert not by_cddl or refused_beyond_cddl(name, value)
    else:
        assert by_cddl or has_odd_filter(name, value), (name, value)


def has_odd_filter(name: str, value: Any) -> bool:
    """A filter that is a map of another shape is judged in step 11, with an answer: CWP-13.4-10."""
    if name != "request" or not isinstance(value.get(10), dict):
        return False
    return not ENVELOPE_VALIDATOR.validate(encode_cbor(value[10]), "filter").valid


def test_common_rules_are_the_same_in_both_files() -> None:
    ours, theirs = (rules_of(text) for text in (FRAMES, ENVELOPES))
    shared = ours.keys() & theirs.keys()
    assert {"identity", "token", "item", "uint32"} <= shared
    assert {name for name in shared if ours[name] != theirs[name]} == set()


def rules_of(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if not line.startswith(";")]
    blocks = "\n".join(lines).split("\n")
    starts = [at for at, line in enumerate(blocks) if line[:1].isalpha()]
    ends = [*starts[1:], len(blocks)]
    return {
        blocks[start].split(" = ")[0]: "\n".join(blocks[start:end]).strip()
        for start, end in zip(starts, ends, strict=True)
    }
