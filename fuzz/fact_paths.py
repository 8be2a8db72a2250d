"""Any path into any facts: a value, nothing, or a FilterError, and soon.

An input is one CBOR array: facts and paths. The library behind paths is native code that has crashed
and hung before: the guard in front of it is what is fuzzed. A path without syntax leads where plain
Python leads.
"""

from __future__ import annotations

import random  # noqa: TID251  # seeded by libFuzzer, so that its finds can be repeated
import re
import sys
import time
from typing import Any

import atheris

# The mutator uses the codec too: imported before, it would leave it without instruments.
with atheris.instrument_imports(include=["choria"]):
    from mutator import mutate_item

    from choria.errors import CodecError, FilterError
    from choria.filters import Facts
    from choria.wire import decode_cbor, encode_cbor

MAX_SECONDS = 1.0
PLAIN = re.compile(r"[a-z]+(\.[a-z]+)*")
PIECES = ["a", "b", "os", "#", "0", "-1", "*", "?", ".", ".", "|", "@reverse", "@keys", "@flatten", "@this",
          "@pretty", "@join", "@group", '#(a=="b")', '#(a=="b")#', "#(b>1)", "#(", ")", "[", "]", "{", "}",
          "\\", ":", "..", "!", '"', "~", "\x00", "\ud7ff", "é", "a" * 60, "%"]  # fmt: skip
TREES: list[Any] = [{"a": {"b": [1, {"a": "b"}]}}, {"os": "x" * 500, "a": [{"a": "b", "b": 2}] * 9},
                    {"a": [[[[]]]], "b": None}, {"a" * 400 + "b": 1}, {"é": True, "": 1.5, "a.b": {"a|b": 0}}]  # fmt: skip


def check(data: bytes) -> None:
    """Raise for any input that is not looked up as promised."""
    try:
        tree, paths = decode_cbor(data, floats=True)
        facts = Facts(tree)
    except (CodecError, FilterError, ValueError, TypeError):
        return
    for path in (
        [path for path in paths if isinstance(path, str)][:8] if isinstance(paths, list) else ()
    ):
        begun = time.perf_counter()
        look(facts, path)
        if time.perf_counter() - begun > MAX_SECONDS:
            raise AssertionError(f"{path!r} took {time.perf_counter() - begun:.1f} s")


def look(facts: Facts, path: str) -> None:
    """Look a path up in both ways; compare what can be compared."""
    taken = 0

    def charge(count: int) -> None:
        nonlocal taken
        taken += count

    try:
        found, whole = facts.lookup(path), facts.value(path, charge)
    except FilterError:
        return
    if whole is not None and not taken:
        raise AssertionError("values are taken out without being counted")
    if PLAIN.fullmatch(path):
        expected = walked(facts.tree, path.split("."))
        if whole != expected:
            raise AssertionError(f"{path} is {whole!r}, not {expected!r}")
        if isinstance(expected, str | int | float | bool) and found != expected:
            raise AssertionError(f"{path} is {found!r}, not {expected!r}")


def walked(tree: Any, keys: list[str]) -> Any:
    """What stands at a path of map keys; None if nothing does."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change the tree, or put paths together of what paths are made of."""
    rng = random.Random(seed)  # noqa: S311
    if rng.random() < 0.3:
        return bytes(mutate_item(data, max_size, seed, atheris.Mutate))
    try:
        tree, paths = decode_cbor(data, floats=True)
        if rng.random() < 0.2:
            tree = rng.choice(TREES)
        paths = [*paths[-7:], _path(paths, rng)]
        return encode_cbor([tree, paths])[:max_size]
    except (CodecError, ValueError, TypeError):
        return encode_cbor([rng.choice(TREES), ["a"]])[:max_size]


def _path(paths: list[Any], rng: random.Random) -> str:
    if rng.random() < 0.1:  # what backtracks
        return rng.choice(["a*", "*", "?*", "a|", "#("]) * rng.choice([2, 3, 8, 20, 100])
    base = rng.choice(paths) if paths and rng.random() < 0.5 else ""
    base = base if isinstance(base, str) else ""
    at = rng.randrange(len(base) + 1)
    middle = "".join(rng.choice(PIECES) for _ in range(rng.choice([1, 1, 2, 5])))
    middle *= rng.choice([1, 1, 1, 1, 3, 30, 1000])
    return base[:at] + middle + base[at + rng.randrange(3) :]


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
