"""Trust objects: proved part by part, newer only, all or nothing (CWP-20.1, CWP-20.3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from choria.ca import create_authority
from choria.errors import TrustError
from choria.trust import (
    AAD_REPLY,
    Identifier,
    IssuerKind,
    OlderTrust,
    RevocationPolicy,
    Revoked,
    Role,
    Standing,
    TrustNumber,
    TrustObject,
    Verifier,
    ends_ms,
    open1,
    parse_standing,
    parse_trust_object,
    sign1,
)
from choria.trust.passes import MARK_BYTES
from choria.trust.passes import serial_of as serial_in
from choria.wire import encode_cbor
from tests.support.odd_certificates import DAY_MS
from tests.support.trust_world import (
    NOW_MS,
    Maker,
    a_bundle,
    a_key,
    a_list,
    an_authority,
    first_standing,
    issuers_of,
    serial_of,
    signer,
    stores_of,
)

NODES, CLIENTS, BROKERS = IssuerKind.NODES, IssuerKind.CLIENTS, IssuerKind.BROKERS
WEB, RIP = a_key(Role.NODE, "web1"), a_key(Role.CLIENT, "rip")
EVERYONE = frozenset(Role)


def taking(*datas: bytes, standing: Standing | None = None) -> Standing:
    standing = standing or first_standing()
    for data in datas:
        standing = standing.taking(data, NOW_MS)
    return standing


def test_a_revoked_node_is_refused_at_each_use() -> None:
    """CWP-20.3-5: one step, and for what was proved before as well."""
    issuers = issuers_of(an_authority())
    identifier = Identifier(issuers)
    verifier = Verifier(identifier)
    reply = signer(WEB).sign_reply(b"", with_certificate=True)
    request = signer(RIP).sign_request(b"")
    verifier.verify_reply(reply, "alpha", NOW_MS)
    verifier.verify_request(request, NOW_MS)
    taking(Maker().revoking(NODES, serial_of(WEB)).data()).apply(issuers)
    with pytest.raises(Revoked, match="node web1"):
        verifier.verify_reply(reply, "alpha", NOW_MS)
    verifier.verify_request(request, NOW_MS)
    maker = Maker().revoking(NODES, serial_of(WEB)).revoking(CLIENTS, serial_of(RIP))
    taking(maker.data()).apply(issuers)
    with pytest.raises(Revoked, match="client rip"):
        verifier.verify_request(request, NOW_MS)


def test_the_number_is_that_of_its_parts() -> None:
    # CWP-20.1-4
    maker = Maker().revoking(NODES).revoking(NODES).revoking(CLIENTS)
    assert taking(maker.data()).number == TrustNumber(0, 3)
    bundled = maker.bundling(a_bundle(7), an_authority().root)
    assert taking(bundled.data()).number == TrustNumber(7, 3)
    assert str(TrustNumber(7, 3)) == "7.3"
    assert TrustNumber(1, 0) > TrustNumber(0, 99)


def test_an_older_object_is_refused_whatever_it_says() -> None:
    # CWP-20.3-2
    old = Maker().revoking(NODES)
    new = old.revoking(NODES, serial_of(WEB))
    standing = taking(new.data())
    for older in (old, Maker(), Maker().revoking(CLIENTS)):
        with pytest.raises(OlderTrust, match=r"0\.2 is in force"):
            standing.taking(older.data(), NOW_MS)
    with_bundle = taking(new.bundling(a_bundle(2), an_authority().root).data())
    for older in (new, new.bundling(a_bundle(1), an_authority().root)):
        with pytest.raises(OlderTrust, match="bundle 2 is in force"):
            with_bundle.taking(older.data(), NOW_MS)


def test_no_part_goes_back_in_an_object_that_is_newer_as_a_whole() -> None:
    standing = taking(Maker().revoking(NODES).revoking(NODES, serial_of(WEB)).data())
    mixed = Maker(numbers={NODES: 1, CLIENTS: 5}, revoked={CLIENTS: (serial_of(RIP),)})
    after = standing.taking(mixed.data(), NOW_MS)
    issuers = issuers_of(an_authority())
    after.apply(issuers)
    assert after.number == TrustNumber(0, 7)
    for issued in (WEB, RIP):
        with pytest.raises(Revoked):
            issuers.identify(issued.certificate_der, EVERYONE, NOW_MS)


def _forged_list(maker: Maker) -> bytes:
    other = create_authority("alpha", NOW_MS)
    forged = a_list(other.issuers[NODES], 9)
    return TrustObject("alpha", (), (*parse_trust_object(maker.data()).lists, forged)).encode()


def _changed(maker: Maker) -> bytes:
    good = parse_trust_object(maker.data())
    bad = bytearray(good.lists[0])
    bad[-1] ^= 1
    return TrustObject("alpha", (), (*good.lists[1:], bytes(bad))).encode()


def _twice(maker: Maker) -> bytes:
    lists = parse_trust_object(maker.data()).lists
    return TrustObject("alpha", (), (*lists, lists[0])).encode()


def _by_a_node(maker: Maker) -> bytes:
    bundle = a_bundle(3)
    rogue = create_authority("alpha", NOW_MS).root
    return maker.bundling(bundle, rogue).data()


def _bundle_by_an_issuer(maker: Maker) -> bytes:
    return maker.bundling(a_bundle(3), an_authority().issuers[CLIENTS]).data()


def _issuer_of_another_root(maker: Maker) -> bytes:
    other = create_authority("alpha", NOW_MS)
    bundle = a_bundle(3, an_authority().root, authority=other)
    return maker.bundling(bundle, an_authority().root).data()


def _bundles_out_of_order(maker: Maker) -> bytes:
    root = an_authority().root
    return maker.bundling(a_bundle(4), root).bundling(a_bundle(3), root).data()


def _other_network(maker: Maker) -> bytes:
    return TrustObject("beta", (), parse_trust_object(maker.data()).lists).encode()


def _bundle_as_a_reply(maker: Maker) -> bytes:
    """A root's signature over something else."""
    root = an_authority().root
    payload = parse_bundle_payload(a_bundle(3).sign(root.certificate, root.key))
    der = root.certificate.public_bytes(Encoding.DER)
    forged = sign1(
        root.key, payload, leaf_der=der, external_aad=AAD_REPLY, include_certificate=False
    )
    return TrustObject("alpha", (forged,), parse_trust_object(maker.data()).lists).encode()


