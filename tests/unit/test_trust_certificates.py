"""Which certificates identify somebody, and what the others are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from choria.ca import Authority, create_authority, issue_key_in_memory
from choria.errors import TrustError
from choria.trust import (
    GRANTS_OID,
    Identifier,
    IssuerKind,
    Issuers,
    Principal,
    Purpose,
    Role,
    check_public_key,
    grants_extension,
    parse_certificate,
)
from tests.support.odd_certificates import (
    DAY_MS,
    NOW_MS,
    UNKNOWN_OID,
    Recipe,
    bake,
    bake_der,
    new_key,
    signing_only,
)

EVERYONE = frozenset(Role)
NODES, CLIENTS, BROKERS = IssuerKind.NODES, IssuerKind.CLIENTS, IssuerKind.BROKERS


@pytest.fixture(scope="module")
def alpha() -> Authority:
    return create_authority("alpha", NOW_MS - 10 * DAY_MS)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return new_key()


def uri(*uris: str) -> Callable[[], dict[str, Any]]:
    return lambda: {"uris": uris}


@dataclass(frozen=True)
class Refused:
    name: str
    says: str
    change: Callable[[], dict[str, Any]] = field(default=dict)
    issuer: IssuerKind = NODES
    roles: frozenset[Role] = EVERYONE


REFUSED = [
    Refused("expired", r"node web1 expired 3 days ago \(2026-09-1\dT", lambda: {"to_ms": NOW_MS - 3 * DAY_MS, "from_ms": NOW_MS - 9 * DAY_MS}),
    Refused("not yet valid", r"node web1 is not valid before 2026-.* 2 hours from now: check the clock", lambda: {"from_ms": NOW_MS + DAY_MS // 12}),
    Refused("node where client wanted", "node web1: a client is wanted", roles=frozenset({Role.CLIENT})),
    Refused("node issuer names a client", "issuer 'nodes'.*may not vouch for a client: the issuer 'clients'", uri("choria://client/x")),
    Refused("node issuer names a broker", "may not vouch for a broker", uri("choria://broker/x")),
    Refused("node issuer names a service", "may not vouch for a service", uri("choria://service/x")),
    Refused("broker issuer names a node", "issuer 'brokers'.*may not vouch for a node", issuer=BROKERS),
    Refused("client issuer names a node", "issuer 'clients'.*may not vouch for a node", issuer=CLIENTS),
    Refused("client issuer names a broker", "may not vouch for a broker", uri("choria://broker/x"), issuer=CLIENTS),
    Refused("two names", "2 choria:// URIs", uri("choria://node/web1", "choria://node/web2")),
    Refused("the same name twice", "2 choria:// URIs", uri("choria://node/web1", "choria://node/web1")),
    Refused("two roles", "2 choria:// URIs", uri("choria://node/web1", "choria://client/web1")),
    Refused("second one in capitals", "2 choria:// URIs", uri("choria://node/web1", "CHORIA://client/x")),
    Refused("no name", "no choria:// URI", uri()),
    Refused("another scheme", "no choria:// URI", uri("spiffe://node/web1")),
    Refused("upper-case name", "names no principal", uri("choria://node/WEB1")),
    Refused("upper-case role", "names no principal", uri("choria://Node/web1")),
    Refused("upper-case scheme", "names no principal", uri("CHORIA://node/web1")),
    Refused("percent", "names no principal", uri("choria://node/web%2F1")),
    Refused("slash", "names no principal", uri("choria://node/web1/x")),
    Refused("trailing slash", "names no principal", uri("choria://node/web1/")),
    Refused("newline", r"web1\\n' names no principal", uri("choria://node/web1\n")),
    Refused("query", "names no principal", uri("choria://node/web1?x#y")),
    Refused("trailing dot", "names no principal", uri("choria://node/web1.")),
    Refused("star", "names no principal", uri("choria://node/*")),
    Refused("port", "names no principal", uri("choria://node:1/web1")),
    Refused("empty name", "names no principal", uri("choria://node/")),
    Refused("one slash", "names no principal", uri("choria:/node/web1")),
    Refused("254 letters", "names no principal", uri("choria://node/" + "a" * 254)),
    Refused("unknown role", "names no principal", uri("choria://admin/x")),
    Refused("a CA", "CA:TRUE", lambda: {"constraints": x509.BasicConstraints(ca=True, path_length=None)}),
    Refused("no constraints", "no BasicConstraints", lambda: {"constraints": None}),
    Refused("may sign certificates", "key usage", lambda: {"usage": signing_only(key_cert_sign=True)}),
    Refused("may not sign", "key usage", lambda: {"usage": signing_only(digital_signature=False)}),
    Refused("no usage", "no KeyUsage", lambda: {"usage": None}),
    Refused("no extended usage", "no ExtendedKeyUsage", lambda: {"extended": None}),
    Refused("server only", "node web1 is not for client authentication", lambda: {"extended": (ExtendedKeyUsageOID.SERVER_AUTH,)}),
    Refused("any usage", "not for client authentication", lambda: {"extended": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)}),
    Refused("broker for clients only", "broker b1 is not for server authentication", lambda: {"uris": ("choria://broker/b1",), "extended": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, issuer=BROKERS),
    Refused("unknown critical extension", "critical extension 2.25.1 is unknown", lambda: {"extra": ((x509.UnrecognizedExtension(UNKNOWN_OID, b"\x05\x00"), True),)}),
    Refused("critical grants", "critical extension 2.25.*unknown", lambda: {"extra": ((grants_extension(["fleet"]), True),)}),
    Refused("grants that are no CBOR", "grants extension cannot be read", lambda: {"extra": ((x509.UnrecognizedExtension(GRANTS_OID, b"\x04\x01\xff"), False),)}),
    Refused("grants that are no array", "no array of text", lambda: {"extra": ((x509.UnrecognizedExtension(GRANTS_OID, b"\x04\x01\x01"), False),)}),
    Refused("too many bytes of grants", "grants extension has 8193 bytes", lambda: {"extra": ((x509.UnrecognizedExtension(GRANTS_OID, bytes(8193)), False),)}),
    Refused("DSA", "type DSA.* is refused", lambda: {"key": dsa.generate_private_key(2048)}),
    Refused("grants that are no text", "is no grant", lambda: {"extra": ((x509.UnrecognizedExtension(GRANTS_OID, b"\x04\x02\x81\x01"), False),)}),
    Refused("RSA-1024", "RSA key of 1024 bits", lambda: {"key": rsa.generate_private_key(65537, 1024)}),  # noqa: S505  # refused is the point
    Refused("Ed25519", "Ed25519 .* use P-256", lambda: {"key": ed25519.Ed25519PrivateKey.generate()}),
    Refused("P-384", "secp384r1 is refused: use P-256", lambda: {"key": ec.generate_private_key(ec.SECP384R1())}),
]  # fmt: skip


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_refused_with_a_reason(alpha: Authority, key: Any, row: Refused) -> None:
    # CWP-2.2-8, CWP-13.2-1
    der = bake_der(Recipe(key).but(**row.change()), alpha.issuers[row.issuer])
    for identify in (alpha.trusted.identify, Identifier(alpha.trusted).identify):
        with pytest.raises(TrustError, match=row.says):
            identify(der, row.roles, NOW_MS)


def test_another_ca_of_the_same_names(alpha: Authority, key: Any) -> None:
    impostor = create_authority("alpha", NOW_MS)
    der = bake_der(Recipe(key), impostor.issuers[NODES])
    with pytest.raises(TrustError, match="its key did not sign this: it comes from another CA"):
        alpha.trusted.identify(der, EVERYONE, NOW_MS)


def test_another_network(alpha: Authority, key: Any) -> None:
    der = bake_der(Recipe(key), create_authority("beta", NOW_MS).issuers[NODES])
    with pytest.raises(
        TrustError, match="issued by 'CN=beta nodes', which is no issuer of network alpha"
    ):
        alpha.trusted.identify(der, EVERYONE, NOW_MS)


def test_signed_by_the_root_itself(alpha: Authority, key: Any) -> None:
    with pytest.raises(TrustError, match="no issuer of network alpha"):
        alpha.trusted.identify(bake_der(Recipe(key), alpha.root), EVERYONE, NOW_MS)


def test_signed_by_a_member(alpha: Authority, key: Any) -> None:
    """A member that plays CA: its name is no issuer's; and if it copies that, the signature is not."""
    issuer = alpha.issuers[NODES]
    subject = issuer.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    member = bake(Recipe(key, subject=str(subject)), issuer)
    forged = bake_der(Recipe(new_key()), type(issuer)(member, key))
    with pytest.raises(TrustError, match="its key did not sign this"):
        alpha.trusted.identify(forged, EVERYONE, NOW_MS)


