"""Who a certificate of Puppet's CA is, and which are nobody's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from choria.errors import TrustError
from choria.trust import (
    DEFAULT_GRANTS,
    Issuers,
    Principal,
    PuppetNaming,
    Purpose,
    RevocationPolicy,
    Role,
    Signer,
    Verifier,
    grants_extension,
    read_puppet_ca,
)
from tests.support.odd_certificates import NOW_MS, UNKNOWN_OID
from tests.support.puppet_world import (
    PuppetWorld,
    make_ca,
    new_world,
    pem,
    rsa_key,
)

EVERYONE = frozenset(Role)
BROKER, NODE = frozenset({Role.BROKER}), frozenset({Role.NODE})
MEMBERS = EVERYONE - BROKER
NAMING = PuppetNaming(
    brokers=frozenset({"broker1.example.net"}),
    relays=frozenset({"relay1.example.net"}),
    services=frozenset({"aaa.example.net"}),
    broker_hosts=frozenset({"choria.example.net", "192.0.2.7"}),
)


@pytest.fixture(scope="module")
def world() -> PuppetWorld:
    return new_world()


@pytest.fixture(scope="module")
def issuers(world: PuppetWorld) -> Issuers:
    return issuers_of(world)


def issuers_of(world: PuppetWorld, naming: PuppetNaming = NAMING, network: str = "") -> Issuers:
    ca = read_puppet_ca(world.bundle())
    return ca.issuers(naming, network=network, policy=RevocationPolicy(), crl=b"")


@pytest.mark.parametrize(
    ("name", "role", "facts"),
    [
        ("web1.example.net", Role.NODE, {}),
        ("web_1", Role.NODE, {}),
        ("rip.mcollective", Role.CLIENT, {}),
        ("rip.smith.choria", Role.CLIENT, {}),
        ("mcollective", Role.NODE, {}),
        ("rip.mcollective.example.net", Role.NODE, {}),
        ("ripmcollective", Role.NODE, {}),
        ("broker1.example.net", Role.BROKER, {}),
        ("broker10.example.net", Role.NODE, {}),
        ("relay1.example.net", Role.RELAY, {}),
        ("aaa.example.net", Role.SERVICE, {}),
        # Puppet sorts alternative names, so that an alias may stand first.
        ("zeta.example.net", Role.NODE, {"alt": ["alpha.example.net", "zeta.example.net"]}),
        ("zeta.example.net", Role.BROKER, {"alt": ["choria.example.net", "zeta.example.net"]}),
        ("zeta.example.net", Role.BROKER, {"alt": ["zeta.example.net", "192.0.2.7"]}),
        # What the configuration says by name comes before where brokers were looked for.
        ("rip.mcollective", Role.CLIENT, {"alt": ["choria.example.net", "rip.mcollective"]}),
        ("relay1.example.net", Role.RELAY, {"alt": ["choria.example.net", "relay1.example.net"]}),
    ],
)
def test_the_configuration_says_who_is_what(
    world: PuppetWorld, issuers: Issuers, name: str, role: Role, facts: dict[str, Any]
):
    # CWP-13.2-9
    found = issuers.identify(world.der(name, **facts), EVERYONE, NOW_MS)
    assert found == Principal(issuers.network, role, name, DEFAULT_GRANTS[role])


def test_a_user_is_known_to_policies_as_choria_knows_him(world: PuppetWorld, issuers: Issuers):
    user = issuers.identify(world.der("rip.mcollective"), EVERYONE, NOW_MS)
    assert user.callerid == "choria=rip.mcollective"
    assert user.callerid_for("london") == f"{issuers.network}:choria=rip.mcollective"


def test_the_network_is_called_by_its_root(world: PuppetWorld, issuers: Issuers):
    root = world.root.certificate.public_bytes(Encoding.DER)
    assert issuers.network == f"p-{sha256(root).hexdigest()[:16]}"
    assert issuers_of(world, network="london").network == "london"


@dataclass(frozen=True)
class Refused:
    name: str
    says: str
    facts: Callable[[PuppetWorld], dict[str, Any]] = field(default=lambda _: {})
    whose: str = "web1.example.net"
    roles: frozenset[Role] = EVERYONE


def facts(**changes: Any) -> Callable[[PuppetWorld], dict[str, Any]]:
    return lambda _: changes


SERVER_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
CLIENT_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
REFUSED = [
    Refused("a node as broker", "node web1.example.net: a broker is wanted here; with Puppet's CA", roles=BROKER),
    Refused("an operator as broker", "client rip.mcollective: a broker is wanted", whose="rip.mcollective", roles=BROKER),
    Refused("a relay as broker", "relay relay1.example.net: a broker is wanted", whose="relay1.example.net", roles=BROKER),
    Refused("a node as client", "node web1.example.net: a client is wanted", roles=frozenset({Role.CLIENT})),
    Refused("a node as relay", "a relay is wanted", roles=frozenset({Role.RELAY})),
    Refused("a node as service", "a service is wanted", roles=frozenset({Role.SERVICE})),
    Refused("a broker as client", "a client is wanted", whose="broker1.example.net", roles=frozenset({Role.CLIENT})),
    Refused("an operator as node", "a node is wanted", whose="rip.mcollective", roles=NODE),
    Refused("another name first and none of its own", "common name web1.example.net is not among", facts(alt=["db1.example.net"])),
    Refused("no alternative names", "common name web1.example.net is not among", facts(alt=[])),
    Refused("its name as an address only", "is not among", facts(alt=["192.0.2.1"])),
    Refused("a common name that hides another", "is not among", facts(cn=["broker1.example.net"])),
    Refused("no common name", "0 common names", facts(cn=[])),
    Refused("two common names", "2 common names", facts(cn=["web1.example.net", "rip.mcollective"])),
    Refused("capitals", "cannot be a certname", facts(cn=["WEB1.example.net"])),
    Refused("a trailing dot", "cannot be a certname", facts(cn=["web1.example.net."])),
    Refused("a slash", "cannot be a certname", facts(cn=["web1/broker"])),
    Refused("a line feed", "cannot be a certname", facts(cn=["rip.mcollective\n"])),
    Refused("a zero byte", "cannot be a certname", facts(cn=["rip.mcollective\0.example.net"])),
    Refused("a URI of ours", "has no choria:// URI, this one has", facts(uris=["choria://client/rip"])),
    Refused("a URI of ours in capitals", "has no choria:// URI", facts(uris=["CHORIA://broker/b"])),
    Refused("a broker that may not serve", "not for server authentication", facts(usage=CLIENT_ONLY), whose="broker1.example.net"),
    Refused("a node that may only serve", "not for client authentication", facts(usage=SERVER_ONLY)),
    Refused("an unknown critical extension", "critical extension 2.25.1 is unknown", facts(extra=[(x509.UnrecognizedExtension(UNKNOWN_OID, b""), True)])),
    Refused("made by the root", "is no issuer of network", lambda world: {"issuer": world.root}),
    Refused("made by another CA of that name", "its key did not sign this", lambda world: {"issuer": make_ca("Puppet CA: puppet.example.net", rsa_key(4), above=world.root)}),
    Refused("made by a node", "is no issuer of network", lambda world: {"issuer": make_ca("web2.example.net", rsa_key(3), above=world.issuing)}),
    Refused("a short key", "RSA key of 1024 bits", facts(key=rsa.generate_private_key(public_exponent=65537, key_size=1024))),  # noqa: S505  # that is the point
]  # fmt: skip


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_refused_certificates_say_why(world: PuppetWorld, issuers: Issuers, row: Refused):
    # CWP-13.2-9
    der = world.der(row.whose, **row.facts(world))
    with pytest.raises(TrustError, match=row.says):
        issuers.identify(der, row.roles, NOW_MS)


def test_a_brokers_machine_is_a_node_too(world: PuppetWorld, issuers: Issuers):
    der = world.der("broker1.example.net")
    assert issuers.identify(der, BROKER, NOW_MS).role is Role.BROKER
    assert issuers.identify(der, EVERYONE, NOW_MS).role is Role.BROKER
    member = issuers.identify(der, MEMBERS, NOW_MS)
    assert (member.role, member.grants) == (Role.NODE, frozenset())


def test_nobody_grants_himself_anything_by_his_signing_request(
    world: PuppetWorld, issuers: Issuers
):
    extra = [(grants_extension(["broker-admin", "fleet"]), False)]
    node = issuers.identify(world.der("web1.example.net", extra=extra), EVERYONE, NOW_MS)
    assert node.grants == frozenset()


def test_a_purpose_may_be_asked_for(world: PuppetWorld, issuers: Issuers):
    der = world.der("web1.example.net", usage=SERVER_ONLY)
    assert issuers.identify(der, NODE, NOW_MS, Purpose.SERVER).name == "web1.example.net"


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({"brokers": {"a.b"}, "relays": {"a.b"}}, "a.b is named as a broker and as a relay"),
        ({"relays": {"x"}, "services": {"x"}}, "x is named as a relay and as a service"),
        ({"brokers": {"*.example.net"}}, "cannot be a certname"),
        ({"brokers": {"Broker1"}}, "cannot be a certname"),
        ({"brokers": {""}}, "cannot be a certname"),
        ({"clients": ("*",)}, "cannot be a certname"),
        ({"clients": ("*mcollective",)}, "cannot be a certname"),
        ({"clients": ("rip*.choria",)}, "cannot be a certname"),
        ({"clients": ("*.",)}, "cannot be a certname"),
        ({"clients": ("",)}, "cannot be a certname"),
    ],
)
def test_a_slip_in_the_names_is_found_at_the_start(lists: dict[str, Any], says: str):
    with pytest.raises(TrustError, match=says):
        PuppetNaming(**{key: v if key == "clients" else frozenset(v) for key, v in lists.items()})


def test_clients_may_be_named_otherwise(world: PuppetWorld):
    issuers = issuers_of(world, PuppetNaming(clients=("boss", "*.ops")))
    roles = [
        issuers.identify(world.der(name), EVERYONE, NOW_MS).role
        for name in ("boss", "a.ops", "rip.mcollective")
    ]
    assert roles == [Role.CLIENT, Role.CLIENT, Role.NODE]


# --- the bundle


def test_one_ca_without_an_intermediate_is_taken():
    world = new_world()
    world.issuing = world.root
    issuers = read_puppet_ca(pem(world.root.certificate)).issuers(
        NAMING, network="", policy=RevocationPolicy(), crl=b""
    )
    assert issuers.identify(world.der("web1"), EVERYONE, NOW_MS).name == "web1"


def test_a_renewed_ca_with_the_old_key_is_taken():
    world = new_world()
    renewed = make_ca(
        "Puppet Root CA: 95bbeef34881e6", rsa_key(1), above=None, now_ms=NOW_MS + 1000
    )
    ca = read_puppet_ca(pem(world.root.certificate, renewed.certificate))
    assert len(ca.chains) == 2
    with pytest.raises(TrustError, match=r"holds 2 roots.*set puppet\.network"):
        ca.issuers(NAMING, network="", policy=RevocationPolicy(), crl=b"")
    world.issuing = renewed
    issuers = ca.issuers(NAMING, network="n", policy=RevocationPolicy(), crl=b"")
    assert issuers.identify(world.der("web1"), EVERYONE, NOW_MS).name == "web1"


def test_two_issuing_cas_under_one_root_both_count():
    world = new_world()
    second = make_ca("Puppet CA: second", rsa_key(4), above=world.root)
    bundle = pem(world.root.certificate, second.certificate, world.issuing.certificate)
    issuers = read_puppet_ca(bundle).issuers(NAMING, network="", policy=RevocationPolicy(), crl=b"")
    for issuer in (world.issuing, second):
        assert issuers.identify(world.der("web1", issuer=issuer), EVERYONE, NOW_MS)


def test_bundles_that_prove_nothing_are_refused():
    world = new_world()
    shallow = make_ca("root", rsa_key(1), above=None, path_length=0)
    deep = make_ca("issuing", rsa_key(2), above=shallow)
    one = make_ca("one", rsa_key(1), above=make_ca("two", rsa_key(2), above=None))
    two = make_ca("two", rsa_key(2), above=one)
    below = make_ca("below", rsa_key(3), above=one)
    for bundle, says in (
        (b"", "no readable certificate"),
        (pem(world.issuing.certificate), "the CA above .* is missing"),
        (pem(world.certificate("web1")), "critical extension 2.5.29.37"),
        (pem(deep.certificate, shallow.certificate), "a CA too many below its root"),
        (pem(one.certificate, two.certificate), "in a circle"),
        (pem(below.certificate, one.certificate, two.certificate), "in a circle"),
        (pem(*(make_ca(f"r{n}", rsa_key(1), above=None).certificate for n in range(17))), "more than 16"),
    ):  # fmt: skip
        with pytest.raises(TrustError, match=says):
            read_puppet_ca(bundle)


def test_requests_and_replies_are_signed_with_rsa(world: PuppetWorld, issuers: Issuers):
    verifier = Verifier(issuers)
    user = Signer(rsa_key(3), world.der("rip.mcollective"))
    asked = verifier.verify_request(user.sign_request(b"hello"), NOW_MS)
    assert (asked.principal.callerid, asked.payload) == ("choria=rip.mcollective", b"hello")
    node = Signer(rsa_key(3), world.der("web1.example.net"))
    reply = node.sign_reply(b"yes", with_certificate=True)
    assert (
        verifier.verify_reply(reply, issuers.network, NOW_MS).principal.name == "web1.example.net"
    )
    with pytest.raises(TrustError, match="a client or service is wanted"):
        verifier.verify_request(node.sign_request(b"hello"), NOW_MS)
    with pytest.raises(TrustError, match="a node or service is wanted"):
        verifier.verify_reply(
            user.sign_reply(b"yes", with_certificate=True), issuers.network, NOW_MS
        )
