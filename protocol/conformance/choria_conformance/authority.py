"""Credentials for a conformance run: one network with everybody in it, and people who do not belong.

``make_credentials`` fills a folder; the table in README.md says who is in it. It can start from an
existing CA with the same file names, so that a certificate authority is judged along with its broker.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from .cbor import encode
from .certificates import (
    DAY,
    UNKNOWN,
    Key,
    Pair,
    Recipe,
    grants_extension,
    huge_grants,
    make_issuer,
    make_leaf,
    octet_string,
    too_large_extension,
    usage,
)

ISSUERS: Final = ("brokers", "nodes", "clients")
BROKER: Final = "b1.example.net"
HOSTS: Final = ("localhost", "127.0.0.1")
NODES: Final = 8
FAR: Final = "tokyo"
"""The network that the relays of the credentials join to theirs."""

_ANY_PURPOSE: Final = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
_MORE_PURPOSES: Final = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION)

Authority = dict[str, Pair]


def make_authority(network: str) -> Authority:
    """A root and its three issuers."""
    root = make_issuer(network, None)
    return {"root": root} | {name: make_issuer(f"{network} {name}", root) for name in ISSUERS}


def make_credentials(folder: Path, network: str = "alpha", ca: Path | None = None) -> None:
    """Fill ``folder`` with a CA (or read ``ca``) and the credentials of everybody."""
    authority = read_authority(ca) if ca else make_authority(network)
    write_authority(folder / "ca", authority)
    for name, (issuer, recipe) in members().items():
        write_principal(folder / name, make_leaf(recipe, authority[issuer]), authority)
    for name, (issuer, recipe) in odd_members().items():
        write_principal(folder / "odd" / name, make_leaf(recipe, authority[issuer]), authority)
    for name, (issuer, recipe, key) in odd_keys().items():
        write_principal(folder / "odd" / name, make_leaf(recipe, authority[issuer], key), authority)
    _write_foreigners(folder / "odd", network, authority)
    _write_chains(folder / "odd", authority)
    broker = Recipe(
        (f"choria://broker/{BROKER}",), purposes=(ExtendedKeyUsageOID.SERVER_AUTH,),
        hosts=(BROKER, *HOSTS),
    )  # fmt: skip
    write_principal(folder / "broker", make_leaf(broker, authority["brokers"]), authority)
    foreign = replace(
        broker, uris=("choria://broker/b2.example.net",), hosts=("b2.example.net", *HOSTS)
    )
    write_principal(folder / "broker-2", make_leaf(foreign, authority["brokers"]), authority)
    elsewhere = replace(broker, hosts=("b3.example.net",))
    write_principal(
        folder / "broker-elsewhere", make_leaf(elsewhere, authority["brokers"]), authority
    )
    _write_far(folder / FAR, make_authority(FAR), network)


def _write_far(folder: Path, authority: Authority, network: str) -> None:
    """The network at the other end of a relay: its broker, and the relay's principal there."""
    broker = Recipe(
        ("choria://broker/far.example.net",), purposes=(ExtendedKeyUsageOID.SERVER_AUTH,),
        hosts=("far.example.net", *HOSTS),
    )  # fmt: skip
    relay = member("relay", "to-home", f"relay:{network}")
    write_principal(folder / "broker", make_leaf(broker, authority["brokers"]), authority)
    write_principal(folder / "relay", make_leaf(relay, authority["clients"]), authority)


def member(role: str, name: str, *grants: str, default: bool = False) -> Recipe:
    """A right member; ``default`` leaves the grants extension out."""
    extension = None if default else grants_extension(grants)
    return Recipe((f"choria://{role}/{name}",), grants=extension)