def test_an_issuer_is_no_member(alpha: Authority) -> None:
    der = alpha.issuers[CLIENTS].certificate.public_bytes(Encoding.DER)
    with pytest.raises(TrustError, match="no choria:// URI"):
        alpha.trusted.identify(der, EVERYONE, NOW_MS)


@pytest.mark.parametrize(
    "der", [b"", b"\x30", b"\x00" * 100, b"\x30\x82\xff\xff", b"x" * 20_000], ids=len
)
def test_bytes_that_are_no_certificate(alpha: Authority, der: bytes) -> None:
    with pytest.raises(TrustError, match=r"no certificate|is refused"):
        Identifier(alpha.trusted).identify(der, EVERYONE, NOW_MS)


def test_trailing_bytes_after_a_certificate(alpha: Authority, key: Any) -> None:
    with pytest.raises(TrustError):
        parse_certificate(bake_der(Recipe(key), alpha.issuers[NODES]) + b"\0")


def test_an_unknown_x509_version_is_a_trust_error(alpha: Authority, key: Any) -> None:
    der = bake_der(Recipe(key), alpha.issuers[NODES])
    at = der.index(b"\xa0\x03\x02\x01\x02")
    for version in (0, 1, 7):
        with pytest.raises(TrustError):
            parse_certificate(der[: at + 4] + bytes([version]) + der[at + 5 :])


