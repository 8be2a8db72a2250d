"""Networks behind relays, where one of the two has Puppet's CA: what `[networks]` can and cannot."""

from __future__ import annotations

import pytest

from choria.errors import TrustError
from choria.trust import Foreign, IssuerKind, Issuers, PuppetNaming, Role, Signer, Verifier
from choria.trust.puppet_files import read_puppet_ca
from choria.trust.revocation import RevocationPolicy
from tests.support.node_world import BEGIN_MS, authority, member
from tests.support.puppet_world import PuppetWorld, new_world, rsa_key

CLIENTS = frozenset({Role.CLIENT})


@pytest.fixture(scope="module")
def world() -> PuppetWorld:
    return new_world(BEGIN_MS)


def puppet_issuers(world: PuppetWorld) -> Issuers:
    ca = read_puppet_ca(world.bundle())
    policy = RevocationPolicy(required=False)
    return ca.issuers(PuppetNaming(), network="site", policy=policy, crl=world.crls())


def foreign(network: str) -> Issuers:
    """As `[networks]` is read: the issuer of the other network's clients, under its name."""
    clients = authority(network).issuers[IssuerKind.CLIENTS].certificate
    return Issuers(network, clients=[clients])


def puppet_request(world: PuppetWorld) -> bytes:
    key = rsa_key(1)
    return Signer(key, world.der("rip.mcollective", key=key)).sign_request(b"x")


def test_a_puppet_node_listens_to_clients_of_our_own_ca_elsewhere(world: PuppetWorld) -> None:
    verifier = Verifier(puppet_issuers(world), [Foreign(foreign("beta"), CLIENTS)])
    message = member(Role.CLIENT, "rip", "beta").signer.sign_request(b"x")
    principal = verifier.verify_request(message, BEGIN_MS).principal
    assert principal.callerid_for("site") == "beta:choria=rip"
    own = verifier.verify_request(puppet_request(world), BEGIN_MS).principal
    assert own.callerid_for("site") == "choria=rip.mcollective"


def test_nobody_listens_to_clients_of_puppets_ca_elsewhere(world: PuppetWorld) -> None:
    """The limit that docs/howto/join-two-networks.md names: their certificates bear no URI."""
    issuing = world.issuing.certificate
    verifier = Verifier(authority().trusted, [Foreign(Issuers("site", clients=[issuing]), CLIENTS)])
    with pytest.raises(TrustError, match="has no choria:// URI"):
        verifier.verify_request(puppet_request(world), BEGIN_MS)
