"""The trust object that a CA's folder makes, as a member judges it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from choria.ca import (
    CaError,
    init_ca,
    issue,
    make_login_issuer,
    open_login_issuer,
    revoke,
    sign_bundle,
    write_crls,
    write_object,
)
from choria.ca.authority import LeafRequest, sign_leaf
from choria.ca.rotation import add_issuer, retire_issuers, switch_issuer
from choria.errors import TrustError
from choria.net import load_credentials, open_trust_store
from choria.trust import IssuerKind, Revoked, Role, TrustNumber, parse_standing
from tests.support.odd_certificates import DAY_MS, NOW_MS

NODES = IssuerKind.NODES
EVERYONE = frozenset(Role)


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    init_ca(tmp_path / "ca", "alpha", NOW_MS)
    for name in ("web1", "web2"):
        issue(tmp_path / "ca", "node", name, tmp_path / name, now_ms=NOW_MS)
    return tmp_path / "ca"


class Member:
    """A member that was enrolled with what the CA had at first."""

    def __init__(self, ca: Path, name: str = "web2") -> None:
        self.ca = ca
        self.issuers = load_credentials(ca.parent / name, now_ms=lambda: NOW_MS).issuers
        trust = ca.parent / name / "trust"
        self.store = open_trust_store(trust, self.issuers, None, lambda: NOW_MS)

    def take(self) -> TrustNumber:
        path, number = write_object(self.ca, NOW_MS)
        self.store.take(path.read_bytes())
        assert self.store.standing.number == number
        return number

    def believes(self, der: bytes) -> bool:
        try:
            self.issuers.identify(der, EVERYONE, NOW_MS)
        except TrustError:
            return False
        return True


def der_of(folder: Path) -> bytes:
    return load_credentials(folder, now_ms=lambda: NOW_MS).certificate_der


def test_revoked_signed_taken(ca: Path) -> None:
    member = Member(ca)
    web1, web2 = der_of(ca.parent / "web1"), der_of(ca.parent / "web2")
    assert member.take() == (0, 0)
    revoke(ca, now_ms=NOW_MS, name="web1")
    write_crls(ca, [NODES], NOW_MS)
    assert member.take() == (0, 1)
    assert not member.believes(web1)
    assert member.believes(web2)
    write_crls(ca, IssuerKind, NOW_MS)
    assert member.take() == (0, 4)


def test_while_an_issuer_is_replaced_both_say_who_was_revoked(ca: Path) -> None:
    """A certificate of the old issuer, revoked after the new one signs."""
    member = Member(ca)
    web1 = der_of(ca.parent / "web1")
    add_issuer(ca, NODES, NOW_MS + DAY_MS)
    sign_bundle(ca, NOW_MS)
    member.take()
    switch_issuer(ca, NODES)
    sign_bundle(ca, NOW_MS)
    issue(ca, "node", "web3", ca.parent / "web3", now_ms=NOW_MS + 2 * DAY_MS)
    for name in ("web1", "web3"):
        revoke(ca, now_ms=NOW_MS, name=name)
    write_crls(ca, [NODES], NOW_MS)
    number = member.take()
    assert number == (2, 2)
    assert not member.believes(web1)
    with pytest.raises(Revoked):
        member.issuers.identify(_leaf(ca.parent / "web3"), EVERYONE, NOW_MS + 3 * DAY_MS)


def _leaf(folder: Path) -> bytes:
    return load_credentials(folder, now_ms=lambda: NOW_MS + 3 * DAY_MS).certificate_der


def test_a_retired_issuers_members_are_out_and_numbers_go_on(ca: Path) -> None:
    member = Member(ca)
    web2 = der_of(ca.parent / "web2")
    write_crls(ca, [NODES], NOW_MS)
    add_issuer(ca, NODES, NOW_MS + DAY_MS)
    switch_issuer(ca, NODES)
    sign_bundle(ca, NOW_MS)
    write_crls(ca, [NODES], NOW_MS)
    first = member.take()
    assert member.believes(web2)
    retire_issuers(ca, NODES, NOW_MS, force=True)
    write_crls(ca, [NODES], NOW_MS)
    with pytest.raises(CaError, match="since the root last said who they are"):
        member.take()
    sign_bundle(ca, NOW_MS)
    assert member.take() > first
    assert not member.believes(web2)


def test_what_members_would_refuse_is_not_written(ca: Path) -> None:
    write_crls(ca, [NODES], NOW_MS)
    before = write_object(ca, NOW_MS)[0].read_bytes()
    (ca / "bundles").mkdir()
    (ca / "bundles" / "00000001.cose").write_bytes(b"junk")
    with pytest.raises(CaError, match="would be refused by members"):
        write_object(ca, NOW_MS)
    assert (ca / "trust.object").read_bytes() == before
    (ca / "bundles" / "00000001.cose").unlink()
    (ca / "crl" / "nodes.pem").write_text("junk")
    for act in (lambda: write_object(ca, NOW_MS), lambda: write_crls(ca, [NODES], NOW_MS)):
        with pytest.raises(CaError, match="holds no revocation list"):
            act()


def test_without_the_roots_key_no_bundle(ca: Path) -> None:
    (ca / "private" / "root.key").unlink()
    with pytest.raises(CaError, match=r"root\.key"):
        sign_bundle(ca, NOW_MS)
    revoke(ca, now_ms=NOW_MS, name="web1")
    write_crls(ca, [NODES], NOW_MS)  # for this it may be in its drawer
    assert write_object(ca, NOW_MS)[1] == (0, 1)


def test_a_file_of_trust_kept_that_is_damaged_stops_the_program(ca: Path) -> None:
    # CWP-20.3-3
    issuers = load_credentials(ca.parent / "web2", now_ms=lambda: NOW_MS).issuers
    trust, kept = ca.parent / "web2" / "trust", ca.parent / "kept"
    write_crls(ca, [NODES], NOW_MS)
    store = open_trust_store(trust, issuers, kept, lambda: NOW_MS)
    store.take(write_object(ca, NOW_MS)[0].read_bytes())
    assert kept.stat().st_mode & 0o777 == 0o600
    good = kept.read_bytes()
    for bad in (good[:-1], b"junk", good.replace(b"alpha", b"alphb")):
        kept.write_bytes(bad)
        with pytest.raises(
            Exception, match="what was known of revoked certificates cannot be read"
        ):
            open_trust_store(trust, issuers, kept, lambda: NOW_MS)
    kept.write_bytes(good)
    assert open_trust_store(trust, issuers, kept, lambda: NOW_MS).standing.number == (0, 1)
    init_ca(ca.parent / "other", "alpha", NOW_MS)
    issue(ca.parent / "other", "node", "web2", ca.parent / "moved", now_ms=NOW_MS)
    moved = load_credentials(ca.parent / "moved", now_ms=lambda: NOW_MS).issuers
    fresh = open_trust_store(ca.parent / "moved" / "trust", moved, kept, lambda: NOW_MS)
    assert fresh.standing.number == (0, 0)


def test_two_programs_with_one_file(ca: Path) -> None:
    """The one that took less does not write over what the other has."""
    trust, kept = ca.parent / "web2" / "trust", ca.parent / "kept"

    def a_store():
        issuers = load_credentials(ca.parent / "web2", now_ms=lambda: NOW_MS).issuers
        return open_trust_store(trust, issuers, kept, lambda: NOW_MS)

    one, two = a_store(), a_store()
    write_crls(ca, [NODES], NOW_MS)
    old = write_object(ca, NOW_MS)[0].read_bytes()
    write_crls(ca, [NODES], NOW_MS)
    two.take(write_object(ca, NOW_MS)[0].read_bytes())
    one.take(old)
    assert one.standing.number == (0, 1)
    assert a_store().standing.number == (0, 2)


def test_trust_that_cannot_be_kept_counts_all_the_same(
    ca: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuers = load_credentials(ca.parent / "web2", now_ms=lambda: NOW_MS).issuers
    nowhere = ca.parent / "nowhere" / "kept"
    store = open_trust_store(ca.parent / "web2" / "trust", issuers, nowhere, lambda: NOW_MS)
    write_crls(ca, [NODES], NOW_MS)
    assert store.take(write_object(ca, NOW_MS)[0].read_bytes())
    assert "cannot be kept over a restart" in caplog.text
    with pytest.raises(TrustError):
        store.take(b"junk")


class TestLogins:
    """Members that joined before people could log in learn of the issuer by the root's word."""

    def a_login(self, ca: Path) -> tuple[bytes, x509.Certificate]:
        pair = open_login_issuer(ca)
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        request = LeafRequest(role=Role.CLIENT, name="up.rip", days=0.5)
        leaf = sign_leaf(pair, key, request, NOW_MS)
        return leaf.public_bytes(Encoding.DER), pair.certificate

    def test_who_joined_before_learns_of_it(self, ca: Path) -> None:
        """CWP-20.1-5"""
        member = Member(ca)
        assert make_login_issuer(ca, NOW_MS)
        leaf, issuer = self.a_login(ca)
        assert not member.believes(leaf)
        sign_bundle(ca, NOW_MS)
        member.take()
        assert member.believes(leaf)
        assert [each.certificate for each in member.issuers.anchors if each.logins] == [issuer]
        assert parse_standing(member.store.standing.encode()).logins == (issuer,)
        assert member.believes(der_of(ca.parent / "web1"))

    def test_the_next_bundle_keeps_it(self, ca: Path) -> None:
        make_login_issuer(ca, NOW_MS)
        member = Member(ca)
        for _ in range(2):
            sign_bundle(ca, NOW_MS)
            member.take()
        assert member.believes(self.a_login(ca)[0])

    def test_another_issuer_of_logins_ends_every_login(self, ca: Path) -> None:
        """No login can be revoked by itself; all can, by an issuer that follows (CWP-20.3-6)."""
        make_login_issuer(ca, NOW_MS)
        member = Member(ca)
        sign_bundle(ca, NOW_MS)
        member.take()
        before, _ = self.a_login(ca)
        (ca / "logins.pem").unlink()
        (ca / "private" / "logins.key").unlink()
        make_login_issuer(ca, NOW_MS)
        with pytest.raises(CaError, match="ca bundle"):
            write_object(ca, NOW_MS)
        sign_bundle(ca, NOW_MS)
        member.take()
        assert not member.believes(before)
        assert member.believes(self.a_login(ca)[0])

    def test_an_issuer_of_logins_that_no_root_signed_is_refused(self, ca: Path) -> None:
        member, other = Member(ca), ca.parent / "other"
        init_ca(other, "alpha", NOW_MS)
        make_login_issuer(other, NOW_MS)
        (ca / "logins.pem").write_bytes((other / "logins.pem").read_bytes())
        sign_bundle(ca, NOW_MS)
        with pytest.raises(CaError, match="'logins' that none of its roots signed"):
            write_object(ca, NOW_MS)
        assert member.store.standing.bundle == 0