def members() -> dict[str, tuple[str, Recipe]]:
    """Everybody who may come in, by folder: the issuer and what the certificate says."""
    nodes = {
        f"node-{i}": ("nodes", member("node", f"n{i}.example.net", default=True))
        for i in range(1, NODES + 1)
    }
    return nodes | {
        "client-1": ("clients", member("client", "rip", default=True)),
        "client-2": ("clients", member("client", "eve", default=True)),
        "client-events": ("clients", member("client", "watch", "fleet", "events")),
        "client-plain": ("clients", member("client", "visitor")),
        "node-service": ("nodes", member("node", "echo.example.net", "service:echo")),
        "service-1": ("clients", member("service", "echo-1", "fleet", "events", "service:echo")),
        "service-2": ("clients", member("service", "echo-2", "service:echo")),
        "service-default": ("clients", member("service", "bare", default=True)),
        "service-plain": ("clients", member("service", "idle")),
        "relay-1": ("clients", member("relay", "to-tokyo", "relay:tokyo")),
        "relay-plain": ("clients", member("relay", "to-nowhere")),
    }


def odd_members() -> dict[str, tuple[str, Recipe]]:
    """Certificates that are wrong in one way each."""
    good = Recipe(("choria://client/odd",))
    both = ("choria://client/odd", "choria://client/rip")
    return {
        "expired": ("clients", replace(good, start=-30 * DAY, end=-DAY)),
        "not-yet": ("clients", replace(good, start=DAY)),
        "no-uri": ("clients", replace(good, uris=(), common_name="rip")),
        "other-uri": ("clients", replace(good, uris=("https://client/rip",), common_name="rip")),
        "two-uris": ("clients", replace(good, uris=both)),
        "upper-case": ("clients", replace(good, uris=("choria://client/Rip",))),
        "percent": ("clients", replace(good, uris=("choria://client/r%69p",))),
        "trailing-dot": ("clients", replace(good, uris=("choria://client/rip.",))),
        "path": ("clients", replace(good, uris=("choria://client/rip/x",))),
        "no-name": ("clients", replace(good, uris=("choria://client/",))),
        "role-unknown": ("clients", replace(good, uris=("choria://root/rip",))),
        "role-upper": ("clients", replace(good, uris=("choria://Client/rip",))),
        "node-by-clients": ("clients", replace(good, uris=("choria://node/n1.example.net",))),
        "client-by-nodes": ("nodes", replace(good, uris=("choria://client/rip",))),
        "relay-by-nodes": ("nodes", replace(good, uris=("choria://relay/to-tokyo",))),
        "broker-by-clients": ("clients", replace(good, uris=("choria://broker/b1.example.net",))),
        "member-by-brokers": ("brokers", good),
        "authority": ("clients", replace(good, authority=True)),
        "may-issue": ("clients", replace(good, usage=usage(issue=True))),
        "may-not-sign": ("clients", replace(good, usage=usage(sign=False))),
        "for-servers": ("clients", replace(good, purposes=(ExtendedKeyUsageOID.SERVER_AUTH,))),
        "no-purpose": ("clients", replace(good, purposes=())),
        "critical-unknown": ("clients", replace(good, extra=((_unknown(), True),))),
        "too-large": ("clients", replace(good, extra=((too_large_extension(), False),))),
        "grants-truncated": ("clients", replace(good, grants=huge_grants())),
        "grants-no-array": ("clients", replace(good, grants=octet_string(encode("fleet")))),
        "grants-twice": ("clients", replace(good, grants=grants_extension(["fleet", "fleet"]))),
        "grants-upper": ("clients", replace(good, grants=grants_extension(["Fleet"]))),
        "grants-many": (
            "clients",
            replace(good, grants=grants_extension(f"g{i}" for i in range(65))),
        ),
        "grants-no-string": ("clients", replace(good, grants=encode(["fleet"]))),
        "common-name": ("clients", replace(good, common_name="choria://client/rip")),
        "two-schemes": ("clients", replace(good, uris=("https://x", "choria://client/odd"))),
        "upper-case-scheme": ("clients", replace(good, uris=("CHORIA://client/odd",))),
        "any-purpose": ("clients", replace(good, purposes=(_ANY_PURPOSE,))),
        "more-purposes": ("clients", replace(good, purposes=_MORE_PURPOSES)),
        "with-host-names": ("clients", replace(good, hosts=("rip.example.net", "10.0.0.1"))),
        "service-as-node": ("clients", replace(good, uris=("choria://service/n1.example.net",))),
        "harmless-unknown": ("clients", replace(good, extra=((_unknown(), False),))),
    }


