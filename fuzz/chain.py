"""Certificates of every kind from every issuer: proved if sections 2.2, 3 and 13.2 say so, else refused.

An input is one CBOR array, the recipe of a certificate and of the question about it; keys are derived
from constants and the certificate is made from the recipe, so that the fuzzer does not have to guess
signatures. What was changed after signing may pass only with the signed part as it was.
"""

from __future__ import annotations

import random  # noqa: TID251  # the mutator's, seeded by the fuzzer
import sys
from pathlib import Path
from typing import Any

import atheris

sys.path.append(str(Path(__file__).parents[1]))  # the recipes live with the tests

# The mutator uses the codec too: imported before, it would leave it without instruments.
with atheris.instrument_imports(include=["choria"]):
    from mutator import mutate_item

    from choria.errors import CodecError, TrustError
    from choria.trust import Role
    from choria.wire import decode_cbor, encode_cbor
    from tests.support.certificate_recipes import ISSUERS, NOW_S, ROLES, Recipe, bake, meant

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


def check(data: bytes) -> None:
    """Raise for any recipe on which the issuers say other than the text."""
    try:
        recipe = Recipe(*decode_cbor(data))
        certificate, expected = bake(recipe), meant(recipe)
        roles = frozenset(role for at, role in enumerate(Role) if recipe.roles >> at & 1)
        now_ms = (NOW_S + recipe.at) * 1000
    except (CodecError, ValueError, TypeError, KeyError, OverflowError, AttributeError):
        return
    der, flipped = flipped_der(certificate, recipe.flips)
    try:
        who = ISSUERS.identify(der, roles, now_ms)
    except TrustError:
        require(flipped or expected is None, f"refused {recipe}")
        return
    if flipped:
        same = x509.load_der_x509_certificate(der).tbs_certificate_bytes
        require(same == certificate.tbs_certificate_bytes, f"changed, and accepted: {recipe}")
    said = (who.role.value, who.name, who.grants)
    require(said == expected, f"{said} from {recipe}, not {expected}")


def flipped_der(certificate: x509.Certificate, flips: Any) -> tuple[bytes, bool]:
    """The certificate with some bits changed, and whether any was."""
    der = certificate.public_bytes(Encoding.DER)
    data = bytearray(der)
    for at in flips[:4] if isinstance(flips, list) else ():
        if type(at) is int:
            data[abs(at) // 8 % len(data)] ^= 1 << (abs(at) % 8)
    return bytes(data), bytes(data) != der


def require(holds: object, what: str) -> None:
    """Raise unless it holds."""
    if not holds:
        raise AssertionError(what)


CHOICES: tuple[list[Any], ...] = (
    list(range(6)),
    [0, 0, 0, 0, 1, 2],
    [],
    [False, False, False, True, None],
    [[0], [0], [0, 3], [0, 1], [0, 2], [3], [], None],
    [["client"], ["server"], ["server", "client"], ["any"], ["code", "client"], [], None],
    [None, None, [], ["fleet"], ["events", "service:s"], ["fleet", "fleet"], ["Fleet"], [1], {},
     b"", b"\x04\x00", b"\x04\x01\x80", b"\x04\x81\x01\x80", b"\x80", ["a" * 255], ["a" * 256],
     [f"x{at}" for at in range(64)], [f"x{at}" for at in range(65)]],
    [0, 0, 0, 1, 2, 3, 4, 12, 16, 31],
    [-100, -1000, 0, 1, -2000],
    [100, 1000, 0, -1, 2000],
    [0, 0, 0, 1, 2, 3, 4],
    [0, 0, 100, 101, -100, -101, 1000, 1001, -1001],
    [31, 31, 31, 2, 28, 1, 0],
    [],
)  # fmt: skip
SCHEMES = ["choria://", "choria://", "choria://", "CHORIA://", "choria:", "https://", "choria:///"]
NAMES = [
    "web1",
    "rip",
    "a.b-c_d",
    "Web1",
    "web1/",
    "web1.",
    "%61",
    "",
    "a" * 253,
    "a" * 254,
    "web1?x",
]


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change some fields of the recipe, or anything."""
    rng = random.Random(seed)  # noqa: S311
    if rng.random() < 0.2:
        return bytes(mutate_item(data, max_size, seed, atheris.Mutate))
    try:
        recipe = list(Recipe(*decode_cbor(data)))
    except (CodecError, TypeError):
        recipe = list(Recipe())
    for at in rng.sample(range(len(recipe)), rng.randrange(1, 4)):
        recipe[at] = _field(at, rng)
    if rng.random() < 0.4:  # a good one, but for what was just changed
        recipe = [*rng.choice(GOOD)[: len(recipe)]]
        at = rng.randrange(len(recipe))
        recipe[at] = _field(at, rng)
    try:
        return encode_cbor(recipe)[:max_size]
    except (TypeError, ValueError):
        return encode_cbor(list(Recipe()))


GOOD = [
    Recipe(),
    Recipe(maker=0, uris=("choria://broker/b1",), purposes=("server", "client")),
    Recipe(maker=2, uris=("choria://client/rip",)),
    Recipe(maker=2, uris=("choria://service/s1",), grants=["service:s"]),
    Recipe(maker=2, uris=("choria://relay/r1",), grants=["relay:beta"]),
]


def _field(at: int, rng: random.Random) -> Any:
    if at == Recipe._fields.index("uris"):
        count = rng.choice([1, 1, 1, 1, 0, 2])
        return [
            rng.choice(SCHEMES) + rng.choice(ROLES) + "/" + rng.choice(NAMES) for _ in range(count)
        ]
    if at == Recipe._fields.index("flips"):
        return [rng.randrange(8 * 450) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    return rng.choice(CHOICES[at])


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
