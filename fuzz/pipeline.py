"""Requests to a node: signed, changed, repeated, early and late, beside a node that is only right.

An input is one CBOR array of steps as `tests.support.node_trial` has them, with all that must hold.
Keys and signatures are made while it runs, so that the corpus stays valid.
"""

from __future__ import annotations

import random  # noqa: TID251  # seeded by libFuzzer, so that its finds can be repeated
import sys
from pathlib import Path
from typing import Any

import atheris

sys.path.append(str(Path(__file__).parents[1]))  # the node's world lives with the tests

# The mutator uses the codec too: imported before, it would leave it without instruments.
with atheris.instrument_imports(include=["choria"]):
    from mutator import WORDS, mutate_item

    from choria.errors import CodecError
    from choria.wire import decode_cbor, encode_cbor
    from tests.support.node_trial import ENDS, SUBJECTS, run_trial

import trio
from trio.testing import MockClock

MAX_STEPS = 24
IDS = [bytes([at]) * 16 for at in range(3)]
TIMES = [0, 0, 1, -1, 59_999, 60_000, 60_001, -59_999, -60_000, -300_000, 1 << 62]
VALUES: dict[int, list[Any]] = {
    2: IDS,
    3: ["alpha", "beta"],
    4: ["choria", "other", "sys"],
    5: [1, 2, 3],
    6: [["web1"], ["web2"], ["web1", "web2"], [], ["Web1"]],
    7: ["demo", "discovery", "certificate", "nobody"],
    8: [*ENDS, "ping", "get", "none"],
    9: [{}, {"word": "a;b"}, {"other": 1}, {"word": None}, {"word": "x" * 30}],
    10: [{}, {1: ["web1"]}, {1: ["db1"]}, {2: [["os.family", "==", "Debian"]]}, {9: 1},
         {3: ["demo"]}, {4: ["/apa/"]}, {2: [["(", "=~", "("]]}, {"1": ["web1"]}],
    11: TIMES,
    12: [1, 1000, 60_000, 300_000, 0, 300_001],
    13: [1, 2, 3],
    14: [True, False],
    15: [0, 1, 500, 900, 1200, 16_384],
    16: [1],
    128: [1],
    1: [1, 2, 0],
}  # fmt: skip


def check(data: bytes) -> None:
    """Raise for any input on which the node is not what the naive node is."""
    steps = steps_of(data)
    if steps:
        trio.run(run_trial, steps, clock=MockClock(autojump_threshold=0))


def steps_of(data: bytes) -> list[list[Any]]:
    """Return the steps that can be read out of an input."""
    try:
        items = decode_cbor(data, floats=True)
    except CodecError:
        return []
    return (
        [item for item in items[:MAX_STEPS] if item and isinstance(item, list)]
        if isinstance(items, list)
        else []
    )


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change steps as steps, half of the time."""
    rng = random.Random(seed)  # noqa: S311
    if rng.random() < 0.3:
        return bytes(mutate_item(data, max_size, seed, atheris.Mutate))
    steps = steps_of(data)
    for _ in range(rng.randrange(1, 4)):
        steps.insert(rng.randrange(len(steps) + 1), _step(rng))
    if rng.random() < 0.3:
        steps += _same_id_again(steps, rng)
    while len(steps) > 1 and rng.random() < 0.5:
        del steps[rng.randrange(len(steps))]
    try:
        return encode_cbor(steps)[:max_size]
    except (TypeError, ValueError):
        return encode_cbor([_step(rng)])[:max_size]


def _step(rng: random.Random) -> list[Any]:
    subject, reply = (
        rng.choice([0, 0, 0, *range(len(SUBJECTS))]),
        rng.choice([0, 0, 0, *range(7), None]),
    )
    match rng.randrange(10):
        case 0 | 1:
            flips = [rng.randrange(8 * 900) for _ in range(rng.choice([0, 0, 1, 2]))]
            return [
                1,
                rng.randrange(8),
                flips,
                rng.choice([None, None, subject]),
                rng.choice([0, 0, reply]),
            ]
        case 2:
            return [2, rng.choice(TIMES) % 10_000_000 * rng.choice([1, -1])]
        case 3:
            return [3, rng.choice([0, 1, 5, 59, 60, 61, 300])]
        case 4 if rng.random() < 0.3:
            return [4, 0, encode_cbor(rng.choice(WORDS)), reply]
        case 5:
            return [5, rng.randrange(8), rng.randrange(1, 4)]
        case _:
            return [0, rng.choice([0, 0, 0, *range(6)]), _changes(rng), subject, reply]


def _same_id_again(steps: list[list[Any]], rng: random.Random) -> list[list[Any]]:
    """A request of before with its id and something else changed."""
    asked = [s for s in steps if s[0] == 0 and len(s) == 5 and isinstance(s[2], dict)]
    if not asked:
        return []
    one = rng.choice(asked)
    one[2] = {**one[2], 2: rng.choice(IDS)}
    key = rng.choice([8, 9, 12, 14])
    return [[*one[:2], {**one[2], key: rng.choice(VALUES[key])}, *one[3:]]]


def _changes(rng: random.Random) -> dict[Any, Any]:
    keys = rng.sample(list(VALUES), rng.choice([0, 0, 1, 1, 2, 3]))
    return {key: rng.choice(VALUES[key]) for key in keys}


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
