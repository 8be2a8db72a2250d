"""Messages: round trips, and arbitrary or damaged bytes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from choria.errors import InvalidName, MessageError, Refusal
from choria.messages import (
    Grade,
    Kind,
    Reply,
    Request,
    decode_page,
    decode_query,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    parse_federation_subject,
    parse_reply_prefix,
    parse_reply_subject,
    parse_request_subject,
)
from choria.wire import decode_cbor, encode_cbor

IDENTITIES = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,10}[a-z0-9])?", fullmatch=True)
COLLECTIVES = IDENTITIES.filter(lambda name: name not in {"sys", "federation"})
TOKENS = st.from_regex(r"[a-z0-9._-]{1,12}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
DATA = st.dictionaries(TEXTS, VALUES, max_size=4)
TIMES = st.integers(0, 2**64 - 1)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    kind = draw(st.sampled_from(Kind))
    targets = st.lists(IDENTITIES, min_size=1, max_size=5, unique=True)
    return Request(
        id=draw(st.binary(min_size=16, max_size=16)),
        network=draw(IDENTITIES),
        collective=draw(COLLECTIVES),
        kind=kind,
        targets=tuple(draw(targets)) if kind is Kind.DIRECTED else (),
        agent=draw(TOKENS),
        action=draw(TOKENS),
        inputs=draw(DATA),
        filter=draw(st.dictionaries(st.integers(1, 4), st.lists(TEXTS, max_size=2), max_size=2)),
        created_ms=draw(TIMES),
        ttl_ms=draw(st.integers(1, 300_000)),
        grade=draw(st.sampled_from(Grade)),
        want_certificate=draw(st.booleans()),
        max_reply_bytes=draw(st.integers(0, 2**32 - 1)),
    )


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    refusal = draw(st.none() | st.sampled_from(Refusal))
    return Reply(
        request_id=draw(st.binary(min_size=16, max_size=16)),
        request_hash=draw(st.binary(min_size=32, max_size=32)),
        network=draw(IDENTITIES),
        sender=draw(IDENTITIES),
        statuscode=draw(st.integers(0 if refusal is None else 1, 5)),
        statusmsg=draw(TEXTS),
        data=draw(DATA),
        refusal=refusal,
        time_ms=draw(TIMES),
    )


@given(requests())
def test_a_request_comes_back_as_it_was(request: Request) -> None:
    data = encode_request(request)
    assert decode_request(data) == request
    assert encode_request(decode_request(data)) == data


@given(replies())
def test_a_reply_comes_back_as_it_was(reply: Reply) -> None:
    data = encode_reply(reply)
    assert decode_reply(data) == reply
    assert encode_reply(decode_reply(data)) == data


DECODERS = st.sampled_from([decode_request, decode_reply, decode_query, decode_page])
MAPS = st.dictionaries(st.integers(-1, 20) | st.integers(126, 130), VALUES, max_size=16)


@given(DECODERS, st.binary(max_size=60) | MAPS.map(encode_cbor) | VALUES.map(encode_cbor))
def test_arbitrary_bytes_are_a_message_or_an_error(decode: Any, data: bytes) -> None:
    with suppress(MessageError):
        decode(data)


@given(requests(), st.integers(0, 10_000), st.binary(max_size=3), st.integers(0, 3))
def test_damaged_bytes_are_another_message_or_an_error(
    request: Request, at: int, patch: bytes, cut: int
) -> None:
    data = encode_request(request)
    at %= len(data)
    damaged = data[:at] + patch + data[at + cut :]
    assume(damaged != data)
    try:
        found = decode_request(damaged)
    except MessageError:
        return
    # Deterministic encoding: other bytes never mean the same, unless in keys that are ignored.
    assert found != request or any(key >= 16 for key in _keys(damaged))


def _keys(data: bytes) -> list[int]:
    return [key for key in decode_cbor(data, floats=True) if isinstance(key, int)]


TOKEN_TEXTS = st.lists(
    st.sampled_from(
        ["choria", "reply", "agent", "node", "federation", "sys", "*", "", "a" * 26, "f" * 32]
    )
    | TOKENS,
    max_size=9,
).map("/".join)


@given(st.text(max_size=30) | TOKEN_TEXTS)
def test_any_text_is_a_subject_or_refused(text: str) -> None:
    for parse in (
        parse_request_subject,
        parse_reply_prefix,
        parse_reply_subject,
        parse_federation_subject,
    ):
        with suppress(InvalidName):
            assert all(parse(text))
