"""What a member of a network trusts, as a token pins it.

The hash covers the root *and* each issuer in its place. The root's alone would not do: all issuers
are signed by it and look alike, so that a door in an attacker's hands could present the issuer of
nodes as that of clients, and every node would pass for an operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Annotated

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from choria.trust import IssuerKind, Issuers, parse_certificate, read_issuers
from choria.wire import encode_cbor

from .fields import CertificateBytes

Store = Annotated[tuple[CertificateBytes, ...], msgspec.Meta(min_length=1, max_length=16)]


class Anchors(msgspec.Struct, frozen=True, kw_only=True):
    """The root and the three stores of issuers, each certificate as DER."""

    root: CertificateBytes
    brokers: Store
    nodes: Store
    clients: Store
    logins: tuple[CertificateBytes, ...] = ()

    @property
    def items(self) -> list[object]:
        """Everything in its place; without issuers of logins their place is not there (CWP-21.1-7)."""
        everything = list(msgspec.structs.astuple(self))
        return everything if self.logins else everything[:-1]

    @property
    def digest(self) -> bytes:
        """What a token pins: SHA-256 over all of it, in its places (CWP-18.3-2)."""
        return sha256(encode_cbor(self.items)).digest()

    def trust_files(self) -> dict[str, bytes]:
        """The PEM files of a trust folder by name. Raises TrustError for what is no certificate."""
        stores = {"root": (self.root,), **{kind.value: getattr(self, kind) for kind in IssuerKind}}
        if self.logins:
            stores["logins"] = self.logins
        return {f"{name}.pem": _pem(store) for name, store in stores.items()}

    def issuers(self) -> Issuers:
        """Whom to believe. Raises TrustError: damaged, or issuers that the root did not sign."""
        files = self.trust_files()
        return read_issuers(**{name.removesuffix(".pem"): pem for name, pem in files.items()})


def anchors_of(
    root: x509.Certificate,
    stores: Mapping[IssuerKind, Iterable[x509.Certificate]],
    logins: Iterable[x509.Certificate] = (),
) -> Anchors:
    """Anchors from certificates."""
    brokers, nodes, clients = (tuple(_der(each) for each in stores[kind]) for kind in IssuerKind)
    return Anchors(
        root=_der(root), brokers=brokers, nodes=nodes, clients=clients,
        logins=tuple(_der(each) for each in logins),
    )  # fmt: skip


def is_store(item: object) -> bool:
    """Whether an item of a frame is a list of certificates; what is none there is ignored."""
    try:
        msgspec.convert(item, Store, builtin_types=(bytes,))
    except msgspec.ValidationError:
        return False
    return True


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _pem(store: Iterable[bytes]) -> bytes:
    return b"".join(parse_certificate(der).public_bytes(Encoding.PEM) for der in store)