@pytest.mark.parametrize("role", list(Role))
def test_every_role_from_our_ca(alpha: Authority, role: Role) -> None:
    # CWP-2.2-7
    _, der = issue_key_in_memory(alpha, role, "some.name-1", now_ms=NOW_MS)
    principal = alpha.trusted.identify(der, frozenset({role}), NOW_MS)
    grants = frozenset({"fleet"} if role is Role.CLIENT else ())
    assert principal == Principal("alpha", role, "some.name-1", grants)


def test_critical_extended_key_usage_is_taken(alpha: Authority, key: Any) -> None:
    """As Puppet's certificates have it (F2)."""
    der = bake_der(Recipe(key, extended_critical=True), alpha.issuers[NODES])
    assert alpha.trusted.identify(der, EVERYONE, NOW_MS).name == "web1"


@pytest.mark.parametrize("bits", [2048, 4096])
def test_rsa_of_2048_and_4096_bits_is_taken(alpha: Authority, bits: int) -> None:
    der = bake_der(Recipe(rsa.generate_private_key(65537, bits)), alpha.issuers[NODES])
    assert alpha.trusted.identify(der, EVERYONE, NOW_MS).name == "web1"


def test_other_names_beside_ours_do_no_harm(alpha: Authority, key: Any) -> None:
    recipe = Recipe(key, uris=("spiffe://x/y", "choria://node/web1"), dns=("web1.example.net",))
    assert (
        alpha.trusted.identify(bake_der(recipe, alpha.issuers[NODES]), EVERYONE, NOW_MS).name
        == "web1"
    )


def test_grants_travel_in_the_certificate(alpha: Authority) -> None:
    _, der = issue_key_in_memory(
        alpha, "relay", "r1", now_ms=NOW_MS, grants=["relay:beta", "relay:london"]
    )
    assert alpha.trusted.identify(der, EVERYONE, NOW_MS).grants == {"relay:beta", "relay:london"}
    extension = parse_certificate(der).extensions.get_extension_for_oid(GRANTS_OID)
    assert not extension.critical
    assert extension.value.value == b"\x04\x19\x82" + b"\x6arelay:beta" + b"\x6crelay:london"


def test_no_grants_at_all_can_be_said(alpha: Authority) -> None:
    _, der = issue_key_in_memory(alpha, "client", "rip", now_ms=NOW_MS, grants=[])
    assert alpha.trusted.identify(der, EVERYONE, NOW_MS).grants == frozenset()


@pytest.mark.parametrize(
    "grants",
    [
        ["Fleet"],
        ["a b"],
        [""],
        ["fleet", "fleet"],
        [f"g{i}" for i in range(65)],
        ["x" * 256],
        [f"{i}{'x' * 200}" for i in range(60)],
    ],
)
def test_grants_outside_the_grammar(grants: list[str]) -> None:
    with pytest.raises(TrustError, match="grant"):
        grants_extension(grants)


def test_a_broker_as_a_client_of_its_cluster(alpha: Authority) -> None:
    _, der = issue_key_in_memory(alpha, "broker", "b1", now_ms=NOW_MS)
    for purpose in (None, Purpose.SERVER, Purpose.CLIENT):
        assert alpha.trusted.identify(der, frozenset({Role.BROKER}), NOW_MS, purpose).name == "b1"