def odd_keys() -> dict[str, tuple[str, Recipe, Key]]:
    """Keys of other kinds than P-256: RSA is good, the others are not."""
    good = Recipe(("choria://client/odd-key",))
    return {
        "rsa-2048": ("clients", good, rsa.generate_private_key(65537, 2048)),
        "p-384": ("clients", good, ec.generate_private_key(ec.SECP384R1())),
        "ed25519": ("clients", good, ed25519.Ed25519PrivateKey.generate()),
    }


def _unknown() -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00")


def _write_foreigners(folder: Path, network: str, authority: Authority) -> None:
    """Another CA with the same names: who goes by an issuer's name instead of its key is fooled."""
    for name, other in (("outsider", "elsewhere"), ("impostor", network)):
        foreign = make_authority(other)
        for role, issuer in (("client", "clients"), ("node", "nodes")):
            known = {"client": "rip", "node": "n1.example.net"}[role]
            leaf = make_leaf(Recipe((f"choria://{role}/{known}",)), foreign[issuer])
            write_principal(folder / f"{name}-{role}", leaf, authority)
        broker = Recipe(
            (f"choria://broker/{BROKER}",), purposes=(ExtendedKeyUsageOID.SERVER_AUTH,),
            hosts=(BROKER, *HOSTS),
        )  # fmt: skip
        write_principal(folder / f"{name}-broker", make_leaf(broker, foreign["brokers"]), authority)


def _write_chains(folder: Path, authority: Authority) -> None:
    """Certificates that bring their issuer along: a foreign CA's, and a member's that plays CA."""
    foreign = make_authority("elsewhere")
    client = Recipe(("choria://client/rip",))
    member = make_leaf(Recipe(("choria://client/odd",)), authority["clients"])
    for name, issuer in (("outsider-chain", foreign["clients"]), ("issued-by-a-member", member)):
        write_principal(folder / name, make_leaf(client, issuer), authority)
        with (folder / name / "certificate.pem").open("ab") as chain:
            chain.write(issuer.certificate.public_bytes(Encoding.PEM))


def write_principal(folder: Path, leaf: Pair, authority: Authority) -> None:
    """``certificate.pem``, ``key.pem`` and ``trust/``."""
    (folder / "trust").mkdir(parents=True)
    _write_public(folder / "certificate.pem", leaf.certificate)
    _write_key(folder / "key.pem", leaf.key)
    for name, pair in authority.items():
        _write_public(folder / "trust" / f"{name}.pem", pair.certificate)


def write_authority(folder: Path, authority: Authority) -> None:
    """Certificates, and the keys under ``private/``: this CA exists for tests only."""
    (folder / "private").mkdir(parents=True, exist_ok=True)
    for name, pair in authority.items():
        _write_public(folder / f"{name}.pem", pair.certificate)
        _write_key(folder / "private" / f"{name}.key", pair.key)


def read_authority(folder: Path) -> Authority:
    """What ``write_authority`` or another CA with this layout wrote."""
    return {name: read_pair(folder / f"{name}.pem", folder / "private" / f"{name}.key")
            for name in ("root", *ISSUERS)}  # fmt: skip


def read_pair(certificate: Path, key: Path) -> Pair:
    """A certificate and its key from PEM files."""
    loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(loaded, Key):
        raise TypeError(f"{key}: no key of a kind that is used here")
    return Pair(loaded, x509.load_pem_x509_certificate(certificate.read_bytes()))


def _write_public(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(Encoding.PEM))


def _write_key(path: Path, key: Key) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
