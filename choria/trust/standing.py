"""What trust stands at: whose word counts, who was taken back, and how new that is (CWP-20.3).

A standing only ever gets newer. An object is judged as a whole before anything of it counts: one
part that is not as it must be, and the standing stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from choria.errors import TrustError
from choria.wire import encode_cbor

from .anchors import Anchor, IssuerKind, make_anchor
from .bundles import Bundle, Stores, bundle_number, open_bundle
from .certificates import parse_certificate
from .issuers import Issuers
from .revocation import RevocationList, read_revocation_list
from .trust_files import network_of_root
from .trust_object import (
    MAX_LISTS,
    MAX_OBJECT_BYTES,
    TrustNumber,
    TrustObject,
    check_strings,
    parse_trust_object,
    read_map,
)

_NETWORK, _ROOTS, _NUMBER, _LISTS, _FIRST_STORE, _LOGINS = 2, 3, 4, 5, 6, 9
_KEYS: Final = frozenset({1, _NETWORK, _ROOTS, _NUMBER, _LISTS}) | {
    _FIRST_STORE + at for at in range(len(IssuerKind))
}
MAX_TOTAL: Final = (1 << 63) - 1


class OlderTrust(TrustError):  # noqa: N818  # a fact
    """The object is genuine and older than what is in force: somebody keeps the newer one back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Trust in force.

    Attributes:
        network: whose.
        roots: who may sign the next bundle.
        bundle: the number of the bundle in force; 0: none yet, the stores are those of the files.
        stores: the issuers.
        lists: revocation lists by the issuer's key.
        ders: the same lists as they came.
        logins: issuers of logins by the bundle in force; none: it says nothing of them, and those
            of the files stay.
    """

    network: str
    roots: tuple[x509.Certificate, ...]
    stores: Stores
    bundle: int = 0
    lists: Mapping[bytes, RevocationList] = field(default_factory=dict)
    ders: Mapping[bytes, bytes] = field(default_factory=dict)
    logins: tuple[x509.Certificate, ...] = ()

    @property
    def number(self) -> TrustNumber:
        """How new it is (CWP-20.1-4)."""
        return TrustNumber(self.bundle, sum(each.number for each in self.lists.values()))

    def taking(self, data: bytes, now_ms: int) -> Standing:
        """The standing after this object, whose every part is proved first.

        Raises:
            OlderTrust: its number is less than ours (CWP-20.3-2).
            TrustError: it is no object of this network, or a part of it is not proved.
        """
        parts = parse_trust_object(data)
        if parts.network != self.network:
            raise TrustError(
                f"a trust object of network {parts.network[:80]}: ours is {self.network}"
            )
        after = self._led_by(parts.bundles, now_ms)
        return _with_lists(after, self.number, parts)

    def encode(self) -> bytes:
        """For a file of our own."""
        fields: dict[int, object] = {
            1: 1, _NETWORK: self.network, _ROOTS: _ders(self.roots), _NUMBER: self.bundle,
            _LISTS: list(self.ders.values()),
        }  # fmt: skip
        stores = {_FIRST_STORE + at: _ders(self.stores[kind]) for at, kind in enumerate(IssuerKind)}
        logins = {_LOGINS: _ders(self.logins)} if self.logins else {}
        return encode_cbor(fields | stores | logins)

    def apply(self, issuers: Issuers) -> tuple[str, ...]:
        """Put it in force for everything that asks ``issuers``. Returns what was not done, in words."""
        if self.bundle and self._differs_from(issuers):
            issuers.adopt(self.stores, self.logins)
        return issuers.revocations.replace(self.lists.values())

    def _differs_from(self, issuers: Issuers) -> bool:
        present = {
            kind: [
                each.certificate
                for each in issuers.anchors
                if each.kind is kind and not each.logins
            ]
            for kind in IssuerKind
        }
        logins = [each.certificate for each in issuers.anchors if each.logins]
        if self.logins and list(self.logins) != logins:
            return True
        return any(list(self.stores[kind]) != present[kind] for kind in IssuerKind)

    def _led_by(self, bundles: Sequence[bytes], now_ms: int) -> Standing:
        numbers = [bundle_number(each) for each in bundles]
        if any(later <= early for early, later in pairwise(numbers)):
            raise TrustError("the bundles of a trust object are not in the order of their numbers")
        if max(numbers, default=0) < self.bundle:
            raise OlderTrust(
                f"a trust object with bundle {max(numbers, default=0)}: bundle {self.bundle} is in force"
            )
        after = self
        for number, message in zip(numbers, bundles, strict=True):
            if number > self.bundle:
                after = after._under(open_bundle(message, after.roots, now_ms))
        return after

    def _under(self, bundle: Bundle) -> Standing:
        if bundle.network != self.network:
            raise TrustError(f"a bundle of network {bundle.network[:80]}: ours is {self.network}")
        logins = bundle.logins or self.logins
        return replace(
            self, roots=bundle.roots, stores=bundle.stores, bundle=bundle.number, logins=logins
        )


def _with_lists(after: Standing, before: TrustNumber, parts: TrustObject) -> Standing:
    """Each list is the newest known of its issuer; issuers that are gone take theirs along."""
    anchors = list(_anchors(after.stores, after.logins))
    brought, ders = read_lists(parts.lists, anchors)
    total = TrustNumber(after.bundle, sum(each.number for each in brought.values()))
    if total < before:
        raise OlderTrust(f"a trust object of number {total}: {before} is in force")
    newer = {key for key, each in brought.items() if _is_newer(each, after.lists.get(key))}
    counted = {anchor.public_key for anchor in anchors}
    lists = {key: each for key, each in after.lists.items() if key in counted}
    kept = {key: der for key, der in after.ders.items() if key in counted}
    return replace(
        after,
        lists=lists | {key: brought[key] for key in newer},
        ders=kept | {key: ders[key] for key in newer},
    )


def read_lists(
    ders: Sequence[bytes], anchors: Sequence[Anchor]
) -> tuple[dict[bytes, RevocationList], dict[bytes, bytes]]:
    """Lists and their bytes by issuer's key; those of issuers that do not count are left out.

    Raises:
        TrustError: a list is not proved or only part of one, or two are of one issuer (CWP-20.1-2).
    """
    found: dict[bytes, RevocationList] = {}
    origin: dict[bytes, bytes] = {}
    for der in ders:
        known = read_revocation_list(der, anchors, "a trust object")
        if known is None:
            continue
        if known.issuer in found:
            raise TrustError(f"a trust object has two revocation lists of {known.issuer_name}")
        found[known.issuer], origin[known.issuer] = known, der
    if sum(each.number for each in found.values()) > MAX_TOTAL:
        raise TrustError("the numbers of a trust object's revocation lists are beyond 64 bits")
    return found, origin


def standing_of_files(
    root: x509.Certificate,
    stores: Mapping[IssuerKind, Iterable[x509.Certificate]],
    logins: Iterable[x509.Certificate] = (),
) -> Standing:
    """Where trust begins: with the files that enrolment or the operator's hand put there."""
    return Standing(
        network=network_of_root(root),
        roots=(root,),
        stores={kind: tuple(stores[kind]) for kind in IssuerKind},
        logins=tuple(logins),
    )


