"""The vectors of signed trust objects: what is taken, and what trust stands at afterwards."""

from __future__ import annotations

import pytest
from cryptography import x509

from choria.errors import TrustError
from choria.trust import (
    Identified,
    IssuerKind,
    Issuers,
    OlderTrust,
    Revoked,
    Role,
    Standing,
    standing_of_files,
)
from tests.support.vectors import Row, load_file, load_rows

KEYS = load_file("keys")
OBJECTS = load_file("trust-objects")
NOW_MS: int = OBJECTS["now-ms"]
BY_NAME = {row["name"]: row for row in load_rows("trust-objects")}
ROWS = [pytest.param(row, id=row["name"]) for row in BY_NAME.values()]
PRINCIPALS = ("web1", "rip")


def certificate(shown: dict[str, str]) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes.fromhex(shown["certificate"]))


def stores() -> dict[IssuerKind, tuple[x509.Certificate, ...]]:
    holders = KEYS["networks"][OBJECTS["network"]]
    return {kind: (certificate(holders[kind]),) for kind in IssuerKind}


def first() -> Standing:
    return standing_of_files(certificate(KEYS["networks"][OBJECTS["network"]]["root"]), stores())


def before(row: Row) -> Standing:
    standing = first()
    for name in row.get("before", ()):
        standing = standing.taking(bytes.fromhex(BY_NAME[name]["hex"]), NOW_MS)
    return standing


def who_counts_no_more(standing: Standing) -> list[str]:
    issuers = Issuers(standing.network, **stores())
    proved = {
        name: issuers.examine(bytes.fromhex(KEYS["principals"][name]["certificate"]))
        for name in PRINCIPALS
    }
    assert standing.apply(issuers) == ()
    return [name for name, identified in proved.items() if is_revoked(identified)]


def is_revoked(identified: Identified) -> bool:
    try:
        identified.check(frozenset(Role), NOW_MS)
    except Revoked:
        return True
    return False


@pytest.mark.parametrize("row", ROWS)
def test_signed_trust_objects(row: Row) -> None:
    standing, data = before(row), bytes.fromhex(row["hex"])
    if row["valid"]:
        after = standing.taking(data, NOW_MS)
        assert list(after.number) == row["number"]
        assert who_counts_no_more(after) == row["revoked"]
        return
    with pytest.raises(TrustError) as caught:
        standing.taking(data, NOW_MS)
    assert isinstance(caught.value, OlderTrust) is (row["error"] == "older")
