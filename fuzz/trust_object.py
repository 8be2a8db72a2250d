"""What a broker hands on as a trust object.

Invariants: whatever bytes come, they are refused or the standing that follows holds nothing but what
this CA signed, no number in it is less than before, and what is kept of it comes back. What is refused
changes nothing. The mutator changes the object as a tree, so that lists and bundles stay whole. The CA
is kept beside this file, as certificates alone: nobody can sign for it any more.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["choria.trust.standing", "choria.trust.bundles", "choria.trust.trust_object"]
):
    from choria.trust import Standing, parse_standing, standing_of_files

from cryptography import x509
from mutator import mutate_item

from choria.errors import TrustError
from choria.trust import IssuerKind, OlderTrust

HERE = Path(__file__).parent
BEGIN = HERE / "corpus" / "trust_object" / "begin"
NOW_MS = 1_800_000_000_000
SIGNED = {  # every list and bundle that this CA ever signed
    (1, frozenset[int]()), (2, frozenset({11})), (3, frozenset({11, 12})),
    (5, frozenset({21})), (1, frozenset({11})),
}  # fmt: skip
BUNDLES = {0, 1, 2, 3}


@cache
def first() -> Standing:
    """A member that knows one list."""
    certificates = x509.load_pem_x509_certificates((HERE / "trust_object.pem").read_bytes())
    root, *issuers = certificates[:4]
    stores = {kind: [issuer] for kind, issuer in zip(IssuerKind, issuers, strict=True)}
    return standing_of_files(root, stores).taking(BEGIN.read_bytes(), NOW_MS)


@cache
def roots() -> tuple[x509.Certificate, ...]:
    certificates = x509.load_pem_x509_certificates((HERE / "trust_object.pem").read_bytes())
    return certificates[0], certificates[4]


def require(what: str, *, holds: bool) -> None:
    if not holds:
        raise AssertionError(f"broken: {what}")


def one_input(data: bytes) -> None:
    before = first()
    kept = before.encode()
    try:
        after = before.taking(data, NOW_MS)
    except TrustError:
        require("what is refused changes nothing", holds=before.encode() == kept)
        return
    require("the number does not fall", holds=after.number >= before.number)
    require("bundles are this CA's", holds=after.bundle in BUNDLES)
    require("roots are this CA's", holds=set(after.roots) <= set(roots()))
    for key, each in after.lists.items():
        require("lists are this CA's", holds=(each.number, each.serials) in SIGNED)
        known = before.lists.get(key)
        require("no list goes back", holds=known is None or known.number <= each.number)
    require("what is kept comes back", holds=parse_standing(after.encode()) == after)
    try:
        again = after.taking(data, NOW_MS)
    except OlderTrust:  # it had an older list beside a newer one, and we have the newer of both
        return
    require("the same again changes nothing", holds=again == after)


def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
    return mutate_item(data, max_size, seed, atheris.Mutate)


def main() -> None:
    one_input(BEGIN.read_bytes())
    atheris.Setup(sys.argv, one_input, custom_mutator=custom_mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