def parse_bundle_payload(message: bytes) -> bytes:
    return open1(message).payload


WRONG: dict[str, tuple[Callable[[Maker], bytes], str]] = {
    "a list that was changed": (_changed, "was not signed by its key|cannot be read"),
    "two lists of one issuer": (_twice, "two revocation lists"),
    "a bundle by another root of the same name": (_by_a_node, "a root that does not count here"),
    "a bundle by an issuer": (_bundle_by_an_issuer, "a root that does not count here"),
    "an issuer that no root of it signed": (_issuer_of_another_root, "none of its roots signed"),
    "bundles out of order": (_bundles_out_of_order, "not in the order of their numbers"),
    "another network's": (_other_network, "of network beta: ours is alpha"),
    "a signature over something else": (_bundle_as_a_reply, "signature"),
}


@pytest.mark.parametrize("what", WRONG)
def test_one_wrong_part_and_nothing_changes(what: str) -> None:
    """CWP-20.3-1, with a list that alone would have counted."""
    make, text = WRONG[what]
    standing = taking(Maker().revoking(NODES).data())
    data = make(Maker().revoking(NODES).revoking(NODES, serial_of(WEB)).revoking(CLIENTS))
    with pytest.raises(TrustError, match=text):
        standing.taking(data, NOW_MS)
    assert standing.number == TrustNumber(0, 1)


def _fields(**changes: object) -> bytes:
    names = {
        "version": 1,
        "network": 2,
        "bundles": 3,
        "lists": 4,
        "later": 5,
        "critical": 128,
        "odd": -1,
    }
    plain: dict[int, object] = {1: 1, 2: "alpha", 4: []}
    for name, value in changes.items():
        plain[names[name]] = value
    return encode_cbor({key: value for key, value in plain.items() if value is not None})


SHAPES = {
    "no map": encode_cbor([1, "alpha"]),
    "text for a key": encode_cbor({"a": 1}),
    "another version": _fields(version=2),
    "true for a version": _fields(version=True),
    "no network": _fields(network=None),
    "a network of bytes": _fields(network=b"alpha"),
    "no lists": _fields(lists=None),
    "a list of text": _fields(lists=["x"]),
    "an empty list": _fields(lists=[b""]),
    "too many lists": _fields(lists=[b"x"] * 49),
    "too many bundles": _fields(bundles=[b"x"] * 9),
    "a bundle too large": _fields(bundles=[bytes(65537)]),
    "a critical key": _fields(critical=0),
    "a negative key": _fields(odd=0),
    "bytes behind it": _fields() + b"\0",
    "nothing": b"",
}


@pytest.mark.parametrize("what", SHAPES)
def test_shapes_that_are_refused(what: str) -> None:
    with pytest.raises(TrustError):
        parse_trust_object(SHAPES[what])


def test_unknown_keys_below_128_are_ignored() -> None:
    # CWP-20.1-1
    assert parse_trust_object(_fields(later=[1])) == TrustObject("alpha")


def test_lists_of_issuers_that_do_not_count_are_left_out() -> None:
    # CWP-20.1-2
    other = create_authority("beta", NOW_MS)
    data = TrustObject("alpha", (), (a_list(other.issuers[NODES], 4),)).encode()
    assert taking(data).number == TrustNumber(0, 0)


def test_a_list_by_another_ca_of_the_same_name_is_nobodys() -> None:
    """Its key is another, and so is its key's identifier: what it says and its number do not count."""
    maker = Maker().revoking(NODES)
    assert taking(_forged_list(maker)).number == TrustNumber(0, 1)