def test_a_node_is_no_server(alpha: Authority) -> None:
    _, der = issue_key_in_memory(alpha, "node", "web1", now_ms=NOW_MS)
    with pytest.raises(TrustError, match="not for server authentication"):
        alpha.trusted.identify(der, EVERYONE, NOW_MS, Purpose.SERVER)


def test_the_memory_looks_at_time_and_role_again(alpha: Authority, key: Any) -> None:
    identifier = Identifier(alpha.trusted)
    der = bake_der(Recipe(key), alpha.issuers[NODES])
    assert identifier.identify(der, EVERYONE, NOW_MS) is identifier.identify(der, EVERYONE, NOW_MS)
    with pytest.raises(TrustError, match="expired 1 second ago"):
        identifier.identify(der, EVERYONE, NOW_MS + DAY_MS + 1000)
    with pytest.raises(TrustError, match="a client is wanted"):
        identifier.identify(der, frozenset({Role.CLIENT}), NOW_MS)


def test_an_expired_issuer_vouches_for_nobody(key: Any) -> None:
    # CWP-13.2-7
    old = create_authority("alpha", NOW_MS - 3650 * DAY_MS - 7 * DAY_MS)
    der = bake_der(Recipe(key), old.issuers[NODES])
    with pytest.raises(TrustError, match="issuer 'nodes' of alpha expired 7 days ago"):
        old.trusted.identify(der, EVERYONE, NOW_MS)


def test_the_memory_is_bounded_and_keeps_the_used_ones(alpha: Authority) -> None:
    identifier = Identifier(alpha.trusted, capacity=3)
    ders = [issue_key_in_memory(alpha, "node", f"n{i}", now_ms=NOW_MS)[1] for i in range(4)]
    for der in (*ders[:3], ders[0], ders[3]):
        identifier.identify(der, EVERYONE, NOW_MS)
    assert len(identifier) == 3
    thumbprints = [identifier.issuers.examine(der).thumbprint for der in ders]
    assert [identifier.known(item) is not None for item in thumbprints] == [True, False, True, True]


def test_names_as_policies_see_them() -> None:
    rip = Principal("alpha", Role.CLIENT, "rip")
    assert (rip.callerid, rip.callerid_for("alpha"), rip.callerid_for("beta")) == (
        "choria=rip",
        "choria=rip",
        "alpha:choria=rip",
    )
    assert Principal("alpha", Role.NODE, "rip").callerid == "node=rip"
    inboxes = {
        Principal(network, role, "rip").inbox for network in ("alpha", "beta") for role in Role
    }
    assert len(inboxes) == 10


def test_one_key_in_two_stores_is_refused(alpha: Authority) -> None:
    certificate = alpha.issuers[NODES].certificate
    with pytest.raises(
        TrustError,
        match="same issuer key stands for the issuer 'nodes' and for the issuer 'clients'",
    ):
        Issuers("alpha", nodes=(certificate,), clients=(certificate,))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "no CA"),
        ({"constraints": x509.BasicConstraints(ca=True, path_length=0)}, "no CA"),
        ({"constraints": None}, "no basic constraints"),
        ({"extra": ((x509.UnrecognizedExtension(UNKNOWN_OID, b"\x05\x00"), True),)}, "critical extension"),
        ({"constraints": x509.BasicConstraints(ca=True, path_length=0), "usage": signing_only(key_cert_sign=True), "extra": ((x509.NameConstraints([x509.DNSName("x")], None), False),)}, "name constraints"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_anchor(
    alpha: Authority, key: Any, change: dict[str, Any], says: str
) -> None:
    # CWP-13.2-2, CWP-13.2-7
    with pytest.raises(TrustError, match=says):
        Issuers("alpha", nodes=(bake(Recipe(key).but(**change), alpha.root),))


@pytest.mark.parametrize("network", ["", "Alpha", "a/b", "a b", "-a", "a" * 254])
def test_a_network_needs_a_name(network: str) -> None:
    with pytest.raises(TrustError, match="network's name"):
        Issuers(network)


def test_an_rsa_key_with_a_huge_exponent_is_refused() -> None:
    """It would make each verification as dear as a signature."""
    modulus = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    with pytest.raises(TrustError, match="exponent"):
        check_public_key(rsa.RSAPublicNumbers((1 << 33) + 1, modulus).public_key())
