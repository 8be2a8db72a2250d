"""A CA in memory that takes certificates back, replaces issuers and its root, and tells of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache

from cryptography.hazmat.primitives.serialization import Encoding

from choria.ca import (
    Authority,
    IssuedKey,
    KeyPair,
    RevokedEntry,
    create_authority,
    issue_key_in_memory,
    make_crl,
)
from choria.trust import (
    Bundle,
    IssuerKind,
    Issuers,
    Role,
    Signer,
    Standing,
    TrustObject,
    digest_of,
    standing_of_files,
)
from choria.wire import TrustMark

NOW_MS = 1_800_000_000_000
NETWORK = "alpha"
KINDS = tuple(IssuerKind)


def an_authority(*, which: int = 0) -> Authority:
    """One of several CAs of the same name: making keys is what takes the time."""
    return _authority(which)


@cache
def _authority(which: int) -> Authority:
    del which
    return create_authority(NETWORK, NOW_MS)


def a_key(role: Role, name: str, *, which: int = 0) -> IssuedKey:
    return _key(role, name, which)


@cache
def _key(role: Role, name: str, which: int) -> IssuedKey:
    return issue_key_in_memory(an_authority(which=which), role, name, now_ms=NOW_MS)


def serial_of(issued: IssuedKey) -> int:
    return issuers_of(an_authority()).examine(issued.certificate_der).serial


def signer(issued: IssuedKey) -> Signer:
    return Signer(issued.key, issued.certificate_der)


def issuers_of(authority: Authority) -> Issuers:
    return authority.trusted


def stores_of(authority: Authority) -> dict[IssuerKind, tuple]:
    return {kind: (authority.issuers[kind].certificate,) for kind in IssuerKind}


def first_standing(authority: Authority | None = None) -> Standing:
    authority = authority or an_authority()
    return standing_of_files(authority.root.certificate, stores_of(authority))


def a_list(
    pair: KeyPair,
    number: int,
    revoked: Iterable[int] = (),
    *,
    days: float = 30.0,
    at_ms: int = NOW_MS,
) -> bytes:
    """A revocation list in DER."""
    entries = [RevokedEntry(serial=f"{serial:x}", revoked_ms=at_ms) for serial in revoked]
    return make_crl(pair, entries, number=number, now_ms=at_ms, days=days).public_bytes(
        Encoding.DER
    )


@dataclass(frozen=True)
class Maker:
    """Makes objects: numbers and serials by kind of issuer, and bundles."""

    authority: Authority = field(default_factory=an_authority)
    numbers: dict[IssuerKind, int] = field(default_factory=dict)
    revoked: dict[IssuerKind, tuple[int, ...]] = field(default_factory=dict)
    bundles: tuple[bytes, ...] = ()
    days: float = 30.0

    def revoking(self, kind: IssuerKind, *serials: int) -> Maker:
        """The next list of an issuer, with more serials."""
        return replace(
            self,
            numbers={**self.numbers, kind: self.numbers.get(kind, 0) + 1},
            revoked={**self.revoked, kind: (*self.revoked.get(kind, ()), *serials)},
        )

    def bundling(self, bundle: Bundle, by: KeyPair) -> Maker:
        return replace(self, bundles=(*self.bundles, bundle.sign(by.certificate, by.key)))

    def data(self) -> bytes:
        lists = tuple(
            a_list(self.authority.issuers[kind], number, self.revoked.get(kind, ()), days=self.days)
            for kind, number in self.numbers.items()
        )
        return TrustObject(self.authority.network, self.bundles, lists).encode()


def a_bundle(number: int, *roots: KeyPair, authority: Authority | None = None) -> Bundle:
    authority = authority or an_authority()
    certificates = tuple(root.certificate for root in roots) or (authority.root.certificate,)
    return Bundle(authority.network, number, NOW_MS, certificates, stores_of(authority))


def mark_of(data: bytes, standing: Standing) -> TrustMark:
    return TrustMark(*standing.number, digest_of(data), len(data))