def test_a_root_is_replaced_by_overlap_also_for_who_was_away() -> None:
    """CWP-20.3-4: first both, then the new one alone; its issuers are new too."""
    old, new = an_authority(), an_authority(which=1)
    both = a_bundle(1, old.root, new.root)
    alone = a_bundle(2, new.root, authority=new)
    maker = Maker().bundling(both, old.root).bundling(alone, new.root)
    away = taking(maker.data())
    there = taking(Maker().bundling(both, old.root).data(), maker.data())
    for standing in (away, there):
        assert standing.roots == (new.root.certificate,)
        assert standing.stores == stores_of(new)
        with pytest.raises(OlderTrust):
            standing.taking(Maker().bundling(both, old.root).data(), NOW_MS)
    with pytest.raises(TrustError, match="a root that does not count here"):
        first_standing().taking(Maker().bundling(alone, new.root).data(), NOW_MS)
    by_old = maker.bundling(a_bundle(3), old.root)
    with pytest.raises(TrustError, match="a root that does not count here"):
        away.taking(by_old.data(), NOW_MS)  # it had its day


def test_who_was_vouched_for_by_a_removed_issuer_is_out() -> None:
    # CWP-20.3-6
    issuers = issuers_of(an_authority())
    identifier = Identifier(issuers)
    identified = identifier.examine(WEB.certificate_der)
    link_pass = issuers.pass_of(identified)
    assert issuers.inspect(link_pass, NOW_MS) == ""
    new = an_authority(which=1)
    maker = Maker().bundling(a_bundle(1, an_authority().root, new.root), an_authority().root)
    maker = maker.bundling(a_bundle(2, new.root, authority=new), new.root)
    taking(maker.data()).apply(issuers)
    assert "its issuer was taken out" in issuers.inspect(link_pass, NOW_MS)
    for use in (identified.check, lambda *a: identifier.identify(WEB.certificate_der, *a)):
        with pytest.raises(Revoked, match="its issuer was taken out"):
            use(EVERYONE, NOW_MS)
    fresh = a_key(Role.NODE, "web1", which=1)
    assert issuers.identify(fresh.certificate_der, EVERYONE, NOW_MS).name == "web1"


def test_a_list_past_its_time_counts_until_the_grace_is_over() -> None:
    """CWP-20.3-7, and CWP-20.3-8 for an issuer without a list."""
    issuers = issuers_of(an_authority())
    issuers.revocations.policy = RevocationPolicy(grace_ms=5 * DAY_MS)
    taking(Maker(days=10).revoking(NODES).data()).apply(issuers)
    when = NOW_MS + 14 * DAY_MS
    assert issuers.identify(WEB.certificate_der, EVERYONE, when)
    (said,) = issuers.revocations.overdue(when)
    assert "should have been replaced" in said
    with pytest.raises(TrustError, match="should have been replaced"):
        issuers.identify(WEB.certificate_der, EVERYONE, NOW_MS + 16 * DAY_MS)
    link_pass = issuers.pass_of(issuers.examine(WEB.certificate_der))
    assert issuers.inspect(link_pass, NOW_MS + 16 * DAY_MS) == ""  # CWP-20.4-3: links live on
    assert issuers.identify(RIP.certificate_der, EVERYONE, when)
    issuers.revocations.policy = RevocationPolicy(required=True)
    with pytest.raises(TrustError, match="no revocation list of its issuer is known"):
        issuers.identify(RIP.certificate_der, EVERYONE, NOW_MS)


def test_what_is_kept_comes_back() -> None:
    maker = Maker().revoking(NODES, serial_of(WEB)).bundling(a_bundle(4), an_authority().root)
    standing = taking(maker.data())
    again = parse_standing(standing.encode())
    assert again == standing
    with pytest.raises(TrustError):
        parse_standing(standing.encode()[:-1])
    with pytest.raises(TrustError, match="kept trust"):
        parse_standing(encode_cbor({1: 1}))


def test_a_pass_is_small_and_says_enough() -> None:
    """F5: issuer, serial and end in at most 40 bytes, whatever the certificate weighs."""
    issuers = issuers_of(an_authority())
    identified = issuers.examine(WEB.certificate_der)
    link_pass = issuers.pass_of(identified)
    assert len(link_pass) <= 40
    assert serial_in(link_pass) == identified.serial
    assert ends_ms(link_pass) == identified.validity.not_after_ms
    late = issuers.inspect(link_pass, identified.validity.not_after_ms + 1)
    assert late.startswith("expired: it held until")
    assert issuers.inspect(bytes(MARK_BYTES) + link_pass[MARK_BYTES:], NOW_MS)


def test_fifty_thousand_serials_fit() -> None:
    """More than the payload cap, so they travel in pages (CWP-20.2-6), and far below the limit."""
    serials = range(1 << 158, (1 << 158) + 50_000)
    data = TrustObject("alpha", (), (a_list(an_authority().issuers[NODES], 1, serials),)).encode()
    assert 1 << 20 < len(data) < 2_200_000
    (known,) = taking(data).lists.values()
    assert len(known.serials) == 50_000
