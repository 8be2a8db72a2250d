"""A bounded memory of certificates that were proved, because proving one costs 0.2 ms.

Only successes are kept: a failure that were kept would let strangers fill the memory. What depends
on time, place or purpose is looked at again at each use, so nothing outlives its validity here.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from hashlib import sha256
from typing import Final

from .certificates import MAX_CERTIFICATE_BYTES, Purpose
from .issuers import Identified, Issuers
from .principals import Principal, Role

DEFAULT_CAPACITY: Final = 4096  # certificates; about 3 KiB each


class Identifier:
    """:class:`Issuers` with the least recently used certificates forgotten beyond ``capacity``.

    Threads may share one, since each step is one operation of a dictionary; at worst two prove the
    same certificate.
    """

    __slots__ = ("_capacity", "_known", "issuers")

    def __init__(self, issuers: Issuers, *, capacity: int = DEFAULT_CAPACITY) -> None:
        self.issuers = issuers
        self._capacity = capacity
        self._known: OrderedDict[bytes, Identified] = OrderedDict()

    @property
    def network(self) -> str:
        """The network's name."""
        return self.issuers.network

    def __len__(self) -> int:
        return len(self._known)

    def examine(self, der: bytes) -> Identified:
        """As :meth:`Issuers.examine`. Raises TrustError."""
        if len(der) > MAX_CERTIFICATE_BYTES:
            return self.issuers.examine(der)  # refuses it, before megabytes are hashed
        thumbprint = sha256(der).digest()
        return self.known(thumbprint) or self._remember(self.issuers.examine(der))

    def known(self, thumbprint: bytes) -> Identified | None:
        """The certificate with this SHA-256, if it was proved before and not forgotten."""
        identified = self._known.get(thumbprint)
        if identified is not None:
            with suppress(KeyError):  # another thread may have forgotten it since
                self._known.move_to_end(thumbprint)
        return identified

    def identify(
        self, der: bytes, roles: frozenset[Role], now_ms: int, purpose: Purpose | None = None
    ) -> Principal:
        """As :meth:`Issuers.identify`. Raises TrustError."""
        return self.examine(der).check(roles, now_ms, purpose)

    def _remember(self, identified: Identified) -> Identified:
        self._known[identified.thumbprint] = identified
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return identified
