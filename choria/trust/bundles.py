"""Bundles: the root's word on who the issuers are, and on the root that comes after it (CWP-20.1-3).

A bundle is a COSE_Sign1 by a root, over a map of its number, the roots and the three stores. While a
root is being replaced the old one signs a bundle that names both; the next bundle, by the new root,
may drop the old. Whoever was away finds both in the object, and goes from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from choria.errors import TrustError
from choria.wire import encode_cbor

from .anchors import MAX_ANCHORS, IssuerKind, make_anchor
from .certificates import MAX_CERTIFICATE_BYTES, parse_certificate, x509_errors
from .cose import open1, sign1
from .keys import PrivateKey
from .trust_files import network_of_root
from .trust_object import MAX_BUNDLE_BYTES, check_strings, read_map

AAD_TRUST: Final = b"cwp/1 trust"
MAX_ROOTS: Final = 4
MAX_NUMBER: Final = (1 << 63) - 1
_NETWORK, _NUMBER, _TIME, _ROOTS = 2, 3, 4, 5
_STORES: Final[Mapping[IssuerKind, int]] = {
    IssuerKind.BROKERS: 6, IssuerKind.NODES: 7, IssuerKind.CLIENTS: 8
}  # fmt: skip
_LOGINS: Final = 9
_KNOWN: Final = frozenset({1, _NETWORK, _NUMBER, _TIME, _ROOTS, *_STORES.values(), _LOGINS})

Stores = Mapping[IssuerKind, tuple[x509.Certificate, ...]]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Who counts, by a root's word.

    Attributes:
        network: whose; each root's common name as well.
        number: grows with every bundle.
        time_ms: when it was signed, for people.
        roots: who may sign the next one; the first one is the present root.
        stores: the issuers of each kind, each signed by one of ``roots``.
        logins: issuers of logins, signed likewise; none: the bundle says nothing of them.
    """

    network: str
    number: int
    time_ms: int
    roots: tuple[x509.Certificate, ...]
    stores: Stores
    logins: tuple[x509.Certificate, ...] = ()

    def sign(self, root: x509.Certificate, key: PrivateKey) -> bytes:
        """The signed bundle, by ``root`` with its private ``key``. Raises TrustError if too large."""
        payload: dict[int, object] = {
            1: 1, _NETWORK: self.network, _NUMBER: self.number, _TIME: self.time_ms,
            _ROOTS: _ders(self.roots),
            **{key: _ders(self.stores[kind]) for kind, key in _STORES.items()},
        }  # fmt: skip
        if self.logins:
            payload[_LOGINS] = _ders(self.logins)
        signed = sign1(
            key, encode_cbor(payload), leaf_der=root.public_bytes(Encoding.DER),
            external_aad=AAD_TRUST, include_certificate=False,
        )  # fmt: skip
        if len(signed) > MAX_BUNDLE_BYTES:
            raise TrustError(
                f"a bundle of {len(signed)} bytes: at most {MAX_BUNDLE_BYTES} are taken"
            )
        return signed


def open_bundle(message: bytes, roots: Iterable[x509.Certificate], now_ms: int) -> Bundle:
    """Prove a bundle by one of ``roots``, and check everything in it. Raises TrustError.

    Args:
        message: the COSE bytes as they came.
        roots: those that count now.
        now_ms: wall clock: a root must be within its validity.
    """
    opened = open1(message, max_bytes=MAX_BUNDLE_BYTES)
    if opened.certificate_der is not None:  # CWP-20.1-3
        raise TrustError("a bundle names its root by hash, and comes without the certificate")
    by_hash = {sha256(root.public_bytes(Encoding.DER)).digest(): root for root in roots}
    root = by_hash.get(opened.thumbprint)
    if root is None:
        raise TrustError("a bundle was signed by a root that does not count here")
    anchor = make_anchor(None, root)
    anchor.validity.check("the root that signed a bundle", now_ms)
    opened.verify(anchor.key, AAD_TRUST)
    return _read(opened.payload)


def bundle_number(message: bytes) -> int:
    """The number that a bundle claims, unproved: which of several are worth proving."""
    return _number(read_map(_payload(message), _KNOWN, "a bundle", max_items=128))


def _payload(message: bytes) -> bytes:
    return open1(message, max_bytes=MAX_BUNDLE_BYTES).payload


def _read(payload: bytes) -> Bundle:
    fields = read_map(payload, _KNOWN, "a bundle", max_items=128)
    network, time_ms = fields.get(_NETWORK), fields.get(_TIME)
    if not isinstance(network, str) or type(time_ms) is not int or time_ms < 0:
        raise TrustError("a bundle has a network and a time")
    roots = _certificates(fields.get(_ROOTS), "the roots of a bundle", MAX_ROOTS)
    for root in roots:
        _check_root(root, network)
    stores = {
        kind: _certificates(fields.get(key), f"the issuers '{kind}' of a bundle", MAX_ANCHORS)
        for kind, key in _STORES.items()
    }
    for kind, store in stores.items():
        _check_store(store, str(kind), roots)
    logins: tuple[x509.Certificate, ...] = ()
    if _LOGINS in fields:
        logins = _certificates(fields[_LOGINS], "the issuers 'logins' of a bundle", MAX_ANCHORS)
        _check_store(logins, "logins", roots)
    return Bundle(network, _number(fields), time_ms, roots, stores, logins)


def _check_store(
    store: Iterable[x509.Certificate], name: str, roots: Iterable[x509.Certificate]
) -> None:
    for issuer in store:
        if not any(_made(root, issuer) for root in roots):
            raise TrustError(f"a bundle has an issuer '{name}' that none of its roots signed")
        logins = name == "logins"
        make_anchor(IssuerKind.CLIENTS if logins else IssuerKind(name), issuer, logins=logins)


def _number(fields: Mapping[int, Any]) -> int:
    number = fields.get(_NUMBER)
    if type(number) is not int or not 0 < number <= MAX_NUMBER:
        raise TrustError(f"a bundle has a number of 1 to {MAX_NUMBER}")
    return number


def _check_root(root: x509.Certificate, network: str) -> None:
    make_anchor(None, root)
    if network_of_root(root) != network or not _made(root, root):
        raise TrustError(f"a bundle of network {network[:80]} names a root that is none of it")


def _made(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        with x509_errors("an issuer"):
            certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, TrustError):  # the latter: another name, another kind of key
        return False
    return True


def _certificates(value: Any, what: str, most: int) -> tuple[x509.Certificate, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= most:
        raise TrustError(f"{what}: 1 to {most} certificates are wanted")
    ders = check_strings(value, what, MAX_CERTIFICATE_BYTES)
    if len(set(ders)) != len(ders):
        raise TrustError(f"{what}: a certificate comes twice")
    return tuple(parse_certificate(der) for der in ders)


def _ders(certificates: Iterable[x509.Certificate]) -> list[bytes]:
    return [each.public_bytes(Encoding.DER) for each in certificates]
