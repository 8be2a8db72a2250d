"""Strategies for everything that may stand on a link: names, subjects, CBOR values, frames."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from choria.errors import FRAME_REASONS, Reason
from choria.wire import (
    Deliver,
    Error,
    Frame,
    Goodbye,
    Hello,
    Ping,
    Pong,
    Publish,
    Receipt,
    Routed,
    Subscribe,
    Unsubscribe,
    Welcome,
    tail_of,
)

NAME = "abcxyz019"
INNER = NAME + "._-"


def uints(bits: int = 64) -> st.SearchStrategy[int]:
    """Unsigned integers, those beside a change of head length more often."""
    edges = [0, 1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1]
    most = 2**bits - 1
    return st.sampled_from([edge for edge in edges if edge <= most]) | st.integers(0, most)


identities = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)
long_identities = st.integers(1, 253).map(lambda size: "n" * size)
tokens = st.text(INNER, min_size=1, max_size=12)
subjects = st.lists(tokens | tokens.map(lambda t: t * 20), min_size=1, max_size=16).map(
    lambda parts: "/".join(parts)[:1024].rstrip("/")
)
patterns = st.builds(
    lambda parts, rest: "/".join([*parts, *rest]),
    st.lists(tokens | st.just("*"), min_size=1, max_size=6),
    st.sampled_from([[], ["**"]]),
)
tokens128 = st.binary(min_size=16, max_size=16)
lines = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=64)
capabilities = st.lists(st.integers(0, 127), unique=True, max_size=32).map(tuple)
header_values = uints() | st.binary(max_size=40) | st.text(max_size=20)
headers = st.dictionaries(st.integers(0, 127), header_values, max_size=4)
payloads = (
    st.binary(max_size=40)
    | st.sampled_from([23, 24, 255, 256, 400, 65535, 65536]).map(bytes)
    | st.binary(min_size=200, max_size=300)
)
tails = st.builds(
    lambda payload, reply, headers: tail_of(payload, reply=reply, headers=headers),
    payloads,
    st.none() | subjects,
    st.just({}) | headers,
)
limit_maps = st.builds(
    lambda payload, extra, rest: {1: payload, 2: payload + extra, **rest},
    st.integers(1, 16 << 20),
    st.integers(0, 80 << 10),
    st.fixed_dictionaries(
        {3: st.integers(1, 2**32 - 1), 4: st.integers(1, 2**32 - 1), 5: st.integers(1, 256)}
    ),
)
indices = st.lists(st.integers(0, 255), unique=True, max_size=6).map(
    lambda some: tuple(sorted(some))
)

hellos = st.builds(
    Hello,
    versions=st.lists(st.integers(0, 65535), unique=True, max_size=15).map(
        lambda others: (1, *(v for v in others if v != 1))
    ),
    session=tokens128,
    capabilities=capabilities,
    boot=tokens128,
    software=lines,
    collectives=st.lists(
        identities.filter(lambda name: name not in ("sys", "federation")),
        unique=True,
        min_size=1,
        max_size=5,
    ).map(tuple),
)
welcomes = st.builds(
    Welcome,
    version=st.just(1),
    session=tokens128,
    capabilities=capabilities,
    network=identities | long_identities,
    broker=identities,
    limits=limit_maps,
    time_ms=uints(),
)
pings = st.builds(Ping, token=uints())
pongs = st.builds(Pong, token=uints())
goodbyes = st.builds(
    Goodbye,
    reason=st.sampled_from(Reason),
    text=lines,
    retry_after_ms=uints(32),
    brokers=st.lists(identities, unique=True, max_size=4).map(tuple),
)
errors = st.builds(
    Error,
    reason=st.sampled_from(sorted(FRAME_REASONS)),
    frame=uints(),
    index=st.none() | uints(16),
    text=lines,
)
pattern_lists = st.lists(patterns, unique=True, min_size=1, max_size=5).map(tuple)
subscribes = st.builds(Subscribe, patterns=pattern_lists, group=st.none() | tokens)
unsubscribes = st.builds(Unsubscribe, patterns=pattern_lists, group=st.none() | tokens)
subject_lists = st.lists(subjects, unique=True, min_size=1, max_size=4).map(tuple)
publishes = st.builds(Publish, subjects=subject_lists, receipt_id=st.just(0) | uints(), tail=tails)
plain_publishes = st.builds(
    Publish,
    subjects=subjects.map(lambda one: (one,)),
    receipt_id=uints(),
    tail=st.builds(lambda p, r: tail_of(p, reply=r), payloads, st.none() | subjects),
)
delivers = st.builds(Deliver, subject=subjects, tail=tails)
receipts = st.builds(
    Receipt,
    receipt_id=uints().filter(bool),
    handed=uints(32),
    partial=st.booleans(),
    without=indices,
)
routeds = st.builds(
    lambda pairs, **rest: Routed(pairs=tuple(zip(*pairs, strict=False)), **rest),
    pairs=st.tuples(indices.filter(bool), subject_lists),
    origin=identities,
    sequence=uints(),
    receipt_id=uints(),
    remaining_ms=uints(32),
    groups=st.lists(tokens, unique=True, max_size=3).map(tuple),
    tail=tails,
)


def frames() -> st.SearchStrategy[Frame]:
    """Any legal frame."""
    return st.one_of(
        hellos,
        welcomes,
        pings,
        pongs,
        goodbyes,
        errors,
        subscribes,
        unsubscribes,
        publishes,
        plain_publishes,
        delivers,
        receipts,
        routeds,
    )


def cbor_values(*, floats: bool = False) -> st.SearchStrategy[Any]:
    """Any value of the profile."""
    integers = st.integers(-(2**63), 2**64 - 1) | uints() | uints(63).map(lambda n: -1 - n)
    leaves = st.none() | st.booleans() | integers | st.text(max_size=30) | st.binary(max_size=30)
    if floats:
        finite = st.floats(allow_nan=False, allow_infinity=False)
        leaves |= finite | st.floats(width=16, allow_nan=False, allow_infinity=False)
    keys = integers | st.text(max_size=8) | st.binary(max_size=8)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=6),
        max_leaves=30,
    )


@st.composite
def mutated(draw: st.DrawFn, sources: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of ``sources`` with a few places overwritten, cut out, doubled or inserted."""
    data = bytearray(draw(sources))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 4))
        data[at : at + size] = draw(
            st.sampled_from([b"", bytes(data[at : at + 2 * size])]) | st.binary(max_size=4)
        )
    return bytes(data)
