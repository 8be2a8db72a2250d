"""Any bytes are a request, a reply, a presence message, or a MessageError; so are filters in them.

What was decoded encodes to the same bytes again, unless it held keys that are to be ignored; what
it encodes to then is stable. Bytes changed at random hardly ever stay deterministic CBOR, so most
mutations change one value of the decoded message and encode it again.
"""

from __future__ import annotations

import copy
import random  # noqa: TID251  # the mutator's, seeded by the fuzzer
import sys
from collections.abc import Callable
from typing import Any

import atheris

with atheris.instrument_imports(include=["choria"]):
    from choria.errors import CodecError, FilterError, MessageError
    from choria.filters import Facts, Filter, Subject, matches
    from choria.messages import (
        Request,
        decode_page,
        decode_query,
        decode_reply,
        decode_request,
        encode_page,
        encode_query,
        encode_reply,
        encode_request,
    )
    from choria.wire import decode_cbor, encode_cbor

MACHINE = Subject(
    identity="web1",
    facts=Facts({"os": {"family": "RedHat"}, "cores": 8, "flag": True, "list": [{"a": 1}]}),
    agents=frozenset({"package"}),
    classes=frozenset({"apache"}),
)
KEYS = [0, 1, 2, 4, 9, 16, 127, 128, -1, "", "os", b"k"]
VALUES = [0, 1, 2, 3, -1, 300_000, 300_001, 1 << 63, 0.5, True, False, None, "", "web1", "Web1", "os.family",
          "cores", "list.#", "==", "=~", ">", "8", "/w/", "/(/", "*", bytes(16), bytes(32), [], {}, ["a"]]  # fmt: skip
CODECS: tuple[tuple[Callable[[bytes], Any], Callable[[Any], bytes]], ...] = (
    (decode_request, encode_request),
    (decode_reply, encode_reply),
    (decode_query, encode_query),
    (decode_page, encode_page),
)


def check(data: bytes) -> None:
    for decode, encode in CODECS:
        try:
            message = decode(data)
        except MessageError:
            continue
        again = encode(message)
        if decode(again) != message or encode(decode(again)) != again:
            raise AssertionError("decoding and encoding do not agree")
        if isinstance(message, Request):
            check_filter(message)


def check_filter(request: Request) -> None:
    try:
        wanted = Filter.from_wire(request.filter)
    except FilterError:
        return
    if matches(wanted, MACHINE) and Filter.from_wire(wanted.to_wire()) != wanted:
        raise AssertionError("a filter does not come back as it was")


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    rng = random.Random(seed)  # noqa: S311
    try:
        message = decode_cbor(data, floats=True)
    except CodecError:
        message = None
    if not isinstance(message, dict | list) or rng.random() < 0.2:
        return atheris.Mutate(data, max_size)
    change(message, rng)
    try:
        return encode_cbor(message)[:max_size]
    except (TypeError, ValueError):
        return atheris.Mutate(data, max_size)


def change(container: Any, rng: random.Random) -> None:
    """Replace, remove or add one value somewhere in ``container``."""
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    key = rng.choice(keys) if keys else None
    if key is not None and isinstance(container[key], dict | list) and rng.random() < 0.7:
        change(container[key], rng)
    elif isinstance(container, list) and (key is None or rng.random() < 0.3):
        container.append(copy.deepcopy(rng.choice(VALUES)))
    elif isinstance(container, dict) and (key is None or rng.random() < 0.3):
        container[rng.choice(KEYS)] = copy.deepcopy(rng.choice(VALUES))
    elif rng.random() < 0.2:
        del container[key]
    else:
        container[key] = copy.deepcopy(rng.choice(VALUES))


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
