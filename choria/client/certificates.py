"""Certificates that nodes were asked for, by their SHA-256."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from hashlib import sha256

from choria.trust import MAX_CERTIFICATE_BYTES

MAX_PREVIOUS = 2
MAX_CERTIFICATES = 1 << 16
"""Some 700 bytes each: more than the largest network has nodes, in 50 MB."""


class Certificates:
    """Bounded; the one that was put in first is forgotten first. Nothing in it is proved."""

    def __init__(self, capacity: int = MAX_CERTIFICATES) -> None:
        self._capacity = capacity
        self._by_hash: OrderedDict[bytes, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, thumbprint: bytes) -> bytes | None:
        """The certificate with this SHA-256, if it is here. Threads may ask."""
        return self._by_hash.get(thumbprint)

    def keep_one(self, ders: Iterable[object], thumbprint: bytes) -> bool:
        """Keep the one among ``ders`` that was asked for; False if it is none of them."""
        return any(self.keep(der, thumbprint) for der in ders)

    def keep(self, der: object, thumbprint: bytes) -> bool:
        """Keep what a node sent if it is the certificate that was asked for (CWP-13.3-12)."""
        if not isinstance(der, bytes) or len(der) > MAX_CERTIFICATE_BYTES:
            return False
        if sha256(der).digest() != thumbprint:
            return False
        self._by_hash[thumbprint] = der
        if len(self._by_hash) > self._capacity:
            self._by_hash.popitem(last=False)
        return True


def offered(data: Mapping[str, object]) -> list[object]:
    """What a node gave that was asked for its certificate: the present one, and those before it.

    A reply that was signed just before a renewal names one of those (CWP-13.3-14).
    """
    previous = data.get("previous")
    return [
        data.get("certificate"),
        *(previous[:MAX_PREVIOUS] if isinstance(previous, list) else ()),
    ]
