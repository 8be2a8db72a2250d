"""Frames of several members to a hub, beside a naive broker: no accepted frame leaves the table.

An input is one CBOR array of steps ``[actor, frame]``; the frame is the array of the wire, or
``[0]`` when the connection breaks. What no decoder takes is left out. The rest goes to the hub and
to the naive broker, and both must agree on what is refused and on who gets each message.
"""

from __future__ import annotations

import contextlib
import random  # noqa: TID251  # seeded by libFuzzer, so that its finds can be repeated
import sys
from pathlib import Path
from typing import Any

import atheris

sys.path.append(str(Path(__file__).parents[1]))  # the naive broker lives with the tests

# The mutator uses the codec too: imported before, it would leave it without instruments.
with atheris.instrument_imports(include=["choria"]):
    from mutator import mutate_item

    from choria.errors import CodecError, RemoteProtocolError
    from choria.wire import (
        Publish,
        Subscribe,
        Unsubscribe,
        decode_cbor,
        decode_frame,
        encode_cbor,
    )
    from tests.support.twin import ACTORS, GROUPS, PATTERNS, PREFIXES, SUBJECTS, Twin

MAX_STEPS = 64
BREAK = [0]


def check(data: bytes) -> None:
    """Raise for any input on which hub and naive broker differ."""
    twin = Twin()
    for actor, frame in steps_of(data):
        if frame == BREAK:
            twin.close(actor)
            continue
        with contextlib.suppress(RemoteProtocolError, ValueError, TypeError):
            _apply(twin, actor, decode_frame(encode_cbor(frame)))
    twin.finish()


def _apply(twin: Twin, actor: int, frame: object) -> None:
    match frame:
        case Publish():
            twin.republish(actor, frame)
        case Subscribe():
            twin.subscribe(actor, frame)
        case Unsubscribe():
            twin.unsubscribe(actor, frame)
        case _:
            pass  # the others are the link's business: fuzz/wire_link.py


def steps_of(data: bytes) -> list[tuple[int, Any]]:
    """Return the steps that can be read out of an input."""
    try:
        items = decode_cbor(data)
    except CodecError:
        return []
    if not isinstance(items, list):
        return []
    return [
        (item[0] % len(ACTORS), item[1])
        for item in items[:MAX_STEPS]
        if isinstance(item, list) and len(item) == 2 and type(item[0]) is int
    ]


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change steps as steps: random changes alone would hardly ever make a subject that is known."""
    rng = random.Random(seed)  # noqa: S311
    if rng.random() < 0.4:
        return bytes(mutate_item(data, max_size, seed, atheris.Mutate))
    steps = [list(step) for step in steps_of(data)]
    for _ in range(rng.randrange(1, 4)):
        fresh = [rng.randrange(len(ACTORS)), _frame(rng)]
        again = bool(steps) and rng.random() < 0.3  # what was right before may be wrong now
        steps.insert(rng.randrange(len(steps) + 1), rng.choice(steps) if again else fresh)
    if len(steps) > 1 and rng.random() < 0.5:
        del steps[rng.randrange(len(steps))]
    return encode_cbor(steps)[:max_size]


def _frame(rng: random.Random) -> list[Any]:
    subjects = rng.sample(SUBJECTS, rng.choice([1, 1, 1, 2, 3]))
    patterns = rng.sample(PATTERNS, rng.choice([1, 1, 2]))
    reply = rng.choice([None, None, f"{rng.choice(PREFIXES)}/q"])
    return rng.choice(
        [
            [7, patterns, rng.choice(GROUPS)],
            [7, patterns, rng.choice(GROUPS)],
            [8, patterns, rng.choice(GROUPS)],
            [9, subjects, rng.choice([{}, {}, {1: 1}]), reply, {}, b""],
            [9, subjects, {}, None, {}, b""],
            BREAK,
        ]
    )


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
