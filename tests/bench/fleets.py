"""Fleets on paper: a client and any number of nodes with certificates, of P-256 or as Puppet has them.

All nodes share one key, because making 10,000 RSA keys takes minutes; each has its own certificate,
and that is what a receiver has to prove.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from choria.ca import create_authority
from choria.trust import (
    IssuerKind,
    Issuers,
    Principal,
    PrivateKey,
    PuppetNaming,
    RevocationPolicy,
    Role,
    Signer,
    read_puppet_ca,
)
from tests.support.odd_certificates import NOW_MS, Recipe, bake_der
from tests.support.puppet_world import PuppetWorld, make_ca, pem


@dataclass(frozen=True)
class PaperFleet:
    """Who trusts whom, and who signs with what."""

    issuers: Issuers
    client: Signer
    nodes: dict[str, Signer]

    @property
    def principal(self) -> Principal:
        """The client's."""
        return self.issuers.identify(self.client.certificate_der, frozenset({Role.CLIENT}), NOW_MS)


def p256_fleet(count: int, *, one_signer: bool = False) -> PaperFleet:
    """A fleet of the built-in CA."""
    authority = create_authority("bench", NOW_MS)
    key = ec.generate_private_key(ec.SECP256R1())

    def der(role: str, name: str) -> bytes:
        kind = IssuerKind.NODES if role == "node" else IssuerKind.CLIENTS
        return bake_der(Recipe(key, uris=(f"choria://{role}/{name}",)), authority.issuers[kind])

    client = Signer(key, der("client", "rip"))
    nodes = _nodes(count, key, lambda name: der("node", name), one_signer=one_signer)
    return PaperFleet(authority.trusted, client, nodes)


def rsa_fleet(count: int, *, one_signer: bool = False) -> PaperFleet:
    """A fleet of a Puppet CA, RSA-2048 throughout."""

    def new_key() -> PrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    root = make_ca("root", new_key(), above=None)
    world = PuppetWorld(root, make_ca("ca", new_key(), above=root), NOW_MS)
    key = new_key()
    ca = read_puppet_ca(pem(world.issuing.certificate, root.certificate))
    policy = RevocationPolicy(required=True)
    issuers = ca.issuers(PuppetNaming(), network="bench", policy=policy, crl=world.crls(1_000_000))
    client = Signer(key, world.der("rip.mcollective", key=key))
    nodes = _nodes(count, key, lambda name: world.der(name, key=key), one_signer=one_signer)
    return PaperFleet(issuers, client, nodes)


FLEETS: dict[str, Callable[..., PaperFleet]] = {"P-256": p256_fleet, "RSA-2048": rsa_fleet}


def _nodes(
    count: int, key: PrivateKey, der: Callable[[str], bytes], *, one_signer: bool
) -> dict[str, Signer]:
    names = [f"node{number:05}.example.net" for number in range(count)]
    if one_signer:  # of link grade: nobody looks at the certificate
        signer = Signer(key, der("any"))
        return dict.fromkeys(names, signer)
    return {name: Signer(key, der(name)) for name in names}