def parse_standing(data: bytes) -> Standing:
    """Read a file that ``encode`` made. Its lists are proved again. Raises TrustError."""
    if len(data) > 2 * MAX_OBJECT_BYTES:
        raise TrustError(f"{len(data)} bytes are too many for kept trust")
    fields = read_map(data, _KEYS | {_LOGINS}, "kept trust", max_items=256)
    missing = _KEYS - fields.keys()
    network, number = fields.get(_NETWORK), fields.get(_NUMBER)
    if missing or not isinstance(network, str) or type(number) is not int or number < 0:
        raise TrustError("kept trust lacks something")
    stores = {
        kind: _certificates(fields[_FIRST_STORE + at], str(kind))
        for at, kind in enumerate(IssuerKind)
    }
    if not isinstance(fields[_LISTS], list) or len(fields[_LISTS]) > MAX_LISTS:
        raise TrustError(f"kept trust has at most {MAX_LISTS} lists")
    ders = check_strings(fields[_LISTS], "kept lists", MAX_OBJECT_BYTES)
    logins = _certificates(fields[_LOGINS], "logins") if _LOGINS in fields else ()
    lists, origin = read_lists(ders, list(_anchors(stores, logins)))
    roots = _certificates(fields[_ROOTS], "roots")
    return Standing(network, roots, stores, number, lists, origin, logins)


def _is_newer(brought: RevocationList, known: RevocationList | None) -> bool:
    return known is None or brought.number > known.number


def _anchors(stores: Stores, logins: Iterable[x509.Certificate]) -> Iterable[Anchor]:
    yield from (make_anchor(kind, each) for kind, store in stores.items() for each in store)
    yield from (make_anchor(IssuerKind.CLIENTS, each, logins=True) for each in logins)


def _certificates(value: object, what: str) -> tuple[x509.Certificate, ...]:
    if not isinstance(value, list) or not value:
        raise TrustError(f"kept trust has no {what}")
    return tuple(parse_certificate(der) for der in check_strings(value, what, 1 << 16))


def _ders(certificates: Iterable[x509.Certificate]) -> list[bytes]:
    return [each.public_bytes(Encoding.DER) for each in certificates]
