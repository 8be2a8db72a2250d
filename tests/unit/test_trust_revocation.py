"""Revocation lists: which are believed, and what the three uses of a certificate make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509

from choria.errors import TrustError
from choria.trust import (
    Identifier,
    Issuers,
    PuppetNaming,
    RevocationPolicy,
    Revocations,
    Revoked,
    Role,
    Signer,
    Verifier,
    parse_revocation_lists,
    read_puppet_ca,
)
from choria.trust.revocation import MAX_LIST_BYTES
from tests.support.odd_certificates import DAY_MS, NOW_MS
from tests.support.puppet_world import PuppetWorld, make_ca, new_world, rsa_key

EVERYONE = frozenset(Role)
NAMING = PuppetNaming(brokers=frozenset({"broker1"}))


@pytest.fixture
def world() -> PuppetWorld:
    return new_world()


def issuers_of(world: PuppetWorld, crl: bytes, **policy: Any) -> Issuers:
    ca = read_puppet_ca(world.bundle())
    return ca.issuers(NAMING, network="", policy=RevocationPolicy(**policy), crl=crl)


def test_the_revoked_are_refused_at_each_use(world: PuppetWorld):
    # CWP-13.2-6
    good, bad, node = (world.der(name) for name in ("ann.choria", "bob.choria", "web1"))
    issuers = issuers_of(world, world.crls(2, 3), required=True)
    assert issuers.identify(good, EVERYONE, NOW_MS).name == "ann.choria"
    with pytest.raises(Revoked, match=r"client bob\.choria \(serial 2\) was revoked"):  # a link
        issuers.identify(bad, EVERYONE, NOW_MS)
    verifier = Verifier(issuers)
    with pytest.raises(Revoked, match=r"bob\.choria"):
        verifier.verify_request(Signer(rsa_key(3), bad).sign_request(b""), NOW_MS)
    reply = Signer(rsa_key(3), node).sign_reply(b"", with_certificate=True)
    with pytest.raises(Revoked, match="node web1"):
        verifier.verify_reply(reply, issuers.network, NOW_MS)


def test_a_new_list_holds_for_who_was_known_already(world: PuppetWorld):
    der = world.der("ann.choria")
    issuers = issuers_of(world, world.crls(number=1))
    identifier = Identifier(issuers)
    identifier.identify(der, EVERYONE, NOW_MS)
    ca = read_puppet_ca(world.bundle())
    policy = issuers.revocations.policy
    assert issuers.revocations.replace(ca.revocation_lists(world.crls(1, number=2), policy)) == ()
    with pytest.raises(Revoked):
        identifier.identify(der, EVERYONE, NOW_MS)
    # What was taken back stays so: neither an older list nor an empty file brings it back.
    (complaint,) = issuers.revocations.replace(ca.revocation_lists(world.crls(number=1), policy))
    assert "has number 1, older than number 2, which stays in force" in complaint
    assert issuers.revocations.replace(ca.revocation_lists(b"", policy)) == ()
    with pytest.raises(Revoked):
        identifier.identify(der, EVERYONE, NOW_MS)


def test_without_a_list_the_policy_decides(world: PuppetWorld):
    der = world.der("ann.choria")
    assert issuers_of(world, b"").identify(der, EVERYONE, NOW_MS)
    for crl in (b"", world.crl(), world.crl(by=world.root)):  # required: the whole chain's
        with pytest.raises(TrustError, match="no revocation list of its issuer is known"):
            issuers_of(world, crl, required=True).identify(der, EVERYONE, NOW_MS)


def test_an_overdue_list_counts_until_the_grace_is_over(world: PuppetWorld):
    der, bad = world.der("ann.choria"), world.der("bob.choria")
    issuers = issuers_of(world, world.crls(2, days=1), required=True, grace_ms=7 * DAY_MS)
    assert issuers.revocations.overdue(NOW_MS + DAY_MS) == ()
    issuers.identify(der, EVERYONE, NOW_MS + 8 * DAY_MS)
    (alarm,) = issuers.revocations.overdue(NOW_MS + 8 * DAY_MS)
    assert "Puppet CA" in alarm
    assert "7 days ago: fetch the CA's newest" in alarm
    with pytest.raises(Revoked):
        issuers.identify(bad, EVERYONE, NOW_MS + 9 * DAY_MS)
    with pytest.raises(TrustError, match=r"should have been replaced by .*, 8 days ago"):
        issuers.identify(der, EVERYONE, NOW_MS + 9 * DAY_MS)


def test_the_root_may_take_back_the_issuing_ca(world: PuppetWorld):
    lists = world.crl() + world.crl(2, by=world.root)
    with pytest.raises(Revoked, match=r"its issuer CN=Puppet CA: puppet\.example\.net was revoked"):
        issuers_of(world, lists).identify(world.der("web1"), EVERYONE, NOW_MS)


def test_an_overdue_root_list_counts_too(world: PuppetWorld):
    lists = world.crl() + world.crl(by=world.root, days=-9)
    with pytest.raises(TrustError, match="9 days ago"):
        issuers_of(world, lists).identify(world.der("web1"), EVERYONE, NOW_MS)


def test_the_same_serial_of_another_issuer_is_another_certificate(world: PuppetWorld):
    lists = world.crl() + world.crl(1, by=world.root)
    assert issuers_of(world, lists).identify(world.der("web1"), EVERYONE, NOW_MS)


def test_lists_of_strangers_are_left_out(world: PuppetWorld):
    stranger = make_ca("Somebody", rsa_key(4), above=None)
    lists = world.crl(1, by=stranger) + world.crls()
    assert issuers_of(world, lists).identify(world.der("web1"), EVERYONE, NOW_MS)


def test_of_two_lists_the_newer_counts(world: PuppetWorld):
    for lists in (
        world.crl(1, number=7) + world.crl(number=6),
        world.crl(number=6) + world.crl(1, number=7),
    ):
        with pytest.raises(Revoked):
            issuers_of(world, lists).identify(world.der("web1"), EVERYONE, NOW_MS)
        world.serial = 0


PART = x509.IssuingDistributionPoint(
    full_name=None,
    relative_name=None,
    only_contains_user_certs=True,
    only_contains_ca_certs=False,
    only_some_reasons=None,
    indirect_crl=False,
    only_contains_attribute_certs=False,
)
REFUSED: list[tuple[str, Callable[[PuppetWorld], bytes], str]] = [
    ("no list", lambda _: b"rubbish", "holds no revocation list in PEM"),
    ("a damaged list", lambda w: w.crl().replace(b"MII", b"AAA"), "cannot be read"),
    ("signed by another", lambda w: w.crl(key=rsa_key(4)), "was not signed by its key"),
    ("of a part", lambda w: w.crl(extra=[(PART, True)]), "critical extension 2.5.29.28"),
    ("of a part, quietly", lambda w: w.crl(extra=[(PART, False)]), "only a part"),
    ("changes only", lambda w: w.crl(extra=[(x509.DeltaCRLIndicator(1), True)]), "critical"),
    ("changes, quietly", lambda w: w.crl(extra=[(x509.DeltaCRLIndicator(1), False)]), "a part"),
    ("without a number", lambda w: w.crl(number=None), "has no number"),
    ("too long", lambda _: b" " * (MAX_LIST_BYTES + 1), "at most"),
]


@pytest.mark.parametrize(
    ("make", "says"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_lists_that_prove_nothing_are_refused(
    world: PuppetWorld, make: Callable[[PuppetWorld], bytes], says: str
):
    with pytest.raises(TrustError, match=says):
        issuers_of(world, make(world))


def test_nobody_is_revoked_by_default():
    assert parse_revocation_lists(b"", (), "crl.pem") == {}
    assert Revocations().overdue(NOW_MS) == ()
